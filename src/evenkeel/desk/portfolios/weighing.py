"""Weights from the desk's own bars: what an objective finds over the daily closes of instruments, up to a moment."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import a_year
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import exact
from evenkeel.quant.risk import Returns, align

if TYPE_CHECKING:
    from evenkeel.research.portfolio.optimize import Optimized

LEAST = 20
_STEP = Decimal("0.000001")


class Wish(Struct, frozen=True):
    """An objective of `evenkeel.optimize` over the last `days` daily returns, with bounds of every weight. `target` is
    a return or a volatility a year, where the objective takes one."""

    objective: str = "max-sharpe"
    constraints: tuple[str, ...] = ()
    days: int = 500
    least: float = 0.0
    most: float = 1.0
    covariance: str = "sample"
    mean: str = "historical"
    risk_free: float = 0.0
    target: float | None = None


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


def weighed(daily: DailyCloses, instruments: Sequence[Instrument], wish: Wish, *, at: int) -> "Optimized":
    """The weights an objective finds, by symbol: call it on a thread. Raises InvalidInput."""
    from evenkeel.research.portfolio.optimize import optimize

    found = returns_of(daily, instruments, at=at, days=wish.days)
    options: dict[str, Any] = {} if wish.target is None else {"target": wish.target}
    return optimize(
        returns=found.values,
        assets=[one.symbol for one in instruments],
        periods=a_year(instruments),
        objective=wish.objective,
        constraints=wish.constraints,
        bounds=(wish.least, wish.most),
        covariance=wish.covariance,
        mean=wish.mean,
        risk_free=wish.risk_free,
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
