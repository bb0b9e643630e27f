"""Portfolios from means, covariances and past returns: objectives, constraints and the exact frontier."""
