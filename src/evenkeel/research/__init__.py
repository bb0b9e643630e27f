"""Run on history: backtests, sweeps, walk-forward; what they find, and how far it can be trusted."""
