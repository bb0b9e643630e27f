"""`evenkeel portfolio optimize|frontier|backtest`: weights from prices, and what they would have done."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli import history as h
from evenkeel.cli import results as r
from evenkeel.cli.common import HomeOption, JsonOption, examples, print_fields, print_json, print_table, reporting
from evenkeel.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars
    from evenkeel.quant.portfolio.frontier import Frontier
    from evenkeel.research.portfolio.optimize import Optimized
    from evenkeel.research.portfolio.prices import Prices
    from evenkeel.research.portfolio.rebalancing import Comparison

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
    note="Without --objective, eight are walked: " + ", ".join(EIGHT) + ". 1/N is walked beside them.",
)
ObjectiveOption = Annotated[
    str | None,
    typer.Option("--objective", help="What is best: min-variance, max-sharpe, hrp …; max-sharpe unless given."),
]
ToleranceOption = Annotated[
    float | None,
    typer.Option("--risk-tolerance", metavar="0–1", help="In place of an objective: from least risk to most return."),
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
    missing: Annotated[str, typer.Option("--missing", help="Of gaps: fill, drop or refuse.")] = "fill",
    periods: Annotated[
        float | None,
        typer.Option(
            "--periods-per-year", metavar="NUMBER", help="Rows of a year; where there are dates, they say it."
        ),
    ] = None,
    constraints: Annotated[
        list[str] | None, typer.Option("--constraint", metavar="TEXT", help='"tech <= 0.3"; repeat for several.')
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME=ASSETS", help="tech=AAPL,MSFT; repeat.")
    ] = None,
    exposures: Annotated[
        list[str] | None,
        typer.Option("--exposure", metavar="NAME=NUMBERS", help="beta=1.2,0.9: one each asset; repeat."),
    ] = None,
    bounds: Annotated[str, typer.Option("--bounds", metavar="LOW:HIGH", help="Of each weight.")] = "0:1",
    params: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="Of the objective: target=0.08, aversion=4; repeat."),
    ] = None,
    mean: Annotated[str, typer.Option("--mean", help="historical, ewma or capm.")] = "historical",
    covariance: Annotated[str, typer.Option("--covariance", help="sample, ledoit-wolf, oas, ewma …")] = "sample",
    risk_free: Annotated[float, typer.Option("--risk-free", help="Annual rate: 0.02 is 2 %.")] = 0.0,
    gross: Annotated[float | None, typer.Option("--gross", help="The most Σ|weight|.")] = None,
    turnover: Annotated[float | None, typer.Option("--turnover", help="The most Σ|change|.")] = None,
    max_assets: Annotated[int | None, typer.Option("--max-assets", min=1, help="How many at most are held.")] = None,
    min_weight: Annotated[
        float | None, typer.Option("--min-weight", help="The least of a weight that is held.")
    ] = None,
) -> None:
    """What every command takes: prices, what the portfolio must keep to, and the estimates."""


def _on_prices(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `_shared`: prices before its own, the rest behind; the context has all."""
    own, shared = signature(command).parameters, signature(_shared).parameters
    asked, *others = own.values()
    prices, symbols, *rest = shared.values()

    @wraps(command)
    def with_shared(**values: Any) -> None:
        command(**{name: values[name] for name in own})

    named = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in (asked, prices, symbols, *others, *rest)]
    vars(with_shared)["__signature__"] = Signature(named, return_annotation=None)
    with_shared.__annotations__ = command.__annotations__ | _shared.__annotations__
    return with_shared


