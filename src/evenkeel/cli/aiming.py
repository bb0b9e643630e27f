"""What weights are aimed at, as commands take it, read once: by hand, or by an objective with its options."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from math import isfinite, isinf
from typing import Annotated, Any

import typer

from evenkeel.cli import history as h
from evenkeel.cli.common import finite, plain, share
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.execution import ExecutionKind
from evenkeel.domain.rebalance_schedules import OPTIONS

WeightsOption = Annotated[
    list[str] | None, typer.Option("--weight", metavar="SYMBOL=SHARE", help="0.4, or 40%; repeat.")
]
ConstraintOption = Annotated[
    list[str] | None, typer.Option("--constraint", metavar="TEXT", help='"tech <= 0.3"; repeat for several.')
]
BoundsOption = Annotated[
    str | None, typer.Option("--bounds", metavar="LOW:HIGH", show_default="0:1", help="Of each weight.")
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="Of the objective: target=0.08, aversion=4; repeat."),
]
ToleranceOption = Annotated[
    float | None,
    typer.Option(
        "--risk-tolerance",
        parser=finite,
        metavar="0–1",
        help="In place of an objective: from least risk to most return.",
    ),
]
BenchmarkOption = Annotated[
    list[str] | None,
    typer.Option("--benchmark", metavar="SYMBOL=SHARE", help="What tracking-error tracks: IBM=60%; repeat."),
]
MeanOption = Annotated[str | None, typer.Option("--mean", help="historical, ewma or capm.", show_default="historical")]
CovarianceOption = Annotated[
    str | None, typer.Option("--covariance", help="sample, ledoit-wolf, oas, ewma …", show_default="sample")
]
RiskFreeOption = Annotated[
    float | None,
    typer.Option("--risk-free", parser=finite, metavar="RATE", show_default="0", help="Annual rate: 0.02 is 2 %."),
]
_ONE, _MOST = Decimal(1), 1000
FIELDS = {
    "targets": "--weight",
    "optimise": "--objective",
    "optimise.symbols": "--symbol",
    "symbols": "--symbol",
    "optimise.constraints": "--constraint",
    "constraints": "--constraint",
    "optimise.days": "--days",
    "optimise.objective": "--objective",
    "optimise.least": "--bounds",
    "optimise.most": "--bounds",
    "optimise.covariance": "--covariance",
    "optimise.mean": "--mean",
    "optimise.risk_free": "--risk-free",
    "optimise.benchmark": "--benchmark",
    "optimise.tolerance": "--risk-tolerance",
    "execution": "--execution",
    "execution.kind": "--execution",
    "execution.duration": "--duration",
    "execution.slices": "--slices",
} | {f"optimise.{name}": f"--param {name}" for name in OPTIONS if name != "tolerance"}


def wishes(
    weights: WeightsOption = None,
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective", help="Weights by an objective over the desk's bars; without one, by its tolerance."
        ),
    ] = None,
    symbols: Annotated[
        list[str] | None, typer.Option("--symbol", help="Of the objective, or of its risk tolerance; repeat.")
    ] = None,
    constraints: ConstraintOption = None,
    bounds: BoundsOption = None,
    params: ParamOption = None,
    risk_tolerance: ToleranceOption = None,
    benchmark: BenchmarkOption = None,
    days: Annotated[
        int | None, typer.Option("--days", help="How many daily returns the objective sees.", show_default="500")
    ] = None,
    mean: MeanOption = None,
    covariance: CovarianceOption = None,
    risk_free: RiskFreeOption = None,
    execution: Annotated[
        ExecutionKind | None,
        typer.Option("--execution", help="Whole orders (basket), or slices over --duration."),
    ] = None,
    duration: Annotated[
        int | None, typer.Option("--duration", metavar="SECONDS", help="How long the slices take.")
    ] = None,
    slices: Annotated[int | None, typer.Option("--slices", help="How many slices a trade has.")] = None,
) -> None:
    """What `rebalance` and `schedule set` take: weights or an objective, and how it is traded."""


def aim_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is wanted by the options of `wishes`, as the API takes it. Raises InvalidInput, BadParameter."""
    found: dict[str, Any] = {"targets": [_weight(one, "--weight") for one in given["weights"] or ()]}
    wish = _wish(given)
    if wish and found["targets"]:
        message = "says how an objective finds weights: leave it out, or leave --weight out"
        raise typer.BadParameter(message, param_hint=FIELDS.get(f"optimise.{next(iter(wish))}"))
    if wish:
        found["optimise"] = {"symbols": [], **wish}
    if given["execution"] not in (None, ExecutionKind.BASKET):
        pace = {name: given[name] or 0 for name in ("duration", "slices")}
        found["execution"] = {"kind": given["execution"].value, **pace}
    else:
        for name in ("duration", "slices"):
            if given[name] is not None:
                message = "goes with --execution slices, twap or vwap: a basket goes out whole"
                raise typer.BadParameter(message, param_hint=f"--{name}")
    return found


