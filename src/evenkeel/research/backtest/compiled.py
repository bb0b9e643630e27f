"""The compiled engine: a `SignalStrategy` on one instrument, evaluated once and simulated in one pass.

It knows a stated part of what the live engine can do; asked for anything else, it refuses and names it.
"""

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
from evenkeel.quant.costs.tables import charge_table
from evenkeel.research.backtest import kernel as k
from evenkeel.research.backtest.marks import marks_of
from evenkeel.research.backtest.outcome import Fills, Floats, Ints, Outcome
from evenkeel.research.backtest.sizes import scale_of
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.evaluate import read_only, warmup_of
from evenkeel.trading.strategies.parameters import Params

_FILL_AT = {FillAt.NEXT_OPEN: k.AT_OPEN, FillAt.CLOSE: k.AT_CLOSE, FillAt.LIMIT: k.AT_LIMIT}
_NO_PATH = np.empty((3, 0))
_NO_FILLS = np.empty((0, k.FILL_COLUMNS))
ROOM = 1024  # fills to make room for, besides one for four bars; memory that no fill reaches is never touched


def lacks(terms: Terms, *, instruments: int = 1) -> tuple[str, ...]:
    """What these terms ask for that the compiled engine does not have, in words."""
    said = (
        (instruments > 1, "several instruments"),
        (terms.participation is not None, "participation (orders capped by volume)"),
        (terms.limits is not None, "limits"),
    )
    return tuple(words for asked, words in said if asked)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one pass reports; `report` is the kernel's vector, the rest is empty where it was not asked for."""

    report: Floats
    path: Floats
    day_equity: Floats
    fills: Floats


