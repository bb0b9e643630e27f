"""What a backtest has to be told with: all that makes its figures mean less than they seem to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from evenkeel.domain.clock import from_ns
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.sizing import Cash, PercentOfEquity, Units
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import Ints
from evenkeel.research.backtest.outcome import Floats, Outcome, Why
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.evaluate import evaluate, fold, lookback_of, read_only
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import AnyStrategy
from evenkeel.trading.strategies.sizes import window_of

_FAR, _RARE, _FEW = 0.85, 250, 3  # of a price; bars to a jump, and how many are few anyway: what may be a split
_NEARLY, _VERY_NEARLY = 0.06, 0.02  # of a whole ratio; of a ratio of small moves, which prices also make by themselves
_PARTS = np.array([3 / 2, 4 / 3, 5 / 4])


def noted(
    outcome: Outcome,
    strategy: AnyStrategy,
    params: Params,
    *,
    series: Sequence[Bars],
    instruments: Sequence[Instrument],
    terms: Terms,
) -> Outcome:
    """The outcome with all notes, the engine's own among them."""
    unready, rule = (*_undecided(strategy, params, series),), _Rule(strategy, params, series, instruments, terms)
    silent = () if unready else _silence(outcome, rule, terms)
    missed = _unfilled(outcome, rule, terms)
    notes = (*unready, *_like_splits(series, instruments, terms), *outcome.notes, *missed, *silent, *_ruin(outcome))
    return replace(outcome, notes=notes)


def _undecided(strategy: AnyStrategy, params: Params, series: Sequence[Bars]) -> Iterator[str]:
    """What to say where no bar is decided on, as all of them are the strategy's warm-up."""
    needed, longest = lookback_of(strategy, params, series[0].timeframe), max(map(len, series))
    if needed >= longest:
        yield (
            f"nothing was decided: {strategy.name} looks at {needed:,} bars before its first, and there are {longest:,}"
        )


def _like_splits(series: Sequence[Bars], instruments: Sequence[Instrument], terms: Terms) -> Iterator[str]:
    """What to say where shares open at a simple part or multiple of the close before, and no split is known of it."""
    for bars, one in zip(series, instruments, strict=True):
        if one.asset_class not in (AssetClass.EQUITY, AssetClass.ETF):
            continue
        start_of = calendar(one.calendar).day_start
        known = [start_of(split.ex_date) for split in terms.splits if split.instrument_id == bars.instrument_id]
        found = [bar for bar in _jumps(bars) if not any(bars.ts[bar - 1] < at <= bars.ts[bar] for at in known)]
        if found:
            jumps = ", ".join(
                f"at {bars.open[bar]:g} after {bars.close[bar - 1]:g} on {from_ns(int(bars.ts[bar])):%Y-%m-%d}"
                for bar in found
            )
            many = "this is a split, it was" if len(found) == 1 else f"these {len(found)} are splits, they were"
            yield f"{one.symbol} opens {jumps}: if {many} not given"


