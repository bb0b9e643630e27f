"""A walk-forward session of the owner's, for tests that need one to be there."""

from decimal import Decimal

from evenkeel.desk.ports import User
from evenkeel.domain.accounts import Account, AccountMode
from evenkeel.domain.commands import OpenSession
from evenkeel.domain.walkforward import WalkForwardSession
from tests.server.world import LIMITS
from tests.trading.live.desk import BY

SESSION = "0190c000-0000-7000-8000-000000000001"
ACCOUNT = "0190a000-0000-7000-8000-000000000003"


def opening(user: User) -> OpenSession:
    """The command that opens it, without strategies."""
    account = Account(ACCOUNT, user.id, "Walked", "simulated", "USD", AccountMode.WALKFORWARD, limits=LIMITS)
    session = WalkForwardSession(SESSION, "Walked", user.id, ACCOUNT, capital=Decimal(100_000))
    return OpenSession(provenance=BY, session=session, account=account)
