"""The simulated venue: one book, used directly by backtests, in-process by paper accounts, or as its own process."""
