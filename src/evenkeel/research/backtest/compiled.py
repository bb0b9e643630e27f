"""The compiled engine: targets evaluated once and simulated in one pass, for one instrument or several of one account.

It knows a stated part of what the live engine can do; asked for anything else, it refuses and names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.days import Days
from evenkeel.market.panel import Panel
from evenkeel.quant.costs.fills import COUNTED
from evenkeel.quant.costs.tables import charge_table
from evenkeel.research.backtest import kernel as k
from evenkeel.research.backtest.joint import Joint, Together
from evenkeel.research.backtest.outcome import Carried, Fills, Floats, Ints, Outcome, Why, borrowed
from evenkeel.research.backtest.prepared import Prepared
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy
from evenkeel.trading.strategies.evaluate import Told, evaluate, read_only, rebalances_of, told_each, undecided
from evenkeel.trading.strategies.parameters import Params

_NO_PATH = np.empty((3, 0))
_NO_FILLS = np.empty((0, k.FILL_COLUMNS))
ROOM = 1024  # fills to make room for, besides one for four bars; memory that no fill reaches is never touched


def lacks(terms: Terms, instruments: int) -> tuple[str, ...]:
    """What these terms ask for, on so many instruments, that the compiled engine does not have, in words."""
    shared = instruments > 1 and terms.maintenance is not None and terms.participation is not None
    said = (
        (terms.limits is not None, "limits"),
        (bool(terms.mtm), "mark-to-market rules (mtm)"),
        (shared, "participation together with the maintenance of several instruments"),
    )
    return tuple(words for asked, words in said if asked)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one pass reports, in the kernel's places: `report` of the account, `lines` of each instrument; the rest is
    empty where it was not asked for.
    """

    report: Floats
    lines: Floats
    path: Floats
    day_equity: Floats
    fills: Floats


