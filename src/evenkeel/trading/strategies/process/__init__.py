"""A strategy host as its own process: started by the owner of accounts, asked over a socket, ended with it."""
