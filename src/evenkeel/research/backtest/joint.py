"""The histories of instruments that share an account, laid side by side for the compiled engine.

A row for each instrument, a place for each moment at which any of them closes; a bar that is missing is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.columns import PRICES
from evenkeel.market.days import days_together
from evenkeel.quant.costs.carrying import day_roll, days_at, nights
from evenkeel.research.backtest import joint_kernel as j
from evenkeel.research.backtest import kernel as k
from evenkeel.research.backtest.joint_orders import ORDER_COLUMNS
from evenkeel.research.backtest.outcome import Floats, Ints
from evenkeel.research.backtest.prepared import Prepared
from evenkeel.trading.strategies.evaluate import Told

ROOM = 8  # orders of an instrument to make room for, its two exits among them


class Together(NamedTuple):
    """What each instrument is told, at its own bars: targets, and where it is brought back to them though unchanged.

    `whole`: a target is a share of the whole allocation; otherwise of allocation ÷ number of instruments.
    """

    told: Sequence[Told]
    whole: bool = False


class Joint:
    """Instruments side by side. `moments` are their closes (ns), `rows` the moment of every bar of each,
    `days` the trading days by their last moments.
    """

    def __init__(self, lines: Sequence[Prepared], charges: Floats) -> None:
        """`charges`: the `charge_table` of their terms. Raises InvalidInput for bars that value no account."""
        self.lines, self.charges = tuple(lines), charges
        for line in self.lines:
            _check(line)
        closes = [line.raw.close_ts for line in self.lines]
        self.is_aligned = all(np.array_equal(ts, closes[0]) for ts in closes[1:])
        self.moments = closes[0] if self.is_aligned else _merged(closes)
        every = np.arange(len(self.moments))
        self.rows = [every if self.is_aligned else np.searchsorted(self.moments, ts) for ts in closes]
        known = {id(line.raw): line for line in self.lines}
        series = [line.raw for line in self.lines]
        self.days = days_together(series, self.moments, of=lambda bars: known[id(bars)].days)
        self._settings = np.stack([line.settings for line in self.lines])
        self._settings[:, k.LINE] = np.arange(len(self.lines))

    def run(self, together: Together, *, path: Floats, day_equity: Floats, fills: Floats) -> tuple[Floats, Floats]:
        """Simulates the targets into `path`, `day_equity` and `fills`: the reports of the account and of each line."""
        at, events = self._events(together)
        targets, room = self._placed([told.targets for told in together.told]), ROOM
        while True:
            account, lines = self._settings[0].copy(), self._settings.copy()
            lines[:, k.SHARED_BY] = 1.0 if together.whole else float(len(self.lines))
            orders = np.zeros((room * len(self.lines), ORDER_COLUMNS))
            j.simulate_joint(
                *self._columns, targets, self._scale, self._days, self.days.last, at, events, self.charges,
                account, lines, orders, path, day_equity, fills,
            )  # fmt: skip
            if not account[k.CROWDED]:
                return account, lines
            room *= 8

    @cached_property
    def _columns(self) -> tuple[Floats, ...]:
        """Open, high and low, the closes that value, volume and spread."""
        open_, high, low, volume, spread = (
            self._placed([getattr(line.raw, name) for line in self.lines])
            for name in ("open", "high", "low", "volume", "spread")
        )
        return open_, high, low, self._known([line.marks for line in self.lines]), volume, spread

    @cached_property
    def _days(self) -> Floats:
        """The account's day of each bar, as the kernel has it; empty where no order may wait for a second bar."""
        if self.lines[0].terms.participation is None:
            return np.empty((len(self.lines), 0))
        zone, roll = day_roll(line.instrument.calendar for line in self.lines)
        days = []
        for raw in [line.raw for line in self.lines]:
            number, ends = days_at(raw.ts, zone, roll)
            days.append(np.where(2 * raw.close_ts - raw.ts > ends, -number, number).astype(np.float64))
        return self._placed(days)

    @cached_property
    def _scale(self) -> Floats:
        scales = [line.scale for line in self.lines]
        return self._placed(scales) if len(scales[0]) else np.empty((len(scales), 0))

    def _placed(self, columns: Sequence[Floats]) -> Floats:
        """(k, moments): each value at the moment of its bar."""
        if self.is_aligned:
            return _stacked(columns)
        placed = np.full((len(columns), len(self.moments)), np.nan)
        for row, column, at in zip(placed, columns, self.rows, strict=True):
            row[at] = column
        return placed

    def _known(self, columns: Sequence[Floats]) -> Floats:
        """(k, moments): the last value by each moment, 0 before the first."""
        if self.is_aligned:
            return _stacked(columns)
        known = np.zeros((len(columns), len(self.moments)))
        for row, column, at in zip(known, columns, self.rows, strict=True):
            row[at[0] :] = np.repeat(column, np.diff(at, append=len(self.moments)))
        return known

    @cached_property
    def _lasting(self) -> list[tuple[Ints, Floats]]:
        """What happens whatever is traded: nights, and what goes ex."""
        found = []
        if self.lines[0].terms.carries:
            passed = nights(self.moments, *day_roll(line.instrument.calendar for line in self.lines))
            at = np.flatnonzero(passed)
            found.append((at, _rows(j.A_NIGHT, 0, passed[at].astype(np.float64), np.zeros(len(at)))))
        for n, line in enumerate(self.lines):
            bars, actions = line.going_ex
            found.append((self.rows[n][bars], _rows(j.GOES_EX, n, actions[:, 0], actions[:, 1])))
        return found

    def _events(self, together: Together) -> tuple[Ints, Floats]:
        """All that happens by itself, in order; the kinds are numbered as they come within a moment."""
        found = list(self._lasting)
        for n, told in enumerate(together.told):
            if told.rebalances is not None:
                at = self.rows[n][np.flatnonzero(told.rebalances)]
                found.append((at, _rows(j.RESTORES, n, np.ones(len(at)), np.zeros(len(at)))))
        at, events = np.concatenate([at for at, _ in found]), np.concatenate([rows for _, rows in found])
        order = np.lexsort((events[:, j.OF_LINE], events[:, j.KIND], at))
        return at[order].astype(np.int64), events[order]


def _merged(closes: Sequence[Ints]) -> Ints:
    """Every time that any of the rising series has, once: sorted as the runs that they are."""
    every = np.sort(np.concatenate(closes), kind="stable")
    rises: Ints = every[np.append(True, every[1:] != every[:-1])]
    return rises


def _stacked(columns: Sequence[Floats]) -> Floats:
    """One row a column; of a single one no copy is made."""
    first = np.ascontiguousarray(columns[0], dtype=np.float64)
    return first.reshape(1, -1) if len(columns) == 1 else np.stack(columns)


def _rows(kind: int, line: int, factors: Floats, dividends: Floats) -> Floats:
    rows = np.empty((len(factors), j.EVENT_COLUMNS))
    rows[:, j.KIND], rows[:, j.OF_LINE], rows[:, j.FACTOR], rows[:, j.DIVIDEND] = kind, line, factors, dividends
    return rows


def _check(line: Prepared) -> None:
    raw, name = line.raw, line.instrument.symbol
    if np.any(np.diff(raw.close_ts) <= 0):
        raise InvalidInput(f"the bars of {name} must close one after the other")
    for column in PRICES:
        bad = np.flatnonzero(~np.isfinite(getattr(raw, column)))
        if len(bad):
            raise InvalidInput(f"bar {bad[0]} of {name} has no {column}", hint="Leave such bars out.")