class CompiledRun:
    """One series and one set of terms, made ready once; `run` then takes any targets. Raises InvalidInput."""

    def __init__(self, bars: Bars, instrument: Instrument, terms: Terms) -> None:
        missing = lacks(terms)
        if missing:
            raise InvalidInput(
                f"the compiled engine does not have {', '.join(missing)}", hint='Use engine="event", which has it.'
            )
        if not len(bars):
            raise InvalidInput("there are no bars to test on")
        self.raw, self.instrument, self.terms = bars, instrument, terms
        self.bars = read_only(self._adjusted())
        self.settings = _settings(terms, instrument)
        self.marks = marks_of(bars.close, instrument.tick_size)
        self.charges = charge_table(terms.costs, instrument.currency)
        self.event_bar, self.events = self._corporate_actions()
        self.scale = scale_of(terms.sizing, self.bars, self.days)

    @cached_property
    def days(self) -> Days:
        return days_of(self.raw)

    def signals(self, strategy: SignalStrategy, params: Params) -> tuple[Floats, int]:
        """(targets, warm-up) as the strategy answers; the kernel checks their range. Raises InvalidInput."""
        answer = np.asarray(strategy.signals(self.bars, params))
        if answer.shape != (len(self.bars),) or answer.dtype.kind not in "fiub":
            raise InvalidInput(
                f"{strategy.name}.signals answered {answer.dtype} of shape {answer.shape} for {len(self.bars)} bars; "
                "expected one number or NaN a bar"
            )
        return np.ascontiguousarray(answer, dtype=np.float64), warmup_of(strategy, params)

    def run(self, targets: Floats, warmup: int, *, path: bool = True, fills: bool = True) -> Numbers:
        """Simulates the targets. Raises InvalidInput for one outside −1 to 1."""
        count = ROOM + len(self.raw) // 4 if fills else 0
        while True:
            numbers = self._pass(targets, warmup, path=path, room=count)
            needed = int(numbers.report[k.FILLS])
            if not fills or needed <= count:
                return numbers
            count = needed

    def _pass(self, targets: Floats, warmup: int, *, path: bool, room: int) -> Numbers:
        raw, report = self.raw, self.settings.copy()
        report[k.WARMUP] = warmup
        numbers = Numbers(
            report,
            np.empty((3, len(raw))) if path else _NO_PATH,
            np.empty(len(self.days.last)),
            np.empty((room, k.FILL_COLUMNS)) if room else _NO_FILLS,
        )
        k.simulate(
            raw.open, raw.high, raw.low, self.marks, raw.volume, raw.spread, targets, self.scale, self.days.last,
            self.event_bar, self.events, self.charges, report, numbers.path, numbers.day_equity, numbers.fills,
        )  # fmt: skip
        if report[k.BAD_TARGET]:
            bar = int(report[k.BAD_TARGET]) - 1
            raise InvalidInput(f"the target of bar {bar} is {targets[bar]}; targets lie in −1 to 1, or are NaN")
        return numbers

    def outcome(self, numbers: Numbers) -> Outcome:
        """The same in the form that both engines share."""
        equity, cash, positions = numbers.path
        return Outcome(
            engine="compiled",
            at=self.raw.close_ts,
            equity=equity,
            cash=cash,
            positions=positions.reshape(1, -1),
            fills=self._fills(numbers),
            orders=int(numbers.report[k.ORDERS]),
            refused=0,
            notes=self._notes(numbers.report),
        )

    def _fills(self, numbers: Numbers) -> Fills:
        rows = numbers.fills[: int(numbers.report[k.FILLS])]
        bar, opened = rows[:, k.BAR].astype(np.int64), rows[:, k.OPENED] > 0
        return Fills(
            symbols=(self.instrument.symbol,),
            bar=bar,
            at=np.where(opened, self.raw.ts[bar], self.raw.close_ts[bar]),
            instrument=np.zeros(len(rows), dtype=np.int64),
            side=rows[:, k.SIDE].astype(np.int64),
            quantity=rows[:, k.QUANTITY].copy(),
            price=rows[:, k.PRICE].copy(),
            fee=rows[:, k.FEE].copy(),
            why=rows[:, k.WHY].astype(np.int64),
        )

    def _notes(self, report: Floats) -> tuple[str, ...]:
        lowest = report[k.LOWEST_CASH]
        if lowest >= 0:
            return ()
        return (f"cash fell to −{-lowest:,.2f}: nothing here forbids borrowing, and no interest was charged",)

    def _adjusted(self) -> Bars:
        """What the strategy sees: prices adjusted by every split of the run, as they are in the end."""
        if not self.terms.splits:
            return self.raw
        starts = calendar(self.instrument.calendar).day_start
        return self.raw.adjusted(self.terms.splits, as_of=int(self.raw.close_ts[-1]), day_start=starts)

    def _corporate_actions(self) -> tuple[Ints, Floats]:
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
    settings[k.SIZE_BY], settings[k.SIZE], settings[k.MOST] = _size(terms.sizing)
    settings[k.FILL_AT], settings[k.LIMIT_OFFSET] = _FILL_AT[terms.fill], terms.limit_offset
    slip = terms.slippage
    settings[k.BPS], settings[k.SPREAD_SHARE], settings[k.IMPACT] = slip.bps, slip.spread_share, slip.impact
    settings[k.STOP_LOSS], settings[k.TAKE_PROFIT] = terms.stop_loss or 0.0, terms.take_profit or 0.0
    settings[k.TRAILING], settings[k.MAINTENANCE] = terms.trailing_stop or 0.0, terms.maintenance or 0.0
    return settings


def _size(sizing: Sizing) -> tuple[int, float, float]:
    match sizing:
        case Units(quantity):
            return k.BY_UNITS, float(quantity), 0.0
        case Cash(amount):
            return k.BY_CASH, float(amount), 0.0
        case PercentOfEquity(share):
            return k.BY_EQUITY, float(share), 0.0
        case VolatilityTarget(most=most):
            return k.BY_SCALE, 1.0, most
        case Kelly(most=most):
            return k.BY_KELLY, 1.0, most
