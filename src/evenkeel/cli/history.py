"""What the backtest commands are asked, read once: options, bars, parameters, axes, sizes."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli.adjusting import adjustments_of
from evenkeel.cli.common import number, share, taking
from evenkeel.cli.mtm_terms import mtm_of
from evenkeel.cli.series import history_of, refuse_splits_within
from evenkeel.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.cli.library import Named
    from evenkeel.desk.backtests import Search
    from evenkeel.market.bars import Bars
    from evenkeel.research.backtest.options import Options


def _fraction(text: Any) -> float:
    return float(share(text))


_SHARE: dict[str, Any] = {"parser": _fraction, "metavar": "SHARE"}
StrategyOption = Annotated[
    str,
    typer.Option(
        "--strategy", metavar="NAME|FILE", help="Name of a template or configuration, FILE.py, FILE.py:Class."
    ),
]
DataOption = Annotated[list[Path] | None, typer.Option("--data", metavar="FILE", help="CSV or Parquet; repeat.")]
SymbolOption = Annotated[
    list[str] | None,
    typer.Option("--symbol", help="Which of the file's symbols; without --data, stored ones. Repeat for several."),
]
AdjustmentsOption = Annotated[
    Path | None,
    typer.Option("--adjustments", metavar="FILE", help="Splits and dividends of --data; stored bars have theirs."),
]
TimeframeOption = Annotated[
    str | None,
    typer.Option(
        "--timeframe", help="Such as 1d or 1h; made of shorter bars. Of files as their rows are apart, else 1d."
    ),
]
StartOption = Annotated[
    str | None, typer.Option("--start", metavar="TIME", help="First bar, such as 2015-01-01 (UTC).")
]
EndOption = Annotated[str | None, typer.Option("--end", metavar="TIME", help="Bars open before it (UTC).")]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Repeat; the others keep their defaults.")
]
CashOption = Annotated[str, typer.Option("--cash", help="Initial cash, in the instrument's currency.")]
SizeRule = typer.Option(
    "--size",
    metavar="RULE",
    help="What a target of 1 stands for: 10 (units), 50% of equity, cash:5000, vol:10% a year, kelly:0.5.",
)
SizeOption = Annotated[str, SizeRule]
FeesOption = Annotated[str | None, typer.Option("--fees", help="A cost schedule by name; see docs/costs.md.")]
FeesBpsOption = Annotated[
    str | None, typer.Option("--fees-bps", metavar="BPS", help="Fees in basis points of value: 5 is 0.05 %.")
]
FillOption = Annotated[str, typer.Option("--fill", help="next-open, close or limit.")]
SlippageOption = Annotated[float, typer.Option("--slippage-bps", help="Against the order, of price.")]
SpreadOption = Annotated[
    float, typer.Option("--spread-share", **_SHARE, help="Share of the bar's spread paid; 0.5 is half.")
]
StopOption = Annotated[
    float | None, typer.Option("--stop-loss", **_SHARE, help="Fraction below the entry: 0.05, or 5%.")
]
TargetOption = Annotated[float | None, typer.Option("--take-profit", **_SHARE, help="Fraction above the entry.")]
TrailOption = Annotated[
    float | None, typer.Option("--trailing-stop", **_SHARE, help="Fraction below the best price since.")
]
OffsetOption = Annotated[
    float, typer.Option("--limit-offset", **_SHARE, help="How far from the close a limit rests: 0.001 is 0.1 % better.")
]
MaintenanceOption = Annotated[
    float | None,
    typer.Option("--maintenance", **_SHARE, help="Share of positions that equity must cover: 0.25 is 25 %."),
]
ParticipationOption = Annotated[
    float | None, typer.Option("--participation", **_SHARE, help="Of a bar's volume, at most: 0.1 is 10 %.")
]
FinancingOption = Annotated[
    float, typer.Option("--financing", **_SHARE, help="Annual rate on cash below zero: 0.06 is 6 %.")
]
CreditOption = Annotated[float, typer.Option("--credit", **_SHARE, help="Annual rate earned on cash above zero.")]
BorrowOption = Annotated[
    float, typer.Option("--borrow", **_SHARE, help="Annual rate on the value of what is held short.")
]
MtmOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mtm",
        metavar="[LEVEL] RULE=VALUE …",
        help='Mark-to-market rules in the words of `evenkeel mtm set`: "stop-loss=2% trail=500"; "AAPL target=900". '
        "Levels are account, strategy and symbols; repeat.",
    ),
]
EngineOption = Annotated[str, typer.Option("--engine", help="auto, compiled or event.")]
RiskFreeOption = Annotated[
    float, typer.Option("--risk-free", **_SHARE, help="Annual rate for the metrics: 0.03 is 3 %.")
]

GridOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=VALUES",
        help="fast=5,10,20 or fast=5:25 or slow=30:230:4 (ends included); else the ranges of a configuration.",
    ),
]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 is one a core, or Ray's cores.")]
StudyOption = Annotated[
    str | None,
    typer.Option("--study", metavar="NAME|PATH", help="Keep what is done there; the same command resumes it."),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="RULE", help='"fast < slow" leaves combinations out; "trades >= 30" chooses.'),
]
ObjectiveOption = Annotated[str, typer.Option("--objective", help="The figure that is best when best.")]
ObjectivesOption = Annotated[
    list[str] | None,
    typer.Option("--objective", help="The figure to look for: sharpe unless given; repeat for several."),
]
MethodOption = Annotated[
    str, typer.Option("--method", help="grid (all), random, tpe (Bayesian) or nsga2 (genetic, several objectives).")
]
TrialsOption = Annotated[int, typer.Option("--trials", min=1, help="Combinations to try, where it is no grid.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the draws: the same seed, the same combinations.")]


def _shared(
    data: DataOption = None,
    symbols: SymbolOption = None,
    adjustments: AdjustmentsOption = None,
    timeframe: TimeframeOption = None,
    start: StartOption = None,
    end: EndOption = None,
    params: ParamOption = None,
    cash: CashOption = "100000",
    size: SizeOption = "100%",
    fees: FeesOption = None,
    fees_bps: FeesBpsOption = None,
    fill: FillOption = "next-open",
    slippage_bps: SlippageOption = 0.0,
    spread_share: SpreadOption = 0.0,
    stop_loss: StopOption = None,
    take_profit: TargetOption = None,
    trailing_stop: TrailOption = None,
    limit_offset: OffsetOption = 0.0,
    maintenance: MaintenanceOption = None,
    participation: ParticipationOption = None,
    financing: FinancingOption = 0.0,
    credit: CreditOption = 0.0,
    borrow: BorrowOption = 0.0,
    mtm: MtmOption = None,
    engine: EngineOption = "auto",
    risk_free: RiskFreeOption = 0.0,
) -> None:
    """What every command that tests on history takes: the bars, the parameters, the terms."""


def on_history(after: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of `_shared`, behind its own `after`; it reads them from its context's `params`."""
    return taking(_shared, after=after)


