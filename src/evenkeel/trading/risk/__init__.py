"""Pre-trade risk: pure checks over what the engine hands in; the answer is a verdict, never an exception."""

from evenkeel.trading.risk.checks import MARKET_BUFFER, assess, buffer_of, judged
from evenkeel.trading.risk.rules import percent, plan_of
from evenkeel.trading.risk.view import RiskCheck, RiskView, Seen, does_reduce

__all__ = [
    "MARKET_BUFFER",
    "RiskCheck",
    "RiskView",
    "Seen",
    "assess",
    "buffer_of",
    "does_reduce",
    "judged",
    "percent",
    "plan_of",
]
