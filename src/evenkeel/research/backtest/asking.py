"""What a strategy of targets tells each instrument of a backtest, from prices as they were known at each bar.

The value of a bar does not depend on later ones, so those between two splits come from one evaluation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.research.backtest.event_market import BarMarket
from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy
from evenkeel.trading.strategies.evaluate import Told, dealt, evaluate, read_only, rebalances_of
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.windows import Uncovered


def told_by(strategy: SignalStrategy | PanelStrategy, params: Params, market: BarMarket) -> tuple[Told, ...]:
    """What is told to each instrument of the market, at its own bars. Raises InvalidInput."""
    if isinstance(strategy, PanelStrategy):
        return _of_panel(strategy, params, market)
    return tuple(
        Told(targets_of(strategy, params, market=market, line=line), _flags_of(strategy, params, market, line=line))
        for line in range(len(market.bars))
    )


def targets_of(strategy: SignalStrategy, params: Params, *, market: BarMarket, line: int) -> Floats:
    """One target or NaN for each bar of an instrument, its prices adjusted for the splits known at that bar."""
    return as_known(lambda seen: evaluate(strategy, seen, params), market=market, line=line)


def as_known(of: Callable[[Bars], Floats], *, market: BarMarket, line: int) -> Floats:
    """What `of` gives for each bar of an instrument, in prices adjusted for the splits known at that bar."""
    series = market.bars[line]
    name = series.instrument_id
    splits = [(moment, split) for moment, due in market.splits.items() for split in due if split.instrument_id == name]
    history, parts, begun = Uncovered(series, len(series)), [np.empty(0)], 0
    for moment, split in [*sorted(splits, key=lambda item: item[0]), (len(market), None)]:
        end = int(np.searchsorted(series.close_ts, market.at[moment])) if split is not None else len(series)
        seen = history.seen(end, int(series.close_ts[end - 1])) if end else None
        if seen is not None:
            parts.append(of(seen)[begun:end])
        if split is not None:
            history.split(split, market.at[moment])
        begun = end
    return np.concatenate(parts)


def _flags_of(strategy: SignalStrategy, params: Params, market: BarMarket, *, line: int) -> Flags | None:
    if not strategy.is_rebalancing():
        return None

    def flags(seen: Bars) -> Floats:
        answer = rebalances_of(strategy, seen, params)
        return np.zeros(len(seen)) if answer is None else answer.astype(np.float64)

    return as_known(flags, market=market, line=line) > 0.0


def _of_panel(strategy: PanelStrategy, params: Params, market: BarMarket) -> tuple[Told, ...]:
    histories = {series.instrument_id: Uncovered(series, len(series)) for series in market.bars}
    targets, flags = np.empty((len(market), len(histories))), np.zeros(len(market), dtype=np.bool_)
    begun = 0
    for moment, due in [*sorted(market.splits.items()), (len(market), ())]:
        if moment > begun:
            seen = _panel(market, histories, by=market.at[moment - 1])
            targets[begun:moment] = evaluate(strategy, seen, params)[begun:]
            answer = rebalances_of(strategy, seen, params)
            flags[begun:moment] = False if answer is None else answer[begun:]
        for split in due:
            histories[split.instrument_id].split(split, market.at[moment])
        begun = moment
    shown = np.column_stack([np.diff(rows, prepend=-1) > 0 for rows in market.rows])
    return dealt(targets, flags if strategy.is_rebalancing() else None, shown)


def _panel(market: BarMarket, histories: dict[str, Uncovered], *, by: int) -> Panel:
    """All bars closed by a moment (ns), as they are known then."""
    seen = {series.instrument_id: histories[series.instrument_id].seen(len(series), by) for series in market.bars}
    return read_only(
        Panel.of({one.instrument_id: one.rows(0, 0) if (known := seen[one.instrument_id]) is None else known
                  for one in market.bars})
    )  # fmt: skip
