"""A backtest on the live engine: the same engine, order states, risk checks, costs and venue as paper and live.

Moments at which no order works, no day ends and no split is due reach only the strategy: engine and venue would make
nothing of them. When the strategy wants something, both are first shown the last prices. What has happened is the
same as if every moment had been stepped; `Replay.step` is that slower way, one moment at a time.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.records import AnyRecord
from evenkeel.domain.strategies import Allocation, Deployment, Entry, Protection
from evenkeel.market.bars import Bars
from evenkeel.research.backtest.event_desk import ACCOUNT, Desk
from evenkeel.research.backtest.event_market import BarMarket, QuoteMarket, Quotes
from evenkeel.research.backtest.event_tally import Tally
from evenkeel.research.backtest.event_traders import Commands, HandlerTrader, TargetTrader, Trader
from evenkeel.research.backtest.outcome import Outcome, Why, borrowed
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.strategies.base import Strategy
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import AnyStrategy

MAX_REACTIONS = 20
_YOUNG = 50_000
Told = Callable[[int, int], None]


def run_event(
    strategy: AnyStrategy,
    params: Params,
    bars: Mapping[str, Bars],
    *,
    instruments: Mapping[str, Instrument],
    terms: Terms,
    told: Told | None = None,
) -> Outcome:
    """Runs a strategy over raw bars by instrument id, all of one timeframe.

    One account of margin type trades by itself; its orders are good for the day and what is left at the end stays
    open. `told` hears (moments done, moments in all) as it goes on, at least once a day. Raises InvalidInput for terms
    that this engine does not have, naming them, and whatever the strategy raises.
    """
    return Replay(strategy, params, BarMarket(bars), instruments=instruments, terms=terms).run(told)


def run_quotes(
    strategy: Strategy,
    params: Params,
    quotes: Mapping[str, Quotes],
    *,
    instruments: Mapping[str, Instrument],
    terms: Terms,
) -> Outcome:
    """Runs a strategy's `on_quote` over quotes, by instrument id; a market order meets the next quote."""
    return Replay(strategy, params, QuoteMarket(quotes), instruments=instruments, terms=terms).run()


class Replay:
    """One backtest under way."""

    def __init__(
        self,
        strategy: AnyStrategy,
        params: Params,
        market: BarMarket | QuoteMarket,
        *,
        instruments: Mapping[str, Instrument],
        terms: Terms,
    ) -> None:
        _refuse(terms, is_bars=isinstance(market, BarMarket), is_handlers=isinstance(strategy, Strategy))
        self.market, self.terms = market, terms
        self.instruments = [_listed(instruments, name) for name in market.ids]
        if isinstance(market, BarMarket):
            market.add_actions(terms.splits, terms.dividends, instruments)
        self._actions = sorted({*market.splits, *market.dividends})
        deployment = _deployment(strategy, params, market=market, terms=terms)
        self.why = Why.ORDER if isinstance(strategy, Strategy) else Why.SIGNAL
        self.desk = Desk(self.instruments, deployment, terms=terms, at=market.at[0] - 1, told=self._told)
        self.tally = Tally(self.desk.engine.state, self.desk.account)
        self.trader = self._trader(strategy, deployment, params)
        self.silenced = 0
        both = (self.tally.ears, self.trader.ears)
        self._ears = {kind: tuple(ears[kind] for ears in both if kind in ears) for kind in {*both[0], *both[1]}}

    def _trader(self, strategy: AnyStrategy, deployment: Deployment, params: Params) -> Trader:
        if isinstance(strategy, Strategy):
            state = self.desk.engine.state
            return HandlerTrader(strategy, deployment, params=params, market=self.market, state=state)
        if isinstance(self.market, BarMarket):
            return TargetTrader(strategy, deployment, params=params, market=self.market)
        raise InvalidInput(f"{strategy.name} makes signals from bars, and there are only quotes")

    def _told(self, records: tuple[AnyRecord, ...]) -> None:
        for record in records:
            for ear in self._ears.get(type(record), ()):
                ear(record)

    def run(self, told: Told | None = None) -> Outcome:
        """All moments, stretches of quiet ones at a time."""
        with _looking_for_garbage_rarely():
            return self._run(told)

    def _run(self, told: Told | None) -> Outcome:
        moment, end = self.begin(), len(self.market)
        shown = moment - 1
        while moment < end:
            if told is not None:
                told(moment, end)
            stop = self._quiet_until(moment) if self.desk.is_quiet else moment
            if stop == moment:
                self.step(moment)
                shown, moment = moment, moment + 1
                continue
            reached, commands = self.trader.skip(moment, stop)
            last = reached if commands else stop - 1
            self.tally.moment = last
            self.desk.show(self.trader.latest(last, shown))
            shown, moment = last, last + 1
            if commands:
                self._decide(commands, last)
        return self.outcome()

    def begin(self) -> int:
        """Shows the last prices of the warm-up; the first moment that is traded."""
        first = self.trader.first
        if first:
            self.desk.show(self.market.latest(first - 1, -1))
        return first

    def step(self, moment: int) -> None:
        """One moment through engine, venue and strategy, as live."""
        self.tally.moment = moment
        market = self.trader.slice(moment)
        self.desk.show(market)
        self._react(moment)
        self._decide(self.trader.on_slice(moment, market), moment)

    def _decide(self, commands: Commands, moment: int) -> None:
        """Takes what the strategy wants, and then its answers to what has become of that."""
        if commands:
            self.desk.take(commands, self.market.at[moment])
        self._react(moment)

    def _react(self, moment: int) -> None:
        """Takes the strategy's answers to what its orders have met, until it has no more."""
        at = self.market.at[moment]
        for _ in range(MAX_REACTIONS):
            commands = self.trader.react()
            if not commands:
                return
            self.desk.take(commands, at)
        self.silenced += 1

    def _quiet_until(self, moment: int) -> int:
        """The first moment from this one on at which a day or night has ended, or something is due or goes ex."""
        due = min(self.desk.account.due, self.desk.engine.state.timers.next)
        stop = bisect_left(self.market.at, due, moment)
        place = bisect_left(self._actions, moment)
        return min(self._actions[place], stop) if place < len(self._actions) else stop

    def outcome(self) -> Outcome:
        outcome = self.tally.outcome(self.market, self.instruments, cash=self.terms.cash, why=self.why)
        return replace(outcome, notes=tuple(self._notes()))

    def _notes(self) -> list[str]:
        notes = [f"risk refused {count} orders by {rule}" for rule, count in sorted(self.tally.refusals.items())]
        closings = sorted(self.tally.closings.items())
        notes += [f"mark-to-market control closed a level by its {rule}, {count} in all" for rule, count in closings]
        notes += borrowed(self.tally.lowest_cash, charged=bool(self.terms.financing))
        declined = self.desk.declined
        if declined:
            notes.append(f"{len(declined)} commands were not taken, the first because {declined[0]}")
        if self.silenced:
            notes.append(f"the strategy kept answering its own orders at {self.silenced} moments")
        return notes


