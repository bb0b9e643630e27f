"""A backtest on the live engine: the same engine, order states, risk checks, costs and venue as paper and live.

Moments at which no order works, no day ends and no split is due reach only the strategy: engine and venue would make
nothing of them. When the strategy wants something, both are first shown the last prices. What has happened is the
same as if every moment had been stepped; `Replay.step` is that slower way, one moment at a time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.records import AnyRecord
from evenkeel.domain.sizing import Kelly, VolatilityTarget
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.market.bars import Bars
from evenkeel.research.backtest.event_desk import ACCOUNT, Desk
from evenkeel.research.backtest.event_market import BarMarket, QuoteMarket, Quotes
from evenkeel.research.backtest.event_tally import Tally
from evenkeel.research.backtest.event_traders import Commands, HandlerTrader, TargetTrader, Trader
from evenkeel.research.backtest.outcome import Outcome, Why
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.strategies.base import SignalStrategy, Strategy
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import AnyStrategy

MAX_REACTIONS = 20
_STOPS = ("stop_loss", "take_profit", "trailing_stop", "maintenance")


def run_event(
    strategy: AnyStrategy,
    params: Params,
    bars: Mapping[str, Bars],
    *,
    instruments: Mapping[str, Instrument],
    terms: Terms,
) -> Outcome:
    """Runs a strategy over raw bars by instrument id, all of one timeframe.

    One account of margin type trades by itself; its orders are good for the day and what is left at the end stays
    open. Raises InvalidInput for terms that this engine does not have, naming them, and whatever the strategy raises.
    """
    return Replay(strategy, params, BarMarket(bars), instruments=instruments, terms=terms).run()


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
        _refuse(terms, isinstance(market, BarMarket))
        self.market, self.terms = market, terms
        self.instruments = [_listed(instruments, name) for name in market.ids]
        if isinstance(market, BarMarket):
            market.add_splits(terms.splits, instruments)
        deployment = _deployment(strategy, params, market=market, terms=terms)
        self.why = Why.SIGNAL if isinstance(strategy, SignalStrategy) else Why.ORDER
        self.desk = Desk(self.instruments, deployment, terms=terms, at=market.at[0] - 1, told=self._told)
        self.tally = Tally(self.desk.account)
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

    def run(self) -> Outcome:
        """All moments, stretches of quiet ones at a time."""
        moment, end = self.begin(), len(self.market)
        shown = moment - 1
        while moment < end:
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
        self._decide(self.trader.on_slice(moment, market), moment)

    def _decide(self, commands: Commands, moment: int) -> None:
        """Takes what the strategy wants, and its answers to what its orders have met, until it has no more."""
        at = self.market.at[moment]
        if commands:
            self.desk.take(commands, at)
        for _ in range(MAX_REACTIONS):
            commands = self.trader.react()
            if not commands:
                return
            self.desk.take(commands, at)
        self.silenced += 1

    def _quiet_until(self, moment: int) -> int:
        """The first moment from this one on at which the account's day has ended or a split is due."""
        at = self.market.at
        stop = bisect_left(at, self.desk.account.day_end, moment)
        return min((due for due in self.market.splits if moment <= due < stop), default=stop)

    def outcome(self) -> Outcome:
        outcome = self.tally.outcome(self.market, self.instruments, cash=self.terms.cash, why=self.why)
        return replace(outcome, notes=tuple(self._notes()))

    def _notes(self) -> list[str]:
        notes = [f"risk refused {count} orders by {rule}" for rule, count in sorted(self.tally.refusals.items())]
        declined = self.desk.declined
        if declined:
            notes.append(f"{len(declined)} commands were not taken, the first because {declined[0]}")
        if self.silenced:
            notes.append(f"the strategy kept answering its own orders at {self.silenced} moments")
        return notes


def _refuse(terms: Terms, is_bars: bool) -> None:
    """Raises InvalidInput naming what this engine does not have."""
    lacking = [name for name in _STOPS if getattr(terms, name) is not None]
    if terms.fill is not FillAt.NEXT_OPEN:
        lacking.append(f"fill={terms.fill}")
    if terms.limit_offset:
        lacking.append("limit_offset")
    if terms.dividends:
        lacking.append("dividends")
    if terms.splits and not is_bars:
        lacking.append("splits of quotes")
    if isinstance(terms.sizing, VolatilityTarget | Kelly):
        lacking.append(f"size={terms.sizing.__struct_config__.tag}")
    if lacking:
        faults = tuple(FieldError(name, "the event engine does not have it") for name in lacking)
        raise InvalidInput(f"the event engine does not have {', '.join(lacking)}", errors=faults)


def _listed(instruments: Mapping[str, Instrument], name: str) -> Instrument:
    if name not in instruments or instruments[name].id != name:
        raise InvalidInput(f"there are bars of {name!r}, and no instrument with that id is given")
    return instruments[name]


def _deployment(strategy: AnyStrategy, params: Params, *, market: BarMarket | QuoteMarket, terms: Terms) -> Deployment:
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
    )
