"""`evenkeel portfolio optimize|frontier|backtest`: weights from prices, and what they would have done."""

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli import history as h
from evenkeel.cli import results as r
from evenkeel.cli.aiming import (
    BenchmarkOption,
    BoundsOption,
    ConstraintOption,
    CovarianceOption,
    MeanOption,
    ParamOption,
    RiskFreeOption,
    ToleranceOption,
    bounds_of,
    by_options,
    numbers,
    options_of,
    weights_of,
)
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    finite,
    print_fields,
    print_json,
    print_table,
    reporting,
    taking,
)
from evenkeel.cli.idle import check_frontier, check_optimize, check_prices
from evenkeel.cli.portfolio import app
from evenkeel.cli.series import history_of, moment, refuse_splits_within
from evenkeel.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars
    from evenkeel.quant.analytics.series import Floats
    from evenkeel.quant.analytics.summary import Values
    from evenkeel.quant.portfolio.frontier import Frontier
    from evenkeel.research.portfolio.optimize import Optimized
    from evenkeel.research.portfolio.prices import Prices
    from evenkeel.research.portfolio.rebalancing import Comparison

_WHOLE = Decimal(1)
_BEYOND_BOUNDS = ("constraints", "groups", "exposures", "gross", "turnover", "max_assets", "min_weight")
_SHOWN = ("sharpe", "return", "risk")  # figures of objectives that are printed anyway
EIGHT = (
    "min-variance", "max-sharpe", "max-utility", "max-diversification", "min-cvar", "risk-parity", "hrp",
    "inverse-volatility",
)  # fmt: skip
OPTIMIZE_EXAMPLES = examples(
    "evenkeel portfolio optimize --prices closes.csv --objective max-sharpe --risk-free 0.02",
    'evenkeel portfolio optimize --prices closes.csv --group tech=AAPL,MSFT --constraint "tech <= 0.3"',
    "evenkeel portfolio optimize --prices closes.csv --objective target-return --param target=0.08 --max-assets 5",
    "evenkeel portfolio optimize --symbol AAPL --symbol IBM --objective min-cvar --report sheet.html --json",
    "evenkeel portfolio optimize --prices closes.csv --risk-tolerance 0.3",
    note="The file has a column of dates and a column of prices an asset, or bars with symbols; figures are a year's.",
)
FRONTIER_EXAMPLES = examples(
    "evenkeel portfolio frontier --prices closes.csv",
    "evenkeel portfolio frontier --prices closes.csv --bounds 0:0.4 --covariance ledoit-wolf --json",
)
BACKTEST_EXAMPLES = examples(
    "evenkeel portfolio backtest --prices closes.csv --report sheet.html",
    "evenkeel portfolio backtest --prices closes.csv --objective hrp --objective min-cvar --every quarter --json",
    "evenkeel portfolio backtest --prices closes.csv --lookback 504 --cost-bps 5 --band 0.02 --benchmark SPY",
    "evenkeel portfolio backtest --prices closes.csv --objective tracking-error --benchmark SPY=60% --max-assets 10",
    note="Without --objective, eight are walked: " + ", ".join(EIGHT) + ". 1/N is walked beside them. A benchmark is "
    "bought once, where the walk begins, and drifts; what is tracked is what it has become by then.",
)
ObjectiveOption = Annotated[
    str | None,
    typer.Option("--objective", help="What is best: min-variance, max-sharpe, hrp …; max-sharpe unless given."),
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", "--html", metavar="FILE", help="Write the sheet there, as HTML.")
]
SymbolOption = Annotated[
    list[str] | None,
    typer.Option("--symbol", help="Which of the file's assets; without --prices, stored bars. Repeat for several."),
]


