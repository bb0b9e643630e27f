"""Evenkeel: one desk for every account."""

__version__ = "0.1.0"