class CompiledRun:
    """Series and terms made ready once; `run` then takes any targets. Raises InvalidInput."""

    def __init__(
        self, bars: Bars | Sequence[Bars], instruments: Instrument | Sequence[Instrument], terms: Terms
    ) -> None:
        """`bars` and `instruments` are one of each, or as many, in one order and of one currency."""
        missing = lacks(terms, 1 if isinstance(bars, Bars) else len(bars))
        if missing:
            raise InvalidInput(
                f"the compiled engine does not have {', '.join(missing)}", hint='Use engine="event", which has it.'
            )
        listed = [bars] if isinstance(bars, Bars) else bars
        named = [instruments] if isinstance(instruments, Instrument) else instruments
        currencies = sorted({one.currency for one in named})
        if len(currencies) > 1:
            raise InvalidInput(f"one account holds one currency, and the instruments are in {', '.join(currencies)}")
        self.terms = terms
        self.lines = tuple(Prepared(raw, one, terms) for raw, one in zip(listed, named, strict=True))
        self.charges = charge_table(terms.costs, currencies[0])

    @cached_property
    def joint(self) -> Joint:
        return Joint(self.lines, self.charges)

    @cached_property
    def _panel(self) -> Panel:
        return read_only(Panel.of({line.raw.instrument_id: line.bars for line in self.lines}))

    @property
    def days(self) -> Days:
        """The trading days of the account, by their last moments."""
        return self.lines[0].days if len(self.lines) == 1 else self.joint.days

    @property
    def moments(self) -> Ints:
        """The close of every bar, of those that close together once (ns)."""
        return self.lines[0].raw.close_ts if len(self.lines) == 1 else self.joint.moments

    def signals(self, strategy: SignalStrategy | PanelStrategy, params: Params) -> tuple[Floats | Together, int]:
        """(targets, warm-up) as the strategy answers, for `run`. Raises InvalidInput."""
        if isinstance(strategy, PanelStrategy):
            return Together(told_each(strategy, self._panel, params), whole=True), 0
        if len(self.lines) > 1 or strategy.is_rebalancing():
            seen = [line.bars for line in self.lines]
            each = [Told(evaluate(strategy, one, params), rebalances_of(strategy, one, params)) for one in seen]
            return Together(each), 0
        bars = self.lines[0].bars
        answer = np.asarray(strategy.signals(bars, params))
        if answer.shape != (len(bars),) or answer.dtype.kind not in "fiub":
            raise InvalidInput(
                f"{strategy.name}.signals answered {answer.dtype} of shape {answer.shape} for {len(bars)} bars; "
                "expected one number or NaN a bar"
            )
        return np.ascontiguousarray(answer, dtype=np.float64), undecided(strategy, bars, params)

    def run(self, targets: Floats | Together, warmup: int = 0, *, path: bool = True, fills: bool = True) -> Numbers:
        """Simulates targets: of several instruments as `Together`, of one also its array, whose first `warmup` do not
        count. Raises InvalidInput for one outside −1 to 1.
        """
        alone = len(self.lines) == 1 and not self.terms.carries and self.terms.participation is None
        if isinstance(targets, np.ndarray) and not alone:
            known = np.where(np.arange(len(targets)) < warmup, np.nan, targets)
            targets = Together([Told(known, None)])
        count = ROOM + sum(len(line.raw) for line in self.lines) // 4 if fills else 0
        while True:
            numbers = self._pass(targets, warmup, path=path, room=count)
            needed = int(numbers.report[k.FILLS])
            if not fills or needed <= count:
                return numbers
            count = needed

    def _pass(self, targets: Floats | Together, warmup: int, *, path: bool, room: int) -> Numbers:
        fills = np.empty((room, k.FILL_COLUMNS)) if room else _NO_FILLS
        way = np.empty((2 + len(self.lines), len(self.moments))) if path else _NO_PATH
        days = np.empty(len(self.days.last))
        if isinstance(targets, Together):
            report, lines = self.joint.run(targets, path=way, day_equity=days, fills=fills)
        else:
            (line,) = self.lines
            report, raw = line.settings.copy(), line.raw
            report[k.WARMUP] = warmup
            lines = report.reshape(1, -1)
            k.simulate(
                raw.open, raw.high, raw.low, line.marks, raw.volume, raw.spread, targets, line.scale, line.days.last,
                *line.going_ex, self.charges, report, way, days, fills,
            )  # fmt: skip
        if report[k.BAD_TARGET]:
            self._refuse(targets, int(report[k.BAD_TARGET]) - 1, line=int(report[k.LINE]))
        return Numbers(report, lines, way, days, fills)

    def _refuse(self, targets: Floats | Together, moment: int, *, line: int) -> None:
        bar, values = self._bar(line, moment), targets
        if isinstance(targets, Together):
            values = targets.told[line].targets
        of = f" of {self.lines[line].instrument.symbol}" if len(self.lines) > 1 else ""
        raise InvalidInput(f"the target of bar {bar}{of} is {values[bar]}; targets lie in −1 to 1, or are NaN")

    def _bar(self, line: int, moment: Any) -> Any:
        """The bar of an instrument that closes at a moment; also of many moments."""
        alike = len(self.lines) == 1 or self.joint.is_aligned
        return moment if alike else np.searchsorted(self.joint.rows[line], moment)

    def outcome(self, numbers: Numbers) -> Outcome:
        """The same in the form that both engines share."""
        report, lines = numbers.report, numbers.lines
        return Outcome(
            engine="compiled",
            at=self.moments,
            equity=numbers.path[0],
            cash=numbers.path[1],
            positions=self._positions(numbers.path[2:]),
            fills=self._fills(numbers),
            orders=int(report[k.ORDERS]),
            refused=0,
            notes=borrowed(float(report[k.LOWEST_CASH]), charged=bool(self.terms.financing)),
            carried=Carried(float(report[k.INTEREST]), _any(lines[:, k.BORROWED]), _any(lines[:, k.DIVIDENDS])),
        )

    def _positions(self, held: Floats) -> Floats:
        for row, line in zip(held, self.lines, strict=False):
            row[:] = _in_lots(row, line.instrument.lot_size)
        return held

    def _fills(self, numbers: Numbers) -> Fills:
        """Those of one moment by their time, and at one time in the sequence of their orders, as the live engine has
        them: exits after what was decided before, and before what is decided at the close.
        """
        rows = numbers.fills[: int(numbers.report[k.FILLS])]
        at = self._times(rows)
        if len(self.lines) > 1:
            is_exit = rows[:, k.WHY] != Why.SIGNAL
            phase = ~is_exit if self.terms.fill is FillAt.CLOSE else is_exit
            order = np.lexsort((np.where(is_exit, np.inf, rows[:, k.OF_ORDER]), at, phase, rows[:, k.BAR]))
            rows, at = rows[order], at[order]
        quantity, instrument = rows[:, k.QUANTITY].copy(), rows[:, k.OF_LINE].astype(np.int64)
        for n, line in enumerate(self.lines):
            mine = instrument == n
            quantity[mine] = _in_lots(quantity[mine], line.instrument.lot_size)
        return Fills(
            symbols=tuple(line.instrument.symbol for line in self.lines),
            bar=rows[:, k.BAR].astype(np.int64),
            at=at,
            instrument=instrument,
            side=rows[:, k.SIDE].astype(np.int64),
            quantity=quantity,
            price=rows[:, k.PRICE].copy(),
            fee=rows[:, k.FEE].copy(),
            why=rows[:, k.WHY].astype(np.int64),
        )

    def _times(self, rows: Floats) -> Ints:
        """When each fill happened (ns): at its bar's open, or as far as is known at its close."""
        moment = rows[:, k.BAR].astype(np.int64)
        at = self.moments[moment]
        opened = rows[:, k.OPENED] > 0
        for n, line in enumerate(self.lines):
            mine = opened & (rows[:, k.OF_LINE] == n)
            at[mine] = line.raw.ts[self._bar(n, moment[mine])]
        return at


def _in_lots(quantity: Floats, lot: Decimal) -> Floats:
    """Quantities as the decimals that they stand for: 0.06, not 0.060000000000000005."""
    places = -int(lot.normalize().as_tuple().exponent)
    if places <= 0:
        return quantity
    return np.where(np.abs(quantity) * 10.0**places < COUNTED, np.round(quantity, places), quantity)


def _any(amounts: Floats) -> tuple[float, ...]:
    return tuple(amounts.tolist()) if amounts.any() else ()
