"""Hands the engine what its correlation limits ask for: measured from daily closes, at most once a day of the market.

A feed has it done before each slice, so that a replay measures at the same moments each time; without a feed it is done
in the background, by the clock, when something has been committed. Where no such limit is in force nothing is measured.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Protocol

import structlog

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import DAYS
from evenkeel.domain.errors import NotReady
from evenkeel.domain.events import RiskInputs
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.market.columns import DAY
from evenkeel.quant.risk import LEAST, align, correlations
from evenkeel.trading.engine.state import State

log = structlog.get_logger(__name__)
MOST_INSTRUMENTS = 400
Asked = tuple[Instrument, tuple[int, float] | None]
"""An instrument with (time, last price), None before the first."""


class Runner(Protocol):
    """The part of the live runner that the watch needs."""

    @property
    def state(self) -> State: ...

    @property
    def clock(self) -> "Clock": ...

    async def post_all(self, events: Sequence[RiskInputs]) -> Any: ...


class Clock(Protocol):
    def now(self) -> int: ...


class RiskWatch:
    """Give its `prepare` to the feed, or subscribe it where there is none."""

    def __init__(self, runner: Runner, daily: DailyCloses) -> None:
        self.runner, self.daily = runner, daily
        self._day = -1
        self._known: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    async def prepare(self, market: MarketSlice) -> None:
        """Measures what is due before the engine sees a slice, of what was known before it."""
        await self._measure(market.at - 1)

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._measure(self.runner.clock.now()))

    async def _measure(self, at: int) -> None:
        state = self.runner.state
        if not is_wanted(state):
            return
        is_new_day = at // DAY != self._day
        if not is_new_day and self._known.issuperset(_names(state)):
            return
        asked = concerned(state)
        if not is_new_day and asked.keys() <= self._known:
            return
        self._day, self._known = at // DAY, frozenset(asked)
        try:
            inputs = await asyncio.to_thread(measured, self.daily, list(asked.values()), at=at)
        except Exception:  # stores fail in ways of their own, and none of them may stop the market
            log.exception("correlations could not be measured; limits on them go by what was known before")
            return
        with suppress(NotReady):  # trading has stopped meanwhile, and whoever else asks is told
            await self.runner.post_all([inputs])


def is_wanted(state: State) -> bool:
    """Whether any limit in force reads correlations."""
    own = (held.limits for held in state.accounts.values())
    return any(rules.max_correlation is not None for rules in chain(own, (one.rules for one in state.layers.values())))


def concerned(state: State) -> dict[str, Asked]:
    """What may be held together, by id: held, on its way, traded by strategies, and quoted, in this order."""
    found = dict[str, Asked]()
    for name in _names(state):
        if name in found or name not in state.instruments:
            continue
        mark = state.marks.get(name)
        found[name] = state.instruments[name], None if mark is None else (mark.at, mark.price)
        if len(found) == MOST_INSTRUMENTS:
            break
    return found


def _names(state: State) -> Iterator[str]:
    accounts = state.accounts.values()
    return chain(
        (name for held in accounts for name, quantity in held.net.items() if quantity),
        (order.spec.instrument_id for held in accounts for order in held.working.values()),
        (name for one in state.deployments.values() if one.is_running for name in one.deployment.instrument_ids),
        state.marks,
    )


def measured(daily: DailyCloses, asked: Sequence[Asked], *, at: int, days: int = DAYS) -> RiskInputs:
    """Correlations of the instruments that have enough closes, over the days they have in common. Reads the store."""
    closes = {one.id: daily.closes(one, at=at, count=days + 1, last=last) for one, last in asked}
    known = [one for one, _ in asked if len(closes[one.id]) > LEAST]
    returns = align({one.id: closes[one.id] for one in known}, count=days)
    if len(returns.dates) < LEAST:
        return RiskInputs(as_of=at, days=len(returns.dates), instruments=(), correlations=())
    return RiskInputs(
        as_of=at,
        days=len(returns.dates),
        instruments=returns.names,
        correlations=tuple(map(tuple, correlations(returns.values).tolist())),
    )
