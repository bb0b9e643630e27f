"""`backtest`: one strategy on one history, by whichever engine can do what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal, Unpack, get_args

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS, PRICES
from evenkeel.quant.analytics.case import check_rates
from evenkeel.research.backtest.compiled import CompiledRun, lacks
from evenkeel.research.backtest.finding import StrategyLike, find
from evenkeel.research.backtest.options import Options, terms_for
from evenkeel.research.backtest.outcome import Outcome
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.terms import Terms
from evenkeel.trading.strategies.base import Strategy, TargetStrategy
from evenkeel.trading.strategies.checks import examine
from evenkeel.trading.strategies.evaluate import lookback_of
from evenkeel.trading.strategies.fitting import check_fit
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import AnyStrategy, checked

Engine = Literal["auto", "compiled", "event"]
History = Bars | Mapping[str, Bars]
_TICKS = tuple(Decimal(text) for text in ("1", "0.5", "0.25", "0.1", "0.05", "0.01", "0.001", "0.0001", "0.00001"))
_FINEST = Decimal("0.00000001")


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
        refuse_sneaky(found, resolved)
    if chosen == "compiled":
        assert not isinstance(found, Strategy)
        run = CompiledRun(series, instruments, terms)
        outcome = run.outcome(run.run(*run.signals(found, resolved)))
    else:
        outcome = _by_event(found, resolved, series, instruments=instruments, terms=terms, told=progress)
    outcome = replace(outcome, notes=(*_undecided(found, resolved, series), *outcome.notes))
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


def _undecided(strategy: AnyStrategy, params: Params, series: tuple[Bars, ...]) -> tuple[str, ...]:
    """What to say where no bar is decided on, as all of them are the strategy's warm-up."""
    needed, longest = lookback_of(strategy, params, series[0].timeframe), max(map(len, series))
    if needed < longest:
        return ()
    return (
        f"nothing was decided: {strategy.name} looks at {needed:,} bars before its first, and there are {longest:,}",
    )


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


def refuse_sneaky(strategy: AnyStrategy, params: Params) -> None:
    """Raises InvalidInput where its targets look ahead or do not repeat themselves; one that passed is remembered."""
    key = (type(strategy), tuple(sorted(params.items())))
    if key in _EXAMINED or isinstance(strategy, Strategy):
        return
    of_targets: TargetStrategy[Any] = strategy
    faults = examine(of_targets, params).faults
    if faults:
        raise InvalidInput(
            f"strategy {strategy.name} may not run: {'; '.join(faults)}",
            hint="The target of a bar may use that bar and earlier ones only; `evenkeel strategy check` shows where.",
        )
    _EXAMINED.add(key)


_EXAMINED: set[tuple[type, tuple[tuple[str, Any], ...]]] = set()


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
    name = bars.instrument_id
    return Instrument(name, name, "", AssetClass.EQUITY, currency or "USD", tick_size=_tick(bars), lot_size=Decimal(1))


def _tick(bars: Bars) -> Decimal:
    sample = np.concatenate([getattr(bars, name)[:: max(1, len(bars) // 2000)] for name in PRICES])
    for tick in _TICKS:
        steps = sample / float(tick)
        if np.abs(steps - np.rint(steps)).max() <= 1e-6:
            return tick
    return _FINEST
