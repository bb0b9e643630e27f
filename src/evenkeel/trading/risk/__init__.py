"""Pre-trade risk: pure checks over what the engine hands in; the answer is a verdict, never an exception."""

from evenkeel.trading.risk.checks import CHECKS, assess, buffer_of
from evenkeel.trading.risk.view import RiskView

__all__ = ["CHECKS", "RiskView", "assess", "buffer_of"]
