"""Hands the engine the sessions to come of the exchanges at which levels have times: it knows no calendar itself.

In a replay they are there before the next price is; else they are looked up in a thread, as a calendar may take a
second to load. What was handed in is recorded, so that a restart needs none of it again.
"""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from evenkeel.domain.clock import from_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.events import SessionsKnown
from evenkeel.domain.mtm import SessionTimes
from evenkeel.domain.mtm_records import MtmPlanned, MtmRulesSet
from evenkeel.domain.records import AnyRecord, Batch, DeploymentChanged, InstrumentListed, RunStarted
from evenkeel.market.calendars import calendar
from evenkeel.trading.engine.mtm.hours import needed, wanted

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

AHEAD = timedelta(days=30)
_NEWS = (MtmRulesSet, MtmPlanned, DeploymentChanged)


def sessions_of(name: str, at: int) -> SessionsKnown:
    """The sessions of an exchange that are not over at a moment (ns), a month ahead; none for a name nobody knows."""
    try:
        known = calendar(name)
    except InvalidInput:
        return SessionsKnown(name, "", ())
    day = from_ns(at).date()
    coming = known.sessions(day - timedelta(days=2), day + AHEAD)
    times = tuple(SessionTimes(one.date, one.open, one.close) for one in coming if one.close > at)
    return SessionsKnown(name, str(known.zone), times)


class HoursWatch:
    """Subscribe it to its runner."""

    def __init__(self, runner: "Runner") -> None:
        self.runner = runner
        self._asked: dict[str, asyncio.Task[None]] = {}

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        if not self.runner.state.mtm:
            return
        state, at = self.runner.state, self.runner.clock.now()
        names = set[str]()
        if any(isinstance(record, RunStarted) for record in records):
            names = needed(state)  # a calendar may have learned of a half day since
        elif any(self._is_news(record) for record in records):
            names = wanted(state, at)
        for name in sorted(names - self._asked.keys()):
            if self.runner.clock.is_replay or self.runner.deterministic:
                self._tell(sessions_of(name, at))
            else:
                loop = asyncio.get_running_loop()
                self._asked[name] = loop.create_task(self._look_up(name, at), name=f"sessions of {name}")

    async def _look_up(self, name: str, at: int) -> None:
        try:
            self._tell(await asyncio.to_thread(sessions_of, name, at))
        finally:
            del self._asked[name]

    def _is_news(self, record: AnyRecord) -> bool:
        if isinstance(record, InstrumentListed):
            return record.instrument.calendar not in self.runner.state.hours
        return isinstance(record, _NEWS)

    def _tell(self, found: SessionsKnown) -> None:
        """Posts sessions that differ from those known, or go on beyond them."""
        known = self.runner.state.hours.get(found.calendar)
        if known is None or found.sessions != known.sessions[-len(found.sessions) :]:
            self.runner.post(found)

    def stop(self) -> None:
        for task in tuple(self._asked.values()):
            task.cancel()
