"""`backtest`: one strategy on one history, by whichever engine can do what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal, Unpack, get_args
from weakref import ref

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS
from evenkeel.market.panel import Panel
from evenkeel.market.ticks import check_tick, tick_for
from evenkeel.quant.analytics.case import check_rates
from evenkeel.research.backtest.compiled import CompiledRun, lacks
from evenkeel.research.backtest.finding import StrategyLike, find, fresh
from evenkeel.research.backtest.notes import noted
from evenkeel.research.backtest.options import Options, terms_for
from evenkeel.research.backtest.outcome import Outcome
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.terms import Terms
from evenkeel.trading.strategies.base import PanelStrategy, Strategy, TargetStrategy
from evenkeel.trading.strategies.checks import examine, peeks
from evenkeel.trading.strategies.fitting import check_fit
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import AnyStrategy, checked

Engine = Literal["auto", "compiled", "event"]
History = Bars | Mapping[str, Bars]


def backtest(
    strategy: StrategyLike,
    bars: History,
    *,
    params: Mapping[str, Scalar] | None = None,
    engine: Engine = "auto",
    check: bool = True,
    risk_free: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[Options],
) -> BacktestResult:
    """Runs a strategy over bars of one instrument, or over several by symbol.

    `strategy`: a name, FILE.py, FILE.py:Class, a class or an instance. `engine`: auto takes the compiled one where it
    has all that is asked, else the event-driven one. `check=False` leaves out the look-ahead check of signals.
    `risk_free` is an annual rate for the metrics. `progress` hears (moments done, moments in all) of the event-driven
    engine; the compiled one is a single pass and says nothing. The other options are those of `Options`: cash, fees,
    size, fill …

    Raises InvalidInput, NotFound, and whatever the strategy raises.
    """
    check_rates(risk_free=risk_free)
    found = find(strategy)
    resolved = checked(found, params or {})
    series = series_of(bars)
    instruments = tuple(instrument_of(one, options.get("currency")) for one in series)
    terms = terms_for(instruments, options)
    chosen = choose(found, terms, engine=engine, instruments=len(series))
    check_fit(found, resolved, instruments=len(series), timeframe=series[0].timeframe)
    if check:
        refuse_sneaky(found, resolved, series)
    if chosen == "compiled":
        assert not isinstance(found, Strategy)
        run = CompiledRun(series, instruments, terms)
        outcome = run.outcome(run.run(*run.signals(found, resolved)))
    else:
        mine = fresh(found) if found is strategy else found
        outcome = _by_event(mine, resolved, series, instruments=instruments, terms=terms, told=progress)
    outcome = noted(outcome, found, resolved, series=series, instruments=instruments, terms=terms)
    return BacktestResult(
        strategy=found.name,
        version=found.version,
        params=dict(resolved),
        terms=terms,
        bars=series,
        instruments=instruments,
        outcome=outcome,
        risk_free=risk_free,
    )


def _by_event(
    strategy: AnyStrategy,
    params: Params,
    series: tuple[Bars, ...],
    *,
    instruments: tuple[Instrument, ...],
    terms: Terms,
    told: Callable[[int, int], None] | None,
) -> Outcome:
    from evenkeel.research.backtest.event import run_event

    by_id, listed = {one.instrument_id: one for one in series}, {one.id: one for one in instruments}
    return _with_symbols(run_event(strategy, params, by_id, instruments=listed, terms=terms, told=told), listed)


def _with_symbols(outcome: Outcome, listed: Mapping[str, Instrument]) -> Outcome:
    symbols = tuple(listed[name].symbol if name in listed else name for name in outcome.fills.symbols)
    fills = replace(outcome.fills, symbols=symbols)
    return replace(outcome, fills=fills, positions=np.atleast_2d(outcome.positions))


def choose(strategy: AnyStrategy, terms: Terms, *, engine: Engine, instruments: int) -> str:
    """Which engine runs it. Raises InvalidInput where the one asked for cannot."""
    if engine not in get_args(Engine):
        raise InvalidInput(
            f"there is no engine {engine!r}", errors=(FieldError("engine", "expected auto, compiled or event"),)
        )
    missing = lacks(terms, instruments)
    if isinstance(strategy, Strategy):
        missing = ("strategies that place their own orders", *missing)
    if engine == "compiled" and missing:
        raise InvalidInput(
            f"the compiled engine does not have {', '.join(missing)}", hint='Use engine="event", which has it.'
        )
    return "event" if engine == "event" or missing else "compiled"


def refuse_sneaky(strategy: AnyStrategy, params: Params, series: tuple[Bars, ...]) -> None:
    """Raises InvalidInput where its targets look ahead or do not repeat themselves, on made-up bars or on these.

    What passed is remembered: of a strategy whose attributes, if any, are numbers and texts for good, and of these bars
    for as long as they live.
    """
    if isinstance(strategy, Strategy):
        return
    of_targets: TargetStrategy[Any] = strategy
    own = vars(strategy)
    plain = all(isinstance(value, bool | int | float | str) for value in own.values())
    key = (type(strategy), tuple(sorted((own if plain else {}).items())), tuple(sorted(params.items())))
    if not (plain and key in _EXAMINED):
        _refuse(strategy, examine(of_targets, params).faults)
    columns = _EXAMINED.get(key, ())
    if plain and len(columns) == len(series) and all(a() is b.close for a, b in zip(columns, series, strict=True)):
        return
    of_panel = isinstance(strategy, PanelStrategy)
    seen: list[Any] = [Panel.of({one.instrument_id: one for one in series})] if of_panel else list(series)
    for bars in seen:
        bar = peeks(of_targets, bars, params)
        if bar is not None:
            said = f"it looks ahead: its target changes when later bars become known (first at bar {bar} of these)"
            _refuse(strategy, (said,))
    if plain:
        _EXAMINED[key] = tuple(ref(one.close) for one in series)


def _refuse(strategy: AnyStrategy, faults: tuple[str, ...]) -> None:
    if faults:
        raise InvalidInput(
            f"strategy {strategy.name} may not run: {'; '.join(faults)}",
            hint="The target of a bar may use that bar and earlier ones only; `evenkeel strategy check` shows where.",
        )


_EXAMINED: dict[tuple[Any, ...], tuple[ref[Any], ...]] = {}


def series_of(bars: History) -> tuple[Bars, ...]:
    """The series in order. Raises InvalidInput for none, for empty ones and for mixed timeframes."""
    if isinstance(bars, Bars):
        series: tuple[Bars, ...] = (bars,)
    elif isinstance(bars, Mapping):
        series = tuple(_named(name, one) for name, one in bars.items())
    else:
        raise InvalidInput(
            f"a backtest needs Bars, not {type(bars).__name__}", hint="Bars.from_frame(frame) makes them of a frame."
        )
    if not series or any(len(one) == 0 for one in series):
        raise InvalidInput("there are no bars to test on")
    if len({one.timeframe for one in series}) > 1:
        raise InvalidInput(f"bars differ in timeframe: {', '.join(sorted({one.timeframe for one in series}))}")
    if len({one.instrument_id for one in series}) < len(series):
        raise InvalidInput("the bars of one instrument are given twice")
    return series


def _named(name: str, bars: Bars) -> Bars:
    if not isinstance(bars, Bars):
        raise InvalidInput(
            f"a backtest needs Bars of {name}, not {type(bars).__name__}",
            hint="Bars.from_frame(frame) makes them of a frame.",
        )
    if bars.instrument is not None:
        return bars
    return Bars.raw(name, bars.timeframe, [getattr(bars, column) for column in COLUMNS])


def instrument_of(bars: Bars, currency: str | None = None) -> Instrument:
    """The instrument of the bars, else one that follows from them: whole units, the coarsest tick that fits, and this
    currency (USD).
    """
    if bars.instrument is not None:
        return bars.instrument
    name, tick = bars.instrument_id, tick_for(bars)
    check_tick(name, tick, float(bars.low.min()))
    return Instrument(name, name, "", AssetClass.EQUITY, currency or "USD", tick_size=tick, lot_size=Decimal(1))