def _shared(
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="CSV or Parquet: dates, and a column an asset.")
    ] = None,
    symbols: SymbolOption = None,
    timeframe: h.TimeframeOption = "1d",
    start: h.StartOption = None,
    end: h.EndOption = None,
    missing: Annotated[
        str | None,
        typer.Option("--missing", help="Of gaps: fill, skip, drop or refuse; fill unless given, of a backtest skip."),
    ] = None,
    periods: Annotated[
        float | None,
        typer.Option(
            "--periods-per-year",
            parser=finite,
            metavar="NUMBER",
            help="Rows of a year; where there are dates, they say it.",
        ),
    ] = None,
    constraints: ConstraintOption = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME=ASSETS", help="tech=AAPL,MSFT; repeat.")
    ] = None,
    exposures: Annotated[
        list[str] | None,
        typer.Option("--exposure", metavar="NAME=NUMBERS", help="beta=1.2,0.9: one each asset; repeat."),
    ] = None,
    bounds: BoundsOption = None,
    params: ParamOption = None,
    mean: MeanOption = None,
    covariance: CovarianceOption = None,
    risk_free: RiskFreeOption = None,
    gross: Annotated[
        float | None, typer.Option("--gross", parser=finite, metavar="NUMBER", help="The most Σ|weight|.")
    ] = None,
    turnover: Annotated[
        float | None, typer.Option("--turnover", parser=finite, metavar="NUMBER", help="The most Σ|change|.")
    ] = None,
    max_assets: Annotated[int | None, typer.Option("--max-assets", min=1, help="How many at most are held.")] = None,
    min_weight: Annotated[
        float | None,
        typer.Option("--min-weight", parser=finite, metavar="SHARE", help="The least of a weight that is held."),
    ] = None,
) -> None:
    """What every command takes: prices, what the portfolio must keep to, and the estimates."""


_on_prices = taking(_shared, after="asked", first=("prices", "symbols"))


@app.command("optimize", epilog=OPTIMIZE_EXAMPLES)
@_on_prices
def optimize(
    asked: typer.Context,
    objective: ObjectiveOption = None,
    risk_tolerance: ToleranceOption = None,
    present: Annotated[
        list[str] | None, typer.Option("--present", metavar="ASSET=WEIGHT", help="What is held now; repeat.")
    ] = None,
    benchmark: BenchmarkOption = None,
    report: ReportOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The best weights by an objective, under constraints."""
    with reporting(as_json=as_json):
        r.check_places(report)
        own = options_of(asked.params["params"], risk_tolerance, objective=objective)
        wanted = objective or ("max-sharpe" if risk_tolerance is None else "risk-tolerance")
        check_prices(asked)
        check_optimize(asked.params, wanted)
        found = _optimized(asked.params, objective=wanted, own=own)
        written = found.to_html(report) if report is not None else None
        if as_json:
            print_json(found.summary() | ({} if written is None else {"report": str(written)}))
            return
        _print_weights(found)
        if written is not None:
            print(f"written: {written}")


@app.command("frontier", epilog=FRONTIER_EXAMPLES)
@_on_prices
def frontier(asked: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The exact efficient frontier within the bounds: its corner portfolios, from the most return to the least risk."""
    with reporting(as_json=as_json):
        asked_for = asked.params
        beyond = [name for name in _BEYOND_BOUNDS if asked_for[name]]
        if beyond:
            raise InvalidInput(
                f"the frontier is exact within bounds alone, without {beyond[0].replace('_', ' ')}",
                hint="Take `portfolio optimize` with target-return or target-risk for points under constraints.",
            )
        check_prices(asked)
        check_frontier(asked_for)
        found = _optimized(asked_for, objective="min-variance", own={})
        line, assets = found.frontier(), found.weights.assets
        if as_json:
            print_json({"assets": list(assets), "items": _corners(line, assets)})
            return
        heads = ("return %", "volatility %", *(f"{name} %" for name in assets))
        rows = [
            [f"{value * 100:.2f}" for value in (gain, risk, *weights)]
            for gain, risk, weights in zip(line.returns, line.risks, line.weights, strict=True)
        ]
        print_table(heads, rows)


@app.command("backtest", epilog=BACKTEST_EXAMPLES)
@_on_prices
def backtest(
    asked: typer.Context,
    objectives: Annotated[
        list[str] | None, typer.Option("--objective", help="Repeat for several; eight unless given.")
    ] = None,
    every: Annotated[str, typer.Option("--every", help="day, week, month, quarter or year.")] = "month",
    lookback: Annotated[int, typer.Option("--lookback", help="How many returns back it looks.")] = 756,
    cost_bps: Annotated[
        float, typer.Option("--cost-bps", parser=finite, metavar="BPS", help="Of what is traded, in basis points.")
    ] = 10.0,
    band: Annotated[
        float, typer.Option("--band", parser=finite, metavar="SHARE", help="Trade only where a weight is off by more.")
    ] = 0.0,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark", metavar="ASSET=SHARE", help="Held beside, and what tracking-error tracks: SPY=60%; repeat."
        ),
    ] = None,
    report: ReportOption = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write all weights there, as CSV or Parquet.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Objectives walked forward through the past, with costs, beside 1/N."""
    from evenkeel.research.portfolio.rebalancing import rebalance_history

    with reporting(as_json=as_json):
        r.check_places(report, export)
        check_prices(asked)
        own = options_of(asked.params["params"], None, objective=None)
        named = {name: _known_options(name, own) for name in objectives or EIGHT}
        _check_options(own, named)
        found = rebalance_history(
            _prices(asked.params, missing="skip"), objectives=named, every=every, lookback=lookback, cost_bps=cost_bps,
            band=band, benchmark=_weights(asked.params, "benchmark", alone=_WHOLE),
            missing=asked.params["missing"] or "skip", **_settings(asked.params),
        )  # fmt: skip
        written = [found.to_html(report)] if report is not None else []
        written += [r.table_written(found.to_polars(), export)] if export is not None else []
        if as_json:
            print_json(found.summary() | {"written": [str(path) for path in written]})
            return
        _print_paths(found)
        for path in written:
            print(f"written: {path}")


def _known_options(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Of the options given, those that an objective has: each takes what is its own."""
    from evenkeel.quant.portfolio.objectives import objective

    one = objective(name)
    return {"objective": name} | {key: value for key, value in own.items() if key in (*one.needs, *one.options)}