def history_given(given: Mapping[str, Any]) -> "dict[str, Bars]":
    """The bars that the options of a command name. Raises InvalidInput."""
    times = {name: given[name] for name in ("timeframe", "start", "end")}
    return dict(history_of(given["home"], given["data"], given["symbols"], **times))


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """NAME=VALUE texts as a mapping. Raises InvalidInput for what is not of that form, or named twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name or name in found:
            message = f"{text!r} is named twice" if name in found else f"expected NAME=VALUE, not {text!r}"
            raise InvalidInput(f"{option}: {message}", errors=(FieldError(option, message),))
        found[name] = value
    return found


def value_of(text: str) -> bool | int | float | str:
    """A parameter's value as typed: a number, true or false, else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def axes_of(texts: list[str], option: str = "--grid") -> dict[str, Any]:
    """Names to values, as `--grid` gives them. Raises InvalidInput."""
    return {name: _axis(option, value) for name, value in pairs(texts, option).items()}


def _axis(option: str, text: str) -> Any:
    from evenkeel.research.search.space import Range

    if ":" not in text:
        return [value_of(part) for part in text.split(",")]
    try:
        low, high, step = (float(part) for part in [*text.split(":"), "0"][:3] if text.count(":") < 3)
    except ValueError:
        message = f"expected 5,10,20 or 5:25 or 30:230:4, not {text!r}"
        raise InvalidInput(f"{option}: {message}", errors=(FieldError(option, message),)) from None
    return Range(low, high, step or None)


