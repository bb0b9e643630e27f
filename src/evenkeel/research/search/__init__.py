"""Search: many combinations of a strategy's parameters on one history, and which of them did best."""