def _check_options(own: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> None:
    lost = [key for key in own if not any(key in taken for taken in named.values())]
    if lost:
        message = f"none of these objectives has an option {lost[0]!r}"
        raise InvalidInput(f"--param: {message}", errors=(FieldError("--param", message),))


def _optimized(given: Mapping[str, Any], *, objective: str, own: Mapping[str, float]) -> "Optimized":
    from evenkeel.research.portfolio.optimize import optimize as optimized

    both = {name: _weights(given, name, alone=alone) for name, alone in (("present", None), ("benchmark", _WHOLE))}
    held = {name: found for name, found in both.items() if found is not None}
    prices = _prices(given)
    if prices.times is None and given["periods"] is None:
        raise InvalidInput(
            f"{given['prices']} has no column of dates, so nothing says how many of its rows make a year",
            hint="Say it with --periods-per-year: 252 for trading days, 52 for weeks, 12 for months.",
        )
    options: dict[str, Any] = held | dict(own) | {"missing": given["missing"] or "fill"}
    with by_options():
        return optimized(prices, objective=objective, **_settings(given), **options)


def _weights(given: Mapping[str, Any], name: str, *, alone: Decimal | None) -> dict[str, float] | None:
    return weights_of(given[name], f"--{name}", alone=alone) if given.get(name) else None


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `evenkeel.optimize` is told, whichever the command. Raises InvalidInput."""
    groups, exposures = (h.pairs(given[name] or [], f"--{name[:-1]}") for name in ("groups", "exposures"))
    alike = ("periods", "mean", "covariance", "risk_free", "gross", "turnover", "max_assets", "min_weight")
    return {name: given[name] for name in alike if given[name] is not None} | {
        "constraints": given["constraints"] or (),
        "groups": {name: members.split(",") for name, members in groups.items()},
        "exposures": {name: numbers("--exposure", values.split(",")) for name, values in exposures.items()},
        "bounds": bounds_of(given["bounds"] or "0:1"),
    }


def _prices(given: Mapping[str, Any], *, missing: str = "fill") -> "Prices":
    """Prices of a file or of stored bars, gaps as asked for or `missing`. Raises InvalidInput where there are none."""
    from evenkeel.research.portfolio.prices import prices_of, read_prices

    path, symbols = given["prices"], given["symbols"]
    times, missing = (moment(given["start"], "--start"), moment(given["end"], "--end")), given["missing"] or missing
    if path is not None:
        return read_prices(path, assets=symbols, start=times[0], end=times[1], missing=missing)
    if not symbols:
        raise InvalidInput("there are no prices", hint="Name a file with --prices, or stored bars with --symbol.")
    spans = {name: given[name] for name in ("timeframe", "start", "end")}
    bars = history_of(given["home"], None, symbols, **spans)
    return prices_of({name: _adjusted(given["home"], one) for name, one in bars.items()}, missing=missing)


def _adjusted(home: Path | None, bars: "Bars") -> "Bars":
    """Stored bars with what had gone ex by the last of them taken out: neither a split nor a dividend is a loss."""
    from evenkeel.cli.common import resolve_home
    from evenkeel.cli.data import the_store
    from evenkeel.market.calendars import calendar

    store, name = the_store(resolve_home(home)), bars.instrument_id
    splits = store.splits(name)
    refuse_splits_within({name: bars}, splits)
    return bars.adjusted(
        splits,
        store.dividends(name),
        as_of=int(bars.close_ts[-1]),
        day_start=calendar(bars.calendar).day_start,
    )


def _corners(line: "Frontier", assets: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "return": float(gain),
            "volatility": float(risk),
            "multiplier": float(multiplier),
            "weights": dict(zip(assets, weights.tolist(), strict=True)),
        }
        for gain, risk, multiplier, weights in zip(
            line.returns, line.risks, line.multipliers, line.weights, strict=True
        )
    ]


def _print_weights(found: "Optimized") -> None:
    held = sorted(found.weights.items(), key=lambda one: -abs(one[1]))
    parts, volatility = found.risk_parts, found.metrics["volatility"] or 1.0
    rows = [
        (name, f"{weight * 100:.2f}", f"{parts[name] / volatility * 100:.1f}")
        for name, weight in held
        if abs(weight) > 5e-5
    ]
    print_table(("asset", "weight %", "part of risk %"), rows)
    wanted = ("expected_return", "volatility", "sharpe_ratio", "turnover")
    metrics = {name: found.metrics[name] for name in wanted if name in found.metrics}
    told = {name: f"{value:.4f}" if isfinite(value) else "–" for name, value in metrics.items()}
    if found.figure not in _SHOWN:
        told = {found.figure: f"{found.value:.6g}" if isfinite(found.value) else "–", **told}
    print_fields({name.replace("-", " "): value for name, value in told.items()} | _year(found.periods))


def _year(periods: float) -> dict[str, str]:
    return {"rows of a year": f"{periods:g}"}


def _gone(equity: "Floats", of: "Values") -> tuple[str, ...]:
    figures = (of["cagr"], of["volatility"], of["max_drawdown"])
    a_year, volatility, drawdown = ("–" if value is None else f"{value * 100:.2f}" for value in figures)
    sharpe = "–" if of["sharpe"] is None else f"{of['sharpe']:.2f}"
    return f"{equity[-1]:.2f}", a_year, volatility, sharpe, drawdown


def _print_paths(found: "Comparison") -> None:
    rows = []
    for name, path in found.paths.items():
        traded = (f"{path.turnover * 100:.2f}", f"{path.costs * 100:.2f}", str(len(path.failed)))
        rows.append((name, *_gone(path.equity, path.metrics), *traded))
    if found.benchmark is not None and (of := found.benchmark_metrics) is not None:
        rows.append(("benchmark", *_gone(found.benchmark, of), "–", "–", "–"))
    heads = (
        "objective",
        "worth",
        "a year %",
        "volatility %",
        "Sharpe",
        "drawdown %",
        "turnover %",
        "costs %",
        "failed",
    )
    print_table(heads, rows)
    print(f"Figures are a year's, of {found.periods:g} rows.")
    for name, path in found.paths.items():
        for why in list(dict.fromkeys(path.failed.values()))[:1]:
            print(f"{name} failed {len(path.failed)} times, at first: {why}")
