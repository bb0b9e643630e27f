"""Feeds that fall silent: how long no price of an instrument has come while its exchange traded.

Only time within sessions counts, by the instrument's calendar, and what comes as bars may stay away for the length of
one. An instrument whose calendar nobody knows is not watched. One that has not shown a price since the start is, from
when something of ours is first seen to depend on it: what is held, an open order, a strategy that runs. In a replay the
market's own time counts for each instrument, and the clock on the wall for whether it goes on at all.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from evenkeel.domain.clock import SECOND, from_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.events import FeedSilent
from evenkeel.market.calendars import calendar
from evenkeel.market.timeframes import timeframe
from evenkeel.trading.engine.state import State

if TYPE_CHECKING:
    from evenkeel.trading.live.feed import FeedControl
    from evenkeel.trading.live.runner import Runner

LONGEST = timedelta(days=14)
LOOK_EVERY = 10.0
Shown = tuple[str, str, int]
"""An instrument, its calendar, and the moment (ns) of its last price."""


def silent_for(name: str, since: int, now: int, *, sessions: int = 0) -> int:
    """Nanoseconds of sessions of a calendar between two moments, less the longest `sessions` of them; 0 for a calendar
    that is not known."""
    try:
        known = calendar(name)
    except InvalidInput:
        return 0
    first = max(from_ns(since), from_ns(now) - LONGEST).date() - timedelta(days=1)
    spans = [
        max(0, min(now, one.close) - max(since, one.open))
        for one in known.sessions(first, from_ns(now).date() + timedelta(days=1))
        if one.open < now and one.close > since
    ]
    return sum(sorted(spans)[: len(spans) - sessions])


def _needed(state: State, missing: set[str]) -> set[str]:
    """Which of these something of ours depends on."""
    found: set[str] = set()
    if not missing:
        return found
    for account in state.accounts.values():
        found.update(name for name in missing.intersection(account.net) if account.net[name])
        found.update(missing.intersection(order.spec.instrument_id for order in account.open_orders()))
    for one in state.deployments.values():
        if one.is_running:
            found.update(missing.intersection(one.deployment.instrument_ids))
    return found


class SilenceWatch:
    """`limit` is how many seconds of its session an instrument may be silent, beside a bar's length; 0: any number."""

    def __init__(self, runner: "Runner") -> None:
        self._runner = runner
        self._control: FeedControl | None = None
        self._awaited: dict[str, int] = {}
        self._looked = -LOOK_EVERY
        self.limit = 0

    def watch(self, control: "FeedControl", limit: int) -> None:
        """Watches a feed from now on."""
        self._control, self.limit = control, limit

    async def look(self) -> None:
        if not self.limit or self._control is None or self._runner.failure is not None:
            return
        marks, now = self._runner.state.marks, self._now()
        shown = self._candidates(now)
        silent = await asyncio.to_thread(self._silent, shown, now) if shown else {}
        current = self._runner.state.marks
        silent = {name: age for name, age in silent.items() if name not in current or current[name].at <= now}
        stalled = self._stalled()
        if marks is current and (silent.keys() != marks.silent.keys() or stalled != marks.stalled):
            watched = len(marks) + sum(name not in marks for name in self._awaited)
            self._runner.post(FeedSilent(silent, self.limit, watched, stalled=stalled))

    def _now(self) -> int:
        """The clock's time; in a replay the feed's, which after a kill shows again what it had shown before it."""
        market, clock = self._runner.last_market, self._runner.clock
        return market.at if clock.is_replay and market is not None else clock.now()

    def _candidates(self, now: int) -> list[Shown]:
        """What has shown no price for a while, or none at all since something depends on it."""
        state = self._runner.state
        self._await(now)
        since = {name: mark.at for name, mark in state.marks.items()}
        since |= {name: moment for name, moment in self._awaited.items() if name not in since}
        return [
            (name, state.instruments[name].calendar, moment)
            for name, moment in since.items()
            if now - moment > self.limit * SECOND and name in state.instruments
        ]

    def _await(self, now: int) -> None:
        """Notes, every few seconds, what has never shown a price and something depends on, each since it was noted."""
        moment = self._runner.clock.monotonic()
        if moment - self._looked < LOOK_EVERY:
            return
        state, self._looked = self._runner.state, moment
        missing = {name for name in state.instruments if name not in state.marks}
        self._awaited = {name: self._awaited.get(name, now) for name in _needed(state, missing)}

    def _silent(self, shown: Iterable[Shown], now: int) -> dict[str, int]:
        """Seconds of silence by instrument, where that is too long."""
        bar = timeframe(self._control.timeframe) if self._control is not None and self._control.source else None
        whole, part = (1, 0) if bar is not None and not bar.intraday else (0, bar.ns if bar is not None else 0)
        found = {}
        for name, known, since in shown:
            age = silent_for(known, since, now, sessions=whole) - part
            if age > self.limit * SECOND:
                found[name] = age // SECOND
        return found

    def _stalled(self) -> int:
        """Seconds for which a replay that should go on has handed over nothing, where that is too long; else 0."""
        control = self._control
        if control is None or not self._runner.clock.is_replay or control.state != "running":
            return 0
        pause = 1.0 / float(control.speed) if control.speed else 0.0
        waited = self._runner.clock.monotonic() - control.handed_at
        return int(self.limit) if waited > self.limit + pause else 0
