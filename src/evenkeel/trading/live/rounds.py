"""Scheduled reconciles: an account is compared with its broker every so often, and once after it has been busy.

The broker's profile says how often. A round waits for a quiet moment, but not for ever; it is never asked for while an
account is not ready, whose own reconcile is on its way, or while one waits already. One that fails is tried again as
any other is, and never read as an empty account.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import SECOND
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.state import AccountState

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

QUIET = 1.0
Sign = tuple[object, ...]


class Seen(Struct):
    """What an account looked like at the last look, since when it has not moved, and whether it has since a round."""

    sign: Sign
    since: float
    is_due: bool = False


class Rounds:
    """`look` asks for the reconciles that are due. Seconds are of the clock that never goes back."""

    def __init__(self, runner: "Runner") -> None:
        self._runner = runner
        self._seen: dict[str, Seen] = {}

    async def look(self) -> None:
        now = self._runner.clock.monotonic()
        for account_id, held in self._runner.state.accounts.items():
            broker = self._runner.brokers.get(held.account.broker)
            if broker is None or held.readiness is not Readiness.READY:
                self._seen.pop(account_id, None)
                continue
            seen, profile = self._moved(account_id, held, now=now), broker.profile
            quiet, age = now - seen.since, self._runner.dispatcher.pictures.age(account_id)
            has_settled = profile.reconcile_after > 0 and seen.is_due and quiet * SECOND >= profile.reconcile_after
            every = profile.reconcile_every / SECOND
            is_old = every > 0 and age >= every and (quiet >= QUIET or age >= 2 * every)
            if (has_settled or is_old) and not self._runner.dispatcher.is_busy(account_id):
                seen.is_due = False
                self._runner.dispatcher.put(WantReconcile(account_id, "by schedule", routine=True))

    def _moved(self, account_id: str, held: AccountState, *, now: float) -> Seen:
        """What is sent, works, fills or is booked shows in one of these."""
        is_busy = self._runner.dispatcher.is_busy(account_id)
        sign = (is_busy, len(held.working), held.trades_today, held.cash_in(held.account.currency))
        seen = self._seen.get(account_id)
        if seen is None:
            seen = self._seen[account_id] = Seen(sign, now)
        elif seen.sign != sign:
            seen.sign, seen.since, seen.is_due = sign, now, True
        return seen
