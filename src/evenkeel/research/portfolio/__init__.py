"""Portfolios on history: weights from prices, and what they would have done."""
