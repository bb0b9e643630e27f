"""Pre-trade risk: pure checks over what the engine hands in; the answer is a verdict, never an exception."""

from evenkeel.trading.risk.checks import assess, buffer_of, judged
from evenkeel.trading.risk.rules import percent, plan_of
from evenkeel.trading.risk.view import RiskCheck, RiskView, Seen

__all__ = ["RiskCheck", "RiskView", "Seen", "assess", "buffer_of", "judged", "percent", "plan_of"]
