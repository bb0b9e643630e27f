"""What a search is asked for: the bench it runs on, where it looks, and what it must keep to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.quant.analytics.case import check_rates
from evenkeel.research.backtest.finding import StrategyLike, find
from evenkeel.research.backtest.options import Options, terms_for
from evenkeel.research.backtest.run import Engine, History, choose, instrument_of, refuse_sneaky, series_of
from evenkeel.research.search.bench import Bench, FiguresBench
from evenkeel.research.search.conditions import Rules
from evenkeel.research.search.figures import DEFAULT, checked_names, checked_objective
from evenkeel.research.search.space import Space, Values, space_of
from evenkeel.trading.strategies.fitting import misfits
from evenkeel.trading.strategies.parameters import Params

Best = dict[str, Any] | None
Progress = Callable[[int, int, Best], None]
Axes = Mapping[str, Values]
_MOST_CHECKS = 16
_CHUNKS = {"compiled": 32, "event": 1}


class SearchOptions(Options, total=False):
    """What every search may be told beside the options of a backtest.

    `params`: values of parameters that are not searched. `engine`, `risk_free` and `check` as in `backtest`.
    `metrics`: the figures of the table (`figures.NAMES`). `workers`: processes, 0 for one a core. `study`: a name or
    path; what it holds is not run again. `progress` is called with (done, total, best row so far or None).
    `constraints` are texts such as "fast < slow" or "trades >= 30": of parameters they keep a combination from being
    run, of figures from being chosen.
    """

    params: Mapping[str, Scalar]
    engine: Engine
    risk_free: float
    check: bool
    metrics: Iterable[str]
    workers: int
    study: str | Path | None
    progress: Progress | None
    constraints: Iterable[str]


def backtest_options(how: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that are a backtest's own. Raises InvalidInput for one that nobody knows."""
    known = {*SearchOptions.__annotations__}
    unknown = [name for name in how if name not in known]
    if unknown:
        raise InvalidInput(f"a search has no option {unknown[0]!r}", hint=f"Known are {', '.join(sorted(known))}.")
    return {name: value for name, value in how.items() if name in Options.__annotations__}


class Plan(NamedTuple):
    """`objectives` are figures, the first one first."""

    bench: FiguresBench
    space: Space
    rules: Rules
    objectives: tuple[str, ...]


def plan_of(
    strategy: StrategyLike, bars: History, axes: Axes, how: Mapping[str, Any], *, objectives: Sequence[str] = ()
) -> Plan:
    """What these options ask for. Raises InvalidInput, NotFound."""
    check_rates(risk_free=how.get("risk_free", 0.0))
    found, series = find(strategy), series_of(bars)
    options = backtest_options(how)
    terms = terms_for([instrument_of(one, options.get("currency")) for one in series], options)
    engine = choose(found, terms, engine=how.get("engine", "auto"), instruments=len(series))
    aims = tuple(checked_objective(name) for name in objectives)
    rules = Rules.of(how.get("constraints", ()), [one.name for one in found.parameters])
    space = space_of(
        found,
        axes,
        fixed=how.get("params") or {},
        conditions=rules.on_params,
        misfits=partial(misfits, found, instruments=len(series), timeframe=series[0].timeframe),
    )
    bench = FiguresBench(
        strategy=found,
        series=series,
        terms=terms,
        engine=engine,
        names=checked_names([*checked_names(how.get("metrics", DEFAULT)), *aims, *rules.figures]),
        risk_free=how.get("risk_free", 0.0),
        chunk=_CHUNKS[engine],
    )
    return Plan(bench, space, rules, aims)


def examine_some(bench: Bench[Any], every: Sequence[Params]) -> None:
    """The look-ahead check of the first and the last combination, and of the first of each choice of flags and texts.

    Raises InvalidInput where one looks ahead.
    """
    if not every:
        return
    chosen: dict[Any, Params] = {}
    for params in every:
        kind = tuple(value for value in params.values() if isinstance(value, bool | str))
        chosen.setdefault(kind, params)
    for params in [*list(chosen.values())[:_MOST_CHECKS], every[-1]]:
        refuse_sneaky(bench.strategy, params, bench.series)