@_on_prices
def optimize(
    asked: typer.Context,
    objective: ObjectiveOption = None,
    risk_tolerance: ToleranceOption = None,
    present: Annotated[
        list[str] | None, typer.Option("--present", metavar="ASSET=WEIGHT", help="What is held now; repeat.")
    ] = None,
    report: ReportOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The best weights by an objective, under constraints."""
    with reporting(as_json=as_json):
        r.check_places(report)
        wanted, own = _wanted(objective, risk_tolerance)
        found = _optimized(asked.params, objective=wanted, present=present, own=own)
        written = found.to_html(report) if report is not None else None
        if as_json:
            print_json(found.summary() | ({} if written is None else {"report": str(written)}))
            return
        _print_weights(found)
        if written is not None:
            print(f"written: {written}")


@_on_prices
def frontier(asked: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The exact efficient frontier within the bounds: its corner portfolios, from the most return to the least risk."""
    with reporting(as_json=as_json):
        asked_for = asked.params
        beyond = [name for name in ("constraints", "gross", "turnover", "max_assets", "min_weight") if asked_for[name]]
        if beyond:
            raise InvalidInput(
                f"the frontier is exact within bounds alone, without {beyond[0].replace('_', ' ')}",
                hint="Take `portfolio optimize` with target-return or target-risk for points under constraints.",
            )
        found = _optimized(asked_for, objective="min-variance")
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


@_on_prices
def backtest(
    asked: typer.Context,
    objectives: Annotated[
        list[str] | None, typer.Option("--objective", help="Repeat for several; eight unless given.")
    ] = None,
    every: Annotated[str, typer.Option("--every", help="day, week, month, quarter or year.")] = "month",
    lookback: Annotated[int, typer.Option("--lookback", help="How many returns back it looks.")] = 756,
    cost_bps: Annotated[float, typer.Option("--cost-bps", help="Of what is traded, in basis points.")] = 10.0,
    band: Annotated[float, typer.Option("--band", help="Trade only where a weight is off by more.")] = 0.0,
    benchmark: Annotated[str | None, typer.Option("--benchmark", metavar="ASSET", help="An asset to hold.")] = None,
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
        own = h.given(asked.params["params"])
        named = {name: _known_options(name, own) for name in objectives or EIGHT}
        _check_options(own, named)
        found = rebalance_history(
            _prices(asked.params), objectives=named, every=every, lookback=lookback, cost_bps=cost_bps, band=band,
            benchmark=benchmark, **_settings(asked.params),
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


def _wanted(objective: str | None, tolerance: float | None) -> tuple[str, dict[str, float]]:
    """The objective, with the tolerance that stands for one. Raises InvalidInput where both are given."""
    if tolerance is None:
        return objective or "max-sharpe", {}
    if objective is not None:
        message = "is an objective of its own: leave --objective out"
        raise InvalidInput(f"--risk-tolerance {message}", errors=(FieldError("--risk-tolerance", message),))
    return "risk-tolerance", {"tolerance": tolerance}


def _optimized(
    given: Mapping[str, Any],
    *,
    objective: str,
    present: list[str] | None = None,
    own: Mapping[str, float] | None = None,
) -> "Optimized":
    from evenkeel.research.portfolio.optimize import optimize as optimized

    held: dict[str, Any] = {} if present is None else {"present": _weights(present)}
    options: dict[str, Any] = h.given(given["params"]) | dict(own or {})
    prices = _prices(given)
    if prices.times is None and given["periods"] is None:
        raise InvalidInput(
            f"{given['prices']} has no column of dates, so nothing says how many of its rows make a year",
            hint="Say it with --periods-per-year: 252 for trading days, 52 for weeks, 12 for months.",
        )
    return optimized(prices, objective=objective, **held, **_settings(given), **options)


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `evenkeel.optimize` is told, whichever the command. Raises InvalidInput."""
    groups, exposures = (h.pairs(given[name] or [], f"--{name[:-1]}") for name in ("groups", "exposures"))
    alike = ("periods", "mean", "covariance", "risk_free", "gross", "turnover", "max_assets", "min_weight")
    return {name: given[name] for name in alike} | {
        "constraints": given["constraints"] or (),
        "groups": {name: members.split(",") for name, members in groups.items()},
        "exposures": {name: _numbers("--exposure", values.split(",")) for name, values in exposures.items()},
        "bounds": _bounds(given["bounds"]),
    }


def _numbers(option: str, texts: list[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        message = f"expected numbers, not {', '.join(texts)!r}"
        raise InvalidInput(f"{option}: {message}", errors=(FieldError(option, message),)) from None


def _bounds(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    if not colon:
        message = f"expected LOW:HIGH, such as 0:0.4, not {text!r}"
        raise InvalidInput(message, errors=(FieldError("--bounds", message),))
    found = _numbers("--bounds", [low, high])
    return found[0], found[1]


def _weights(texts: list[str]) -> dict[str, float]:
    return {name: _numbers("--present", [value])[0] for name, value in h.pairs(texts, "--present").items()}


def _prices(given: Mapping[str, Any]) -> "Prices":
    """Prices of a file or of stored bars. Raises InvalidInput where nothing was named or found."""
    from evenkeel.research.portfolio.prices import prices_of, read_prices

    path, symbols = given["prices"], given["symbols"]
    times = h.moment(given["start"], "--start"), h.moment(given["end"], "--end")
    if path is not None:
        return read_prices(path, assets=symbols, start=times[0], end=times[1], missing=given["missing"])
    if not symbols:
        raise InvalidInput("there are no prices", hint="Name a file with --prices, or stored bars with --symbol.")
    spans = {name: given[name] for name in ("timeframe", "start", "end")}
    bars = h.history_of(given["home"], None, symbols, **spans)
    return prices_of({name: _adjusted(given["home"], one) for name, one in bars.items()}, missing=given["missing"])


def _adjusted(home: Path | None, bars: "Bars") -> "Bars":
    """Stored bars with what had gone ex by the last of them taken out: neither a split nor a dividend is a loss."""
    from evenkeel.cli.common import resolve_home
    from evenkeel.cli.data import the_store
    from evenkeel.market.calendars import calendar

    store, name = the_store(resolve_home(home)), bars.instrument_id
    return bars.adjusted(
        store.splits(name),
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
    told = {name: f"{found.metrics[name]:.4f}" for name in ("expected_return", "volatility", "sharpe_ratio")}
    if found.figure not in _SHOWN:
        told = {found.figure: f"{found.value:.6g}", **told}
    print_fields({name.replace("-", " "): value for name, value in told.items()} | _year(found.periods))


def _year(periods: float) -> dict[str, str]:
    return {"rows of a year": f"{periods:g}"}


def _print_paths(found: "Comparison") -> None:
    rows = []
    for name, path in found.paths.items():
        of = path.metrics
        figures = [of["cagr"], of["volatility"], of["max_drawdown"], path.turnover, path.costs]
        shares = ["–" if value is None else f"{value * 100:.2f}" for value in figures]
        sharpe = "–" if of["sharpe"] is None else f"{of['sharpe']:.2f}"
        rows.append((name, f"{path.equity[-1]:.2f}", *shares[:2], sharpe, *shares[2:], str(len(path.failed))))
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
