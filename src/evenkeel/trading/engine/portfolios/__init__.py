"""Portfolios in the engine: what is folded of them, what their books are worth, and the commands that shape them."""
