"""Commands of the form `evenkeel <noun> <verb>`; heavy parts are imported when a command runs, not before."""
