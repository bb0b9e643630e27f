"""How much instruments move, for links that size by it: measured from daily closes in the background, once a day."""

import asyncio
from collections.abc import Iterator
from math import sqrt
from typing import Protocol

import numpy as np
import structlog

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.domain.copying import ByVolatility
from evenkeel.domain.instruments import AROUND_THE_CLOCK, Instrument
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.market.columns import DAY
from evenkeel.trading.engine.state import State

log = structlog.get_logger(__name__)
LEAST = 20
_DAYS = {AROUND_THE_CLOCK: 365}
_TRADING_DAYS = 252
_Asked = tuple[Instrument, int, tuple[int, float] | None]


class Clock(Protocol):
    def now(self) -> int: ...


class Runner(Protocol):
    """The part of the live runner that this needs."""

    @property
    def state(self) -> State: ...

    @property
    def clock(self) -> Clock: ...


class Volatilities:
    """Call it for a volatility that has been measured; subscribe it to its runner, and give it `daily` closes."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.daily: DailyCloses | None = None
        self._known: dict[tuple[str, int], float | None] = {}
        self._today: set[tuple[str, int]] = set()
        self._day = -1
        self._task: asyncio.Task[None] | None = None

    def __call__(self, instrument_id: str, window: int) -> float | None:
        """The sample standard deviation of `window` daily simple returns, a year; None where it is not known (yet)."""
        return self._known.get((instrument_id, window))

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Implements `trading.live.ports.Subscriber`: has measured what is asked for and was not measured today."""
        state = self.runner.state
        if not state.copying.by_master or self.daily is None or (self._task is not None and not self._task.done()):
            return
        now = self.runner.clock.now()
        if now // DAY != self._day:
            self._day, self._today = now // DAY, set()
        asked = [one for one in _asked(state) if (one[0].id, one[1]) not in self._today]
        if asked:
            self._task = asyncio.get_running_loop().create_task(self._measure(self.daily, asked, at=now))

    async def _measure(self, daily: DailyCloses, asked: list[_Asked], *, at: int) -> None:
        self._today |= {(one.id, window) for one, window, _ in asked}
        try:
            self._known |= await asyncio.to_thread(measured, daily, asked, at=at)
        except Exception:  # stores fail in ways of their own, and none of them may stop the market
            log.exception("volatilities could not be measured; copies go by those of before, or are skipped")


def _asked(state: State) -> Iterator[_Asked]:
    """What links size by: the instruments that their followers trade, and the master's where those are the measure."""
    for one in state.copying.live():
        sizing = one.link.terms.sizing
        if not isinstance(sizing, ByVolatility):
            continue
        names = set(one.legs) | set(one.link.filter.instrument_ids) | set(one.link.symbols)
        names |= {name for name in state.marks if not one.link.filter.instrument_ids}
        for name in sorted(names | {one.link.rule(name).instrument_id for name in names}):
            if name in state.instruments:
                mark = state.marks.get(name)
                yield state.instruments[name], sizing.window, None if mark is None else (mark.at, mark.price)


def measured(daily: DailyCloses, asked: list[_Asked], *, at: int) -> dict[tuple[str, int], float | None]:
    """Volatilities a year by instrument and window; None where there are fewer than 20 returns. Reads the store."""
    found: dict[tuple[str, int], float | None] = {}
    for instrument, window, last in asked:
        prices = daily.closes(instrument, at=at, count=window + 1, last=last).prices
        returns = prices[1:] / prices[:-1] - 1.0
        a_year = _DAYS.get(instrument.calendar, _TRADING_DAYS)
        value = float(np.std(returns, ddof=1)) * sqrt(a_year) if len(returns) >= LEAST else None
        found[instrument.id, window] = value
    return found
