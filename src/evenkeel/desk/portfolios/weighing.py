"""Weights from the desk's own bars: what an objective finds over the daily closes of instruments, up to a moment."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import a_year
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import exact
from evenkeel.domain.rebalance_schedules import OPTIONS, Aim
from evenkeel.quant.risk import Closes, Returns, align

if TYPE_CHECKING:
    from evenkeel.research.portfolio.optimize import Optimized

LEAST = 20
_STEP, _SLACK = Decimal("0.000001"), 1e-9


def settled(aim: Aim, *, tolerance: Decimal | None) -> Aim:
    """An aim with its objective. Where it names none, that is the point of the frontier that its own tolerance of risk
    stands for, or the `tolerance` of a portfolio; without either, the highest Sharpe ratio."""
    share = aim.tolerance
    if not aim.objective and share is None and tolerance is not None:
        share = float(tolerance)
    name = aim.objective or ("max-sharpe" if share is None else "risk-tolerance")
    return replace(aim, objective=name, tolerance=share)


def check_aim(aim: Aim, symbols: Sequence[str], *, at: str = "") -> None:
    """Raises InvalidInput for what makes no sense whatever the prices are: a name that nothing has, an option that the
    objective lacks or does not have, a constraint that cannot be read, constraints that no portfolio keeps to. Fields
    are named after `at`. It may take a while: call it on a thread.
    """
    found = [*_unknown(aim), *_misplaced(aim)]
    if not found:
        found = _impossible(aim, symbols)
    if found:
        errors = tuple(FieldError(f"{at}{name}", message) for name, message in found)
        raise InvalidInput("the objective is not valid", errors=errors)


def _unknown(aim: Aim) -> Iterator[tuple[str, str]]:
    """The names of an aim that nothing has, by field."""
    from evenkeel.quant.portfolio.covariances import COVARIANCES
    from evenkeel.quant.portfolio.expected import MEANS
    from evenkeel.quant.portfolio.objectives import objective

    try:
        objective(aim.objective)
    except InvalidInput as error:
        yield "objective", error.message
    for name, known in (("covariance", COVARIANCES), ("mean", MEANS)):
        if getattr(aim, name) not in known:
            yield name, f"no {name} is called {getattr(aim, name)!r}; there are {', '.join(known)}"


def _misplaced(aim: Aim) -> Iterator[tuple[str, str]]:
    """The options that its objective lacks, and those that it does not have, by field."""
    from evenkeel.quant.portfolio.objectives import OBJECTIVES, objective

    try:
        one = objective(aim.objective)
    except InvalidInput:
        return
    for name in OPTIONS:
        if name in one.needs and name not in aim.options:
            yield name, f"{one.name} needs it"
        elif name in aim.options and name not in (*one.needs, *one.options):
            takers = [other.name for other in OBJECTIVES.values() if name in (*other.needs, *other.options)]
            yield name, f"{one.name} has no such option: leave it out, or take {' or '.join(takers)}"
    if one.tracks and not aim.benchmark:
        yield "benchmark", f"{one.name} needs it: the weights to track, of the same instruments"
    if aim.benchmark and not one.tracks:
        takers = [other.name for other in OBJECTIVES.values() if other.tracks]
        yield "benchmark", f"{one.name} tracks nothing: leave it out, or take {' or '.join(takers)}"


def _impossible(aim: Aim, symbols: Sequence[str]) -> list[tuple[str, str]]:
    """The bounds or constraints that cannot be kept to, by field."""
    import numpy as np

    from evenkeel.quant.portfolio import room
    from evenkeel.quant.portfolio.constraints import Names, parse_all

    n = len(symbols)
    if aim.least * n > 1.0 + _SLACK:
        return [("least", f"{n} weights of {aim.least:g} or more add up to more than 1: take {1 / n:g} or less")]
    if aim.most * n < 1.0 - _SLACK:
        return [("most", f"{n} weights of {aim.most:g} or less add up to less than 1: take {1 / n:g} or more")]
    try:
        rows = parse_all(aim.constraints, Names(list(symbols), {}, {}))
        room.check(room.Room(np.full(n, aim.least), np.full(n, aim.most), rows=rows))
    except InvalidInput as error:
        return [(one.field, one.message) for one in error.errors] or [("constraints", error.message)]
    return []


def returns_of(daily: DailyCloses, instruments: Sequence[Instrument], *, at: int, days: int) -> Returns:
    """Their daily returns on days that all have, up to `at` (ns): call it on a thread. Raises InvalidInput where there
    are fewer than 20, or the closes of one end long before those of others."""
    closes = {one.id: daily.closes(one, at=at, count=days + 1) for one in instruments}
    _check_ends(closes, instruments)
    found = align(closes, count=days)
    if len(found.dates) < LEAST:
        counts = ", ".join(f"{one.symbol} {len(closes[one.id])}" for one in instruments)
        message = f"only {max(0, len(found.dates))} daily returns are common to all (closes: {counts}); {LEAST} needed"
        raise InvalidInput("there is too little history", errors=(FieldError("symbols", message),))
    return found


def _check_ends(closes: Mapping[str, Closes], instruments: Sequence[Instrument]) -> None:
    """Raises InvalidInput for an instrument whose last close is as far behind as prices do not fill a gap: what all
    have in common would be of the past, and nobody would see it."""
    from evenkeel.research.portfolio.prices import DAY, FILLED_ROWS, FILLED_TIME

    longest = max((one.dates for one in closes.values()), key=lambda dates: dates[-1] if len(dates) else 0)
    for one in instruments:
        own = closes[one.id].dates
        later = longest[longest > own[-1]] if len(own) else own
        if len(later) > FILLED_ROWS and later[-1] - own[-1] > FILLED_TIME // DAY:
            last, newest = (date.fromordinal(int(day)) for day in (own[-1], later[-1]))
            message = f"{one.symbol} has no close after {last}, others have to {newest}: add its bars, or leave it out"
            raise InvalidInput("the history of an instrument has ended", errors=(FieldError("symbols", message),))


def weighed(daily: DailyCloses, instruments: Sequence[Instrument], aim: Aim, *, at: int) -> "Optimized":
    """The weights an objective finds, by symbol: call it on a thread. Raises InvalidInput."""
    from evenkeel.research.portfolio.optimize import optimize

    found = returns_of(daily, instruments, at=at, days=aim.days)
    benchmark = {one.symbol: aim.benchmark[one.id] for one in instruments if one.id in aim.benchmark}
    options: dict[str, Any] = dict(aim.options)
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
        benchmark=benchmark or None,
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
