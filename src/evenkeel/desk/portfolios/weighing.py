"""Weights from the desk's own bars: what an objective finds over the daily closes of instruments, up to a moment."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import a_year
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import exact
from evenkeel.domain.rebalance_schedules import Aim
from evenkeel.quant.risk import Returns, align

if TYPE_CHECKING:
    from evenkeel.research.portfolio.optimize import Optimized

LEAST = 20
_STEP = Decimal("0.000001")


def settled(aim: Aim, *, tolerance: Decimal | None) -> Aim:
    """An aim with its objective. Where it names none, that is the point of the frontier that its own tolerance of risk
    stands for, or the `tolerance` of a portfolio; without either, the highest Sharpe ratio."""
    share = aim.tolerance
    if not aim.objective and share is None and tolerance is not None:
        share = float(tolerance)
    name = aim.objective or ("max-sharpe" if share is None else "risk-tolerance")
    return replace(aim, objective=name, tolerance=share)


def check_aim(aim: Aim, symbols: Sequence[str]) -> None:
    """Raises InvalidInput for an objective, an option or a constraint that makes no sense, whatever the prices are."""
    from evenkeel.quant.portfolio.constraints import Names, parse_all
    from evenkeel.quant.portfolio.objectives import objective

    one = objective(aim.objective)
    for name in ("target", "tolerance"):
        is_given, message = getattr(aim, name) is not None, ""
        if name in one.needs and not is_given:
            message = f"{one.name} needs it"
        elif is_given and name not in (*one.needs, *one.options):
            message = f"{one.name} has no such option"
        if message:
            raise InvalidInput("the objective is not valid", errors=(FieldError(f"optimise.{name}", message),))
    parse_all(aim.constraints, Names(list(symbols), {}, {}))


def returns_of(daily: DailyCloses, instruments: Sequence[Instrument], *, at: int, days: int) -> Returns:
    """Their daily returns on days that all have, up to `at` (ns): call it on a thread. Raises InvalidInput where there
    are fewer than 20."""
    closes = {one.id: daily.closes(one, at=at, count=days + 1) for one in instruments}
    found = align(closes, count=days)
    if len(found.dates) < LEAST:
        counts = ", ".join(f"{one.symbol} {len(closes[one.id])}" for one in instruments)
        message = f"only {max(0, len(found.dates))} daily returns are common to all (closes: {counts}); {LEAST} needed"
        raise InvalidInput("there is too little history", errors=(FieldError("symbols", message),))
    return found


def weighed(daily: DailyCloses, instruments: Sequence[Instrument], aim: Aim, *, at: int) -> "Optimized":
    """The weights an objective finds, by symbol: call it on a thread. Raises InvalidInput."""
    from evenkeel.research.portfolio.optimize import optimize

    found = returns_of(daily, instruments, at=at, days=aim.days)
    own = {"target": aim.target, "tolerance": aim.tolerance}
    options: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    return optimize(
        returns=found.values,
        assets=[one.symbol for one in instruments],
        periods=a_year(instruments),
        objective=aim.objective,
        constraints=aim.constraints,
        bounds=(aim.least, aim.most),
        covariance=aim.covariance,
        mean=aim.mean,
        risk_free=aim.risk_free,
        **options,
    )


def as_targets(instruments: Sequence[Instrument], weights: Mapping[str, float]) -> dict[str, Decimal]:
    """Weights by instrument id, cut to millionths, so that together they are no more than they were."""
    return {
        one.id: exact(weights[one.symbol], _STEP, ROUND_DOWN)
        for one in instruments
        if abs(weights[one.symbol]) >= float(_STEP)
    }


def volatility(returns: Returns, weights: Mapping[str, Decimal], *, periods: float) -> float:
    """The volatility a year (a fraction) of holding these weights, the rest in cash, over these returns."""
    import numpy as np

    held = np.array([float(weights.get(name, 0)) for name in returns.names])
    return float(np.std(returns.values @ held, ddof=1) * np.sqrt(periods))
