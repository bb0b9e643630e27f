"""Accounts that stay not ready while their market trades: after a minute a person is told, and again every quarter.

A link that is away sends nothing that could fail, so its silence would look like peace.
"""

import asyncio
from typing import TYPE_CHECKING

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.events import AccountAway
from evenkeel.trading.engine.state import AccountState
from evenkeel.trading.engine.windows import is_open

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

FIRST, AGAIN = 60.0, 900.0


class ReadinessWatch:
    """A planned restart of the broker does not count, nor does an account that is out of use and holds nothing, or a
    live one that was never switched on."""

    def __init__(self, runner: "Runner") -> None:
        self._runner = runner
        self._since: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def away(self, account_id: str) -> float | None:
        """Seconds for which an account has not been ready; None where it is."""
        since = self._since.get(account_id)
        return None if since is None else self._runner.clock.monotonic() - since

    async def look(self) -> None:
        now, state = self._runner.clock.monotonic(), self._runner.state
        for account_id, held in tuple(state.accounts.items()):
            if held.readiness is Readiness.READY or _is_at_rest(held) or held.account.broker in state.resting:
                self._since.pop(account_id, None)
                self._told.pop(account_id, None)
                continue
            away = now - self._since.setdefault(account_id, now)
            told = self._told.get(account_id)
            is_due = away >= FIRST if told is None else now - told >= AGAIN
            if is_due and await self._trades(held):
                self._told[account_id] = now
                self._runner.post(AccountAway(account_id, int(away)))

    async def _trades(self, held: AccountState) -> bool:
        """Whether an exchange is open of what the account holds or works, or of anything where that is nothing."""
        if self._runner.clock.is_replay:
            return True
        instruments = self._runner.state.instruments
        calendars = {instruments[name].calendar for name in _concerned(held) or instruments}
        at = self._runner.clock.now()
        return await asyncio.to_thread(lambda: any(is_open(name, at) for name in calendars))


def _is_at_rest(held: AccountState) -> bool:
    return held.is_idle or held.never_live or (bool(held.retired) and not _concerned(held))


def _concerned(held: AccountState) -> set[str]:
    """The instruments of what an account holds, and of what works there."""
    named = {one.spec.instrument_id for one in held.open_orders()}
    return named | {name for name, quantity in held.net.items() if quantity}