@contextmanager
def _looking_for_garbage_rarely() -> Iterator[None]:
    """Orders, fills and records stay to the end of a run: looking through them again and again finds nothing."""
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, _YOUNG) if young else 0, *older)
    try:
        yield
    finally:
        gc.set_threshold(young, *older)


def _refuse(terms: Terms, *, is_bars: bool, is_handlers: bool) -> None:
    """Raises InvalidInput naming what no engine does, and the way round it."""
    lacking = {}
    if terms.fill is FillAt.LIMIT and is_handlers:
        lacking["fill"] = "fill=limit is for targets: a strategy that places orders gives them limits of its own"
    if terms.fill is FillAt.CLOSE and not is_bars:
        lacking["fill"] = "fill=close needs bars: a market order meets the next quote"
    if (terms.splits or terms.dividends) and not is_bars:
        lacking["splits"] = (
            "splits and dividends need bars: make bars of the quotes, or end the test before the ex-date"
        )
    if lacking:
        faults = tuple(FieldError(name, said) for name, said in lacking.items())
        raise InvalidInput("; ".join(lacking.values()), errors=faults)


def _listed(instruments: Mapping[str, Instrument], name: str) -> Instrument:
    if name not in instruments or instruments[name].id != name:
        raise InvalidInput(f"there are bars of {name!r}, and no instrument with that id is given")
    return instruments[name]


def _deployment(strategy: AnyStrategy, params: Params, *, market: BarMarket | QuoteMarket, terms: Terms) -> Deployment:
    protection = Protection(terms.stop_loss, terms.take_profit, terms.trailing_stop)
    return Deployment(
        id=ACCOUNT,
        name=strategy.name or type(strategy).__name__,
        template=strategy.name or type(strategy).__name__,
        version=strategy.version,
        parameters=dict(params),
        instrument_ids=market.ids,
        accounts=(Allocation(ACCOUNT, Decimal(1)),),
        timeframe=market.bars[0].timeframe if isinstance(market, BarMarket) else "tick",
        sizing=terms.sizing,
        entry=Entry(terms.limit_offset) if terms.fill is FillAt.LIMIT else None,
        protection=protection if protection != Protection() else None,
    )