def options_of(given: Mapping[str, Any]) -> "Options":
    """The options of a backtest from those of the command line. Raises InvalidInput."""
    from evenkeel.quant.costs import PercentFee, Slippage

    if given["fees"] is not None and given["fees_bps"] is not None:
        raise InvalidInput("--fees and --fees-bps exclude each other")
    options: Options = {
        "cash": number(given["cash"]),
        "size": size_of(given["size"]),
        "fill": given["fill"],
        "slippage": Slippage(bps=given["slippage_bps"], spread_share=given["spread_share"]),
        "stop_loss": given["stop_loss"],
        "take_profit": given["take_profit"],
        "trailing_stop": given["trailing_stop"],
        "limit_offset": given["limit_offset"],
        "maintenance": given["maintenance"],
        "participation": given["participation"],
        "financing": given["financing"],
        "credit": given["credit"],
        "borrow": given["borrow"],
        "mtm": mtm_of(given["mtm"]) or None,
    }
    if given["fees"] is not None:
        options["fees"] = given["fees"]
    if given["fees_bps"] is not None:
        options["fees"] = PercentFee(_bps("--fees-bps", given["fees_bps"]) / Decimal(10_000))
    return options


def _bps(option: str, text: str) -> Decimal:
    """Basis points of value, less than all of it. Raises InvalidInput."""
    value = number(text)
    if not 0 <= value < 10_000:
        message = f"expected basis points from 0, such as 5 for 0.05 %, not {text}"
        raise InvalidInput(f"{option}: {message}", errors=(FieldError(option, message),))
    return value


def given(params: list[str] | None) -> dict[str, bool | int | float | str]:
    """The values of parameters that --param names. Raises InvalidInput."""
    return {name: value_of(text) for name, text in pairs(params or [], "--param").items()}


def axes_or_ranges(texts: list[str] | None, named: "Named") -> dict[str, Any]:
    """What to go through: the axes that --grid gives, else the ranges of a configuration. Raises InvalidInput."""
    from evenkeel.research.search.space import Range

    if texts:
        return axes_of(texts)
    if not named.ranges:
        message = "expected a parameter and its values, such as fast=5:25"
        raise InvalidInput("there is nothing to go through", errors=(FieldError("--grid", message),))
    return {name: Range(one.minimum, one.maximum, one.step) for name, one in named.ranges.items()}


def searched(named: "Named", axes: Mapping[str, Any], where: list[str] | None, *, engine: str) -> dict[str, Any]:
    """What a sweep is told beside its axes and terms."""
    fixed = {name: value for name, value in named.parameters.items() if name not in axes}
    return {"params": fixed, "constraints": where or [], "engine": engine}


def terms_of(asked: typer.Context, named: "Named", bars: "Mapping[str, Bars]") -> "Options":
    """The options of a backtest on these bars, with what goes ex in them, and with the size of the configuration where
    none was asked for. Raises InvalidInput.
    """
    options = options_of(asked.params)
    options.update(adjustments_of(asked.params, bars))
    refuse_splits_within(bars, options.get("splits", ()))
    source = asked.get_parameter_source("size")
    if named.size is not None and (source is None or source.name == "DEFAULT"):
        options["size"] = named.size
    return options


def search_of(axes: Mapping[str, Any], where: list[str] | None, **ways: Any) -> "Search":
    """The search as it is stored; `ways` are method, trials, seed, objectives and the lengths of a walk-forward."""
    from evenkeel.desk.backtests import Search, Stretch
    from evenkeel.research.search.space import Range

    space = {
        name: Stretch(one.low, one.high, one.step, one.log) if isinstance(one, Range) else tuple(one)
        for name, one in axes.items()
    }
    return Search(space=space, constraints=tuple(where or ()), **ways)


def size_of(text: str) -> Any:
    """The sizing rule that --size names. Raises InvalidInput."""
    from evenkeel.domain.sizing import Cash, Kelly, PercentOfEquity, Units, VolatilityTarget

    rule, _, value = text.rpartition(":")
    amount = share(value)
    match rule:
        case "" if value.endswith("%"):
            return PercentOfEquity(amount)
        case "" | "units":
            return Units(amount)
        case "cash":
            return Cash(amount)
        case "equity":
            return PercentOfEquity(amount)
        case "vol":
            return VolatilityTarget(float(amount))
        case "kelly":
            return Kelly(float(amount))
    message = f"expected 10, 50%, cash:5000, vol:10% or kelly:0.5, not {text!r}"
    raise InvalidInput(f"--size: {message}", errors=(FieldError("--size", message),))