def _wish(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of an objective; nothing where nothing is."""
    wish: dict[str, Any] = {name: given[name] for name in ("symbols", "constraints") if given[name]}
    named = ("objective", "days", "covariance", "mean", "risk_free")
    wish |= {name: given[name] for name in named if given[name] is not None}
    if given["bounds"] is not None:
        bounds = bounds_of(given["bounds"])
        if any(isinf(one) for one in bounds):
            raise at_fault("--bounds", f"a portfolio that is traded has finite ones, not {given['bounds']!r}")
        wish |= dict(zip(("least", "most"), bounds, strict=True))
    if given["benchmark"]:
        wish["benchmark"] = [_weight(one, "--benchmark", alone=_ONE) for one in given["benchmark"]]
    return wish | options_of(given["params"], given["risk_tolerance"], objective=given["objective"])


def _weight(text: str, option: str, *, alone: Decimal | None = None) -> dict[str, Any]:
    return share_of(text, "weight", option=option, alone=alone)


def share_of(text: str, name: str, *, option: str, alone: Decimal | None = None) -> dict[str, Any]:
    """SYMBOL=SHARE as the API takes it; `alone` is the share of a symbol without one. Raises BadParameter."""
    symbol, found, part = text.rpartition("=")
    if not found and text and alone is not None:
        return {"symbol": text, name: plain(alone)}
    if not symbol:
        raise typer.BadParameter(f"{text!r} is not SYMBOL=SHARE", param_hint=option)
    try:
        return {"symbol": symbol, name: plain(share(part))}
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{text!r}: {error.message}", param_hint=option) from None


def options_of(params: list[str] | None, tolerance: float | None, *, objective: str | None) -> dict[str, float]:
    """The options of an objective, by --param and by the tolerance that stands for one. Raises InvalidInput."""
    if tolerance is not None and objective is not None:
        raise at_fault("--risk-tolerance", "is an objective of its own: leave --objective out")
    found = {name: _option(name, text) for name, text in h.pairs(params or [], "--param").items()}
    if tolerance is not None and "tolerance" in found:
        raise at_fault("--risk-tolerance", "says the same as --param tolerance: leave one of the two out")
    return found | ({} if tolerance is None else {"tolerance": tolerance})


def _option(name: str, text: str) -> float:
    if name not in OPTIONS:
        also = "; what is tracked goes with --benchmark" if name == "benchmark" else ""
        raise at_fault("--param", f"no objective has an option {name!r}; there are {', '.join(OPTIONS)}{also}")
    (found,) = numbers("--param", [text], said=f"{name}=")
    return found


def numbers(option: str, texts: Sequence[str], *, said: str = "") -> list[float]:
    """Finite numbers as typed, in an option after `said`. Raises InvalidInput."""
    found = []
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not isfinite(value):
            raise at_fault(option, f"expected a finite number, not '{said}{text}'")
        found.append(value)
    return found


def bounds_of(text: str) -> tuple[float, float]:
    """The least and the most of each weight; -inf and inf are none. Raises InvalidInput."""
    low, colon, high = text.partition(":")
    if not colon:
        raise at_fault("--bounds", f"expected LOW:HIGH, such as 0:0.4, not {text!r}")
    try:
        least, most = float(low), float(high)
    except ValueError:
        raise at_fault("--bounds", f"expected LOW:HIGH in numbers, such as 0:0.4, not {text!r}") from None
    if not all(isinf(one) or abs(one) <= _MOST for one in (least, most)):
        raise at_fault("--bounds", f"a weight is a share of the whole, from -{_MOST} to {_MOST}, not {text!r}")
    if least > most:
        raise at_fault("--bounds", f"the least comes first: expected LOW:HIGH, such as 0:0.4, not {text!r}")
    return least, most


def weights_of(texts: Sequence[str], option: str, *, alone: Decimal | None = None) -> dict[str, float]:
    """ASSET=WEIGHT texts, each asset once; `alone` is the weight of one without. Raises InvalidInput."""
    found: dict[str, float] = {}
    for text in texts:
        try:
            one = share_of(text, "weight", option=option, alone=alone)
        except typer.BadParameter as error:
            raise at_fault(option, error.message) from None
        if one["symbol"] in found:
            raise at_fault(option, f"{one['symbol']!r} is named twice")
        found[one["symbol"]] = float(one["weight"])
    return found


def at_fault(option: str, message: str) -> InvalidInput:
    """The error of one option."""
    return InvalidInput(f"{option}: {message}", errors=(FieldError(option, message),))


@contextmanager
def by_options() -> Iterator[None]:
    """Has errors of the library name the options of the command in place of its arguments."""
    try:
        yield
    except InvalidInput as error:
        named = ((one.field.partition(".")[0], one.message) for one in error.errors)
        error.errors = tuple(FieldError(FIELDS.get(name, name), message) for name, message in named)
        raise