def _jumps(bars: Bars) -> list[int]:
    """The bars that may open after a split. Where a kind of jump is too common to be one, none of it is meant."""
    opens, before = bars.open[1:], bars.close[:-1]
    far = np.flatnonzero((opens < _FAR * before) | (before < _FAR * opens))
    times = np.maximum(before[far] / opens[far], opens[far] / before[far])
    whole = np.abs(times / np.maximum(np.rint(times), 2.0) - 1.0) < _NEARLY
    parts = np.any(np.abs(times[:, None] / _PARTS - 1.0) < _VERY_NEARLY, axis=1) & ~whole
    most = max(_FEW, len(bars) // _RARE)
    kinds: list[Ints] = [far[kind] + 1 for kind in (whole, parts) if np.count_nonzero(kind) <= most]
    return sorted(bar for kind in kinds for bar in kind.tolist())


def _unfilled(outcome: Outcome, rule: _Rule, terms: Terms) -> Iterator[str]:
    """What to say where limits were not met: what is held is then not what the rule asks for.

    Where orders fill in parts, fills do not tell how many orders did.
    """
    missed = outcome.orders - outcome.refused - int(np.count_nonzero(outcome.fills.why == Why.SIGNAL))
    if terms.fill is not FillAt.LIMIT or terms.participation is not None or missed <= 0:
        return
    against = rule.against(outcome)
    said = "" if against is None else f"; on {against:,} bars the position was not on the side of its target"
    yield (
        f"{missed:,} of {outcome.orders:,} orders were not filled, as their limit was not met{said}: "
        "lower limit_offset, or fill at the next open"
    )


def _silence(outcome: Outcome, rule: _Rule, terms: Terms) -> Iterator[str]:
    """Why nothing was traded, as far as the data tell."""
    if len(outcome.fills):
        return
    if outcome.orders:
        if outcome.refused < outcome.orders and terms.fill is not FillAt.LIMIT:
            yield "no order filled: the only ones came at the last bar, or no bar had volume to fill them"
        return
    asked, count = rule.asked(), len(outcome.at)
    if asked == 0:
        yield (
            f"nothing was traded: no target asked for a position on {count:,} bars, the rule was never met; "
            f"its signals: evenkeel strategy check {rule.strategy.name}"
        )
        return
    had = "no order was decided" if asked is None else f"{asked:,} bars had a target, and no order was decided"
    small = [said for place in range(len(rule.series)) if (said := _too_small(rule, place, terms))]
    if small:
        yield f"nothing was traded: {had}; {'; '.join(small)}: give more cash or a larger size"
    elif window_of(terms.sizing):
        yield (
            f"nothing was traded: {had}; the size is read where a target changes, and is not known on the first "
            f"{window_of(terms.sizing) - 1:,} bars: give a fixed size, or targets that change later"
        )
    else:
        yield f"nothing was traded on {count:,} bars: {had}"


def _too_small(rule: _Rule, place: int, terms: Terms) -> str:
    """That a full target is less than a lot even at the lowest price; empty where it is not."""
    instrument, close = rule.instruments[place], rule.series[place].close
    lowest = float(close[close > 0].min(initial=float("inf")))
    most = _most_units(terms, lowest * float(instrument.multiplier), shared_by=len(rule.series))
    if most is None or most >= float(instrument.lot_size):
        return ""
    return (
        f"a target of 1 is {most:.4g} units of {instrument.symbol} at the lowest close ({lowest:,.8g}), less than one "
        f"lot of {float(instrument.lot_size):g}"
    )


def _most_units(terms: Terms, value: float, *, shared_by: int) -> float | None:
    """Units that a target of 1 stands for, with the initial cash, at the value of one; None where that varies."""
    match terms.sizing:
        case Units(quantity):
            return float(quantity)
        case Cash(amount):
            return float(amount) / value
        case PercentOfEquity(share):
            return float(share) / shared_by * float(terms.cash) / value
        case _:
            return None


class _Rule(NamedTuple):
    """What was run. Its targets are worked out where something has to be explained, and not before."""

    strategy: AnyStrategy
    params: Params
    series: Sequence[Bars]
    instruments: Sequence[Instrument]
    terms: Terms

    def asked(self) -> int | None:
        """At how many bars a target asks for a position; None where that is not known without running it."""
        every = self._folded()
        return None if every is None else sum(int(np.count_nonzero(line)) for line in every)

    def against(self, outcome: Outcome) -> int | None:
        """At how many bars the position is not on the side of the target that was known when the bar began."""
        every = self._folded()
        if every is None:
            return None
        count = 0
        for line, (bars, target) in enumerate(zip(self.series, every, strict=True)):
            held = outcome.positions[line][np.searchsorted(outcome.at, bars.close_ts)]
            count += int(np.count_nonzero(np.sign(held[1:]) != np.sign(target[:-1])))
        return count

    def _folded(self) -> list[Floats] | None:
        if not isinstance(self.strategy, SignalStrategy):
            return None
        return [fold(evaluate(self.strategy, self._adjusted(place), self.params)) for place in range(len(self.series))]

    def _adjusted(self, place: int) -> Bars:
        bars = self.series[place]
        start_of = calendar(self.instruments[place].calendar).day_start
        splits = [one for one in self.terms.splits if one.instrument_id == bars.instrument_id]
        return read_only(bars.adjusted(splits, as_of=int(bars.close_ts[-1]), day_start=start_of) if splits else bars)


def _ruin(outcome: Outcome) -> Iterator[str]:
    ruined = np.flatnonzero(outcome.equity <= 0.0)
    if len(ruined):
        day = f"{from_ns(int(outcome.at[ruined[0]]) - 1):%Y-%m-%d}"
        lowest = float(outcome.equity.min())
        said = f"−{-lowest:,.2f}" if lowest < 0.0 else "0.00"
        yield (
            f"the account was ruined on {day}, its equity {said} at the lowest: what follows could not have been traded"
        )


def is_ruin(equity: Floats) -> bool:
    """Whether equity was ever at zero or below."""
    return not bool(np.all(equity > 0.0))
