"""One instrument's history made ready for the compiled engine: what values it, what its size follows, what goes ex."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.sizing import Cash, Kelly, PercentOfEquity, Sizing, Units, VolatilityTarget
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.days import Days, days_of
from evenkeel.research.backtest import kernel as k
from evenkeel.research.backtest.marks import marks_of
from evenkeel.research.backtest.outcome import Floats, Ints
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.strategies.evaluate import read_only
from evenkeel.trading.strategies.sizes import a_year_of, scale_of

_FILL_AT = {FillAt.NEXT_OPEN: k.AT_OPEN, FillAt.CLOSE: k.AT_CLOSE, FillAt.LIMIT: k.AT_LIMIT}


@dataclass(frozen=True, eq=False)
class Prepared:
    """Raw bars of an instrument under the terms of a backtest. Raises InvalidInput where there are none."""

    raw: Bars
    instrument: Instrument
    terms: Terms

    def __post_init__(self) -> None:
        if not len(self.raw):
            raise InvalidInput("there are no bars to test on")

    @cached_property
    def bars(self) -> Bars:
        """What a strategy sees: prices adjusted by every split of the run, as they are in the end."""
        if not self.terms.splits:
            return read_only(self.raw)
        starts = calendar(self.instrument.calendar).day_start
        return read_only(self.raw.adjusted(self.terms.splits, as_of=int(self.raw.close_ts[-1]), day_start=starts))

    @cached_property
    def days(self) -> Days:
        return days_of(self.raw)

    @cached_property
    def marks(self) -> Floats:
        """The closes as the account is valued by them."""
        return marks_of(self.raw.close, self.instrument.tick_size)

    @cached_property
    def scale(self) -> Floats:
        """What a size that follows the market finds at each bar; empty for other sizes."""
        return scale_of(self.terms.sizing, self.bars, a_year_of(self.bars, self.days))

    @cached_property
    def settings(self) -> Floats:
        """What the kernel is told of terms and instrument, in its places."""
        return _settings(self.terms, self.instrument)

    @cached_property
    def going_ex(self) -> tuple[Ints, Floats]:
        """(bar, (new shares for an old one, dividend a share)) of what goes ex within the series."""
        found: dict[int, list[float]] = {}
        actions: list[Split | Dividend] = [*self.terms.splits, *self.terms.dividends]
        for action in actions:
            if action.instrument_id != self.raw.instrument_id:
                continue
            start = calendar(self.instrument.calendar).day_start(action.ex_date)
            bar = int(np.searchsorted(self.raw.ts, start, side="left"))
            if 0 < bar < len(self.raw):
                held = found.setdefault(bar, [1.0, 0.0])
                if isinstance(action, Split):
                    held[0] *= float(action.numerator) / float(action.denominator)
                else:
                    held[1] += float(action.amount)
        bars = np.array(sorted(found), dtype=np.int64)
        return bars, np.array([found[bar] for bar in sorted(found)]).reshape(-1, 2)


def _settings(terms: Terms, instrument: Instrument) -> Floats:
    settings = np.zeros(k.PLACES)
    settings[k.CASH] = float(terms.cash)
    settings[k.LOT], settings[k.MULTIPLIER] = float(instrument.lot_size), float(instrument.multiplier)
    settings[k.TICK] = float(instrument.tick_size)
    settings[k.SIZE_BY], (steps, parts), settings[k.MOST] = _size(terms.sizing)
    settings[k.SIZE], settings[k.SIZE_STEPS], settings[k.SIZE_PARTS] = steps / parts, steps, parts
    settings[k.SHARED_BY] = 1.0
    settings[k.FILL_AT], settings[k.LIMIT_OFFSET] = _FILL_AT[terms.fill], terms.limit_offset
    slip = terms.slippage
    settings[k.BPS], settings[k.SPREAD_SHARE], settings[k.IMPACT] = slip.bps, slip.spread_share, slip.impact
    settings[k.STOP_LOSS], settings[k.TAKE_PROFIT] = terms.stop_loss or 0.0, terms.take_profit or 0.0
    settings[k.TRAILING], settings[k.MAINTENANCE] = terms.trailing_stop or 0.0, terms.maintenance or 0.0
    settings[k.PARTICIPATION] = np.inf if terms.participation is None else terms.participation
    settings[k.FINANCING], settings[k.CREDIT], settings[k.BORROW] = terms.financing, terms.credit, terms.borrow
    return settings


def _size(sizing: Sizing) -> tuple[int, tuple[int, int], float]:
    """(rule, amount as a fraction of whole numbers, most)."""
    match sizing:
        case Units(quantity):
            return k.BY_UNITS, quantity.as_integer_ratio(), 0.0
        case Cash(amount):
            return k.BY_CASH, amount.as_integer_ratio(), 0.0
        case PercentOfEquity(share):
            return k.BY_EQUITY, share.as_integer_ratio(), 0.0
        case VolatilityTarget(most=most):
            return k.BY_SCALE, (1, 1), most
        case Kelly(most=most):
            return k.BY_KELLY, (1, 1), most
