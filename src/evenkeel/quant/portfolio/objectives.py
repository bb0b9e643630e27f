"""The objectives by name: each finds weights in a room, and says what value of which figure it has reached."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio import cones, few, hierarchy, long_only, parity, quadratic, tails
from evenkeel.quant.portfolio.frontier import Frontier, frontier
from evenkeel.quant.portfolio.linear import Programme
from evenkeel.quant.portfolio.quadratic import Programme as Quadratic
from evenkeel.quant.portfolio.room import Room, check_finite


@dataclass(frozen=True)
class Inputs:
    """What is known of n assets: `mean` (n,) and `covariance` (n, n) a year, past `returns` (t, n) where needed.

    `periods` rows of returns make a year; `risk_free` is a return a year; `benchmark` (n,) are the weights to track;
    `trading` (n,) what a change of each weight by one costs, a year.
    """

    mean: Floats
    covariance: Floats
    returns: Floats | None = None
    risk_free: float = 0.0
    periods: float = 1.0
    benchmark: Floats | None = None
    trading: Floats | None = None

    @property
    def past(self) -> Floats:
        """Raises InvalidInput where there are none."""
        if self.returns is None:
            raise InvalidInput("this objective is about past returns: give prices or returns, not a covariance alone")
        return self.returns

    def line(self, room: Room) -> Frontier:
        return frontier(self.mean, self.covariance, lower=room.lower, upper=room.upper, total=room.total)

    def risk(self, weights: Floats) -> float:
        return float(np.sqrt(max(float(weights @ self.covariance @ weights), 0.0)))


Options = Mapping[str, float]
Solve = Callable[[Inputs, Room, Options], Floats]
Value = Callable[[Inputs, Floats, Options], float]
Few = Literal["whole", "least", "most"]


@dataclass(frozen=True)
class Objective:
    """One objective: `solve` and the `value` reached, called `figure`; `needs` are options without a default.

    One that `tracks` takes a benchmark. `few` says how it finds the best of few assets: whole, by itself, as by whole
    numbers in a linear programme; or by a search for the least or the most of its value; None: not at all."""

    name: str
    summary: str
    solve: Solve
    value: Value
    figure: str
    needs: tuple[str, ...] = ()
    options: Mapping[str, float] = field(default_factory=dict)
    any_room: bool = True
    few: Few | None = None
    tracks: bool = False


def _curved(curvature: Floats, slope: Floats, inputs: Inputs, room: Room) -> Floats:
    return quadratic.minimise(curvature, slope, room, trading=inputs.trading)


def _min_variance(inputs: Inputs, room: Room, _: Options) -> Floats:
    if inputs.trading is not None or not room.is_box:
        return _curved(inputs.covariance, np.zeros(room.size), inputs, room)
    if room.is_long_only:
        found = long_only.solve(inputs.covariance, np.ones(room.size))
        if found is not None and found.sum() > 0.0:
            return np.asarray(found / found.sum())
    return inputs.line(room).min_variance()


def _max_sharpe(inputs: Inputs, room: Room, _: Options) -> Floats:
    if room.is_long_only and bool(np.any(inputs.mean > inputs.risk_free)):
        found = long_only.solve(inputs.covariance, inputs.mean - inputs.risk_free)
        if found is not None and found.sum() > 0.0:
            return np.asarray(found / found.sum())
    if room.is_box:
        return inputs.line(room).max_sharpe(inputs.risk_free)
    return _steepest(inputs.mean - inputs.risk_free, inputs.covariance, room)


def _steepest(excess: Floats, covariance: Floats, room: Room) -> Floats:
    """The most excess·w / sqrt(w'Σw) in any room: least y'Σy over the cone of the room with excess·y = 1.

    Where no portfolio has an excess, the answer is the one that lacks least, as on the frontier. Source: Cornuejols and
    Tütüncü (2006), "Optimization Methods in Finance", 8.2.
    """
    most = _most(excess, room)
    if excess @ most <= 0.0:
        return most
    if room.parts():
        return _steepest_by_return(excess, covariance, room)
    n = room.size
    matrix, lows, highs = room.matrix()
    cone = [np.hstack((np.eye(n), -room.upper[:, None])), np.hstack((-np.eye(n), room.lower[:, None]))]
    cone += [
        np.hstack((matrix, -highs[:, None]))[np.isfinite(highs)],
        np.hstack((-matrix, lows[:, None]))[np.isfinite(lows)],
    ]
    rows = np.concatenate(cone)
    rows = rows[np.all(np.isfinite(rows), axis=1)]
    scale = float(np.abs(excess).max()) or 1.0
    p = np.zeros((n + 1, n + 1))
    p[:n, :n] = covariance
    equal = np.vstack((np.append(excess / scale, 0.0), np.append(np.ones(n), -room.total)))
    lower = np.append(np.full(n, -np.inf), 0.0)
    nothing, anything = np.full(len(rows), -np.inf), np.full(n + 1, np.inf)
    found = quadratic.solve(
        Quadratic(p, np.zeros(n + 1), equal, np.array([1.0, 0.0]), rows, nothing, np.zeros(len(rows)), lower, anything)
    )
    return np.asarray(np.clip(found[:n] / found[n], room.lower, room.upper))


def _steepest_by_return(excess: Floats, covariance: Floats, room: Room) -> Floats:
    """The same by golden section over λ of the most utility, whose ratio has one peak along the frontier."""

    def at(power: float) -> tuple[float, Floats]:
        weights = quadratic.minimise(covariance, -(10.0**power) * excess, room)
        risk = float(np.sqrt(max(float(weights @ covariance @ weights), 1e-300)))
        return float(excess @ weights) / risk, weights

    golden = (np.sqrt(5.0) - 1.0) / 2.0
    unit = np.log10(float(np.abs(np.diag(covariance)).max()) / (float(np.abs(excess).max()) or 1.0))
    low, high = unit - 4.0, unit + 4.0
    left, right = high - golden * (high - low), low + golden * (high - low)
    values = {left: at(left), right: at(right)}
    for _ in range(60):
        if values[left][0] < values[right][0]:
            low, left = left, right
            right = low + golden * (high - low)
            values.setdefault(right, at(right))
        else:
            high, right = right, left
            left = high - golden * (high - low)
            values.setdefault(left, at(left))
    return max(values.values(), key=lambda one: one[0])[1]


def _target_return(inputs: Inputs, room: Room, options: Options) -> Floats:
    wanted = options["target"]
    if room.is_box and inputs.trading is None:
        return inputs.line(room).at_return(wanted)
    from evenkeel.quant.portfolio.constraints import Linear

    floor = Linear(f"return >= {wanted:g}", inputs.mean, low=wanted)
    return _curved(inputs.covariance, np.zeros(room.size), inputs, replace(room, rows=[*room.rows, floor]))


def _target_risk(inputs: Inputs, room: Room, options: Options) -> Floats:
    if room.is_box:
        return inputs.line(room).at_risk(options["target"])
    if not options["target"] > 0.0:
        raise InvalidInput(f"a target of risk is above zero, not {options['target']:g}")
    return cones.max_return_at_risk(inputs.mean, inputs.covariance, room, options["target"])


def _max_utility(inputs: Inputs, room: Room, options: Options) -> Floats:
    aversion = options["aversion"]
    if not aversion > 0.0:
        raise InvalidInput(f"a risk aversion is above zero, not {aversion:g}")
    if room.is_box and inputs.trading is None:
        return inputs.line(room).at_multiplier(1.0 / aversion)
    return _curved(aversion * inputs.covariance, -inputs.mean, inputs, room)


def _max_return(inputs: Inputs, room: Room, _: Options) -> Floats:
    if room.is_box:
        return inputs.line(room).max_return()
    return _most(inputs.mean, room)


def _most(excess: Floats, room: Room) -> Floats:
    """The weights of most excess·w."""
    programme = Programme(room)
    programme.cost[: room.size] = -excess / (float(np.abs(excess).max()) or 1.0)
    return np.asarray(programme.solve()[: room.size])


def _max_diversification(inputs: Inputs, room: Room, _: Options) -> Floats:
    deviations = np.sqrt(np.diag(inputs.covariance))
    if room.is_box:
        line = frontier(deviations, inputs.covariance, lower=room.lower, upper=room.upper, total=room.total)
        return line.max_sharpe(0.0)
    return _steepest(deviations, inputs.covariance, room)


def _tracking(inputs: Inputs, room: Room, _: Options) -> Floats:
    if inputs.benchmark is None:
        raise InvalidInput("tracking takes a benchmark: its weights in the same assets")
    return _curved(inputs.covariance, -inputs.covariance @ inputs.benchmark, inputs, room)


def _semi_variance(inputs: Inputs, room: Room, _: Options) -> Floats:
    return tails.min_semi_variance(inputs.past - inputs.risk_free / inputs.periods, room)


def _risk_tolerance(inputs: Inputs, room: Room, options: Options) -> Floats:
    """The frontier's point whose risk lies that share of the way from its least to that of the most return."""
    share = options["tolerance"]
    if not 0.0 <= share <= 1.0:
        raise InvalidInput(f"a risk tolerance is from 0 (least variance) to 1 (most return), not {share:g}")
    if room.is_box:
        line = inputs.line(room)
        return line.at_risk(float(line.risks[-1] + share * (line.risks[0] - line.risks[-1])))
    plain = replace(inputs, trading=None)
    careful, bold = (solve(OBJECTIVES[name], plain, room, {})[0] for name in ("min-variance", "max-return"))
    least, most = plain.risk(careful), plain.risk(bold)
    wanted = least + share * (most - least)
    if share == 1.0 or most <= least:
        return bold
    # So near its least, no solver tells what is within the risk from what is not.
    if wanted - least <= 1e-9 * most:
        return careful
    return solve(OBJECTIVES["target-risk"], plain, room, {"target": wanted})[0]


def _robust(inputs: Inputs, room: Room, options: Options) -> Floats:
    for name in ("doubt", "aversion"):
        if options[name] < 0.0:
            raise InvalidInput(f"{name} is 0 or more, not {options[name]:g}")
    spread = inputs.covariance * (inputs.periods / len(inputs.past))
    return cones.robust(
        inputs.mean, inputs.covariance, room, aversion=options["aversion"], doubt=options["doubt"], spread=spread
    )


def _least_variance_of(covariance: Floats) -> Floats:
    n = len(covariance)
    return _min_variance(Inputs(np.zeros(n), covariance), Room(np.zeros(n), np.ones(n)), {})


def _risk(inputs: Inputs, weights: Floats, _: Options) -> float:
    return inputs.risk(weights)


def _variance(inputs: Inputs, weights: Floats, _: Options) -> float:
    return inputs.risk(weights) ** 2


def _sharpe(inputs: Inputs, weights: Floats, _: Options) -> float:
    risk = inputs.risk(weights)
    return (float(inputs.mean @ weights) - inputs.risk_free) / risk if risk > 0.0 else float("inf")


def _return(inputs: Inputs, weights: Floats, _: Options) -> float:
    return float(inputs.mean @ weights)


def _utility(inputs: Inputs, weights: Floats, options: Options) -> float:
    return float(inputs.mean @ weights) - options["aversion"] / 2.0 * inputs.risk(weights) ** 2


def _diversification(inputs: Inputs, weights: Floats, _: Options) -> float:
    risk = inputs.risk(weights)
    return float(np.sqrt(np.diag(inputs.covariance)) @ np.abs(weights)) / risk if risk > 0.0 else float("inf")


def _tracking_error(inputs: Inputs, weights: Floats, _: Options) -> float:
    assert inputs.benchmark is not None
    return inputs.risk(weights - inputs.benchmark)


def _semi_deviation(inputs: Inputs, weights: Floats, _: Options) -> float:
    short = np.minimum(inputs.past @ weights - inputs.risk_free / inputs.periods, 0.0)
    return float(np.sqrt((short**2).mean()))


def _worst_utility(inputs: Inputs, weights: Floats, options: Options) -> float:
    return _utility(inputs, weights, options) - options["doubt"] * inputs.risk(weights) / float(
        np.sqrt(len(inputs.past))
    )


def _growth(inputs: Inputs, weights: Floats, _: Options) -> float:
    return float(np.log1p(inputs.past @ weights).mean())


def _unevenness(inputs: Inputs, weights: Floats, _: Options) -> float:
    parts = parity.risk_parts(weights, inputs.covariance)
    return float(parts.max() - parts.min())


_TAIL = {"confidence": 0.95}
_CAUTION = {"aversion": 2.5}
OBJECTIVES: dict[str, Objective] = {
    one.name: one
    for one in (
        Objective("min-variance", "least variance", _min_variance, _variance, "variance", few="least"),
        Objective("max-sharpe", "highest Sharpe ratio", _max_sharpe, _sharpe, "sharpe", few="most"),
        Objective("max-return", "most expected return", _max_return, _return, "return", few="whole"),
        Objective("target-return", "least variance at a return", _target_return, _variance, "variance", ("target",),
                  few="least"),
        Objective("target-risk", "most return at a risk", _target_risk, _return, "return", ("target",),
                  few="most"),
        Objective("risk-tolerance", "most return at a share of the way from the least risk to the most",
                  _risk_tolerance, _return, "return", options={"tolerance": 0.5}, few="whole"),
        Objective("max-utility", "return less aversion / 2 times variance", _max_utility, _utility, "utility",
                  options=_CAUTION, few="most"),
        Objective("max-diversification", "most risk of the parts for the risk of the whole", _max_diversification,
                  _diversification, "diversification", few="most"),
        Objective("tracking-error", "least risk against a benchmark", _tracking, _tracking_error, "tracking-error",
                  few="least", tracks=True),
        Objective("min-cvar", "least mean loss in the worst of days",
                  lambda i, r, o: tails.min_cvar(i.past, r, o["confidence"]),
                  lambda i, w, o: tails.cvar(i.past, w, o["confidence"]), "cvar", options=_TAIL, few="whole"),
        Objective("min-cdar", "least mean of the deepest drawdowns",
                  lambda i, r, o: tails.min_cdar(i.past, r, o["confidence"]),
                  lambda i, w, o: tails.cdar(i.past, w, o["confidence"]), "cdar", options=_TAIL, few="whole"),
        Objective("min-drawdown", "least deepest drawdown", lambda i, r, _: tails.min_drawdown(i.past, r),
                  lambda i, w, _: float(tails.drawdowns(i.past, w).max()), "drawdown", few="whole"),
        Objective("min-deviation", "least mean absolute deviation",
                  lambda i, r, _: tails.min_absolute_deviation(i.past, r),
                  lambda i, w, _: tails.absolute_deviation(i.past, w), "absolute-deviation", few="whole"),
        Objective("min-semi-variance", "least mean square of shortfalls", _semi_variance, _semi_deviation,
                  "semi-deviation"),
        Objective("kelly", "most growth of wealth", lambda i, r, _: cones.max_growth(i.past, r), _growth, "growth"),
        Objective("robust", "most utility for the worst mean there may be", _robust, _worst_utility, "utility",
                  options={"aversion": 2.5, "doubt": 1.0}),
        Objective("risk-parity", "equal parts of the risk", lambda i, _, __: parity.risk_budget(i.covariance),
                  _unevenness, "unevenness", any_room=False),
        Objective("inverse-volatility", "in inverse proportion to each risk",
                  lambda i, _, __: parity.inverse_volatility(i.covariance), _risk, "risk", any_room=False),
        Objective("equal-weight", "the same for each: 1/N", lambda i, _, __: np.full(i.mean.size, 1.0 / i.mean.size),
                  _risk, "risk", any_room=False),
        Objective("hrp", "hierarchical risk parity", lambda i, _, __: hierarchy.hrp(i.covariance), _risk, "risk",
                  any_room=False),
        Objective("herc", "hierarchical equal risk contribution", lambda i, _, __: hierarchy.herc(i.covariance), _risk,
                  "risk", any_room=False),
        Objective("nco", "least variance of clusters of least variance",
                  lambda i, _, __: hierarchy.nested_clusters(i.covariance, _least_variance_of), _risk, "risk",
                  any_room=False),
    )
}  # fmt: skip
ALIASES = {"minimum-variance": "min-variance", "maximum-sharpe": "max-sharpe", "efficient-return": "target-return",
           "efficient-risk": "target-risk", "1/n": "equal-weight", "cvar": "min-cvar", "cdar": "min-cdar",
           "mad": "min-deviation", "semi-variance": "min-semi-variance", "max-drawdown": "min-drawdown"}  # fmt: skip


def objective(name: str) -> Objective:
    """The objective of that name, in kebab case, or with spaces and capitals. Raises InvalidInput."""
    plain = name.strip().lower().replace("_", "-").replace(" ", "-")
    plain = ALIASES.get(plain, plain)
    if plain in OBJECTIVES:
        return OBJECTIVES[plain]
    near = difflib.get_close_matches(plain, [*OBJECTIVES, *ALIASES], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(OBJECTIVES)}"
    raise InvalidInput(f"no objective is called {name!r}{hint}")


def solve(one: Objective, inputs: Inputs, room: Room, options: Mapping[str, float]) -> tuple[Floats, float]:
    """The weights (n,) and the value reached.

    Raises InvalidInput for an option that is missing or not the objective's, and where no portfolio keeps to the room.
    """
    unknown = sorted(set(options) - set(one.options) - set(one.needs))
    if unknown:
        known = ", ".join((*one.needs, *one.options)) or "none"
        raise InvalidInput(f"{one.name} has no option {unknown[0]!r}; its options: {known}")
    missing = [name for name in one.needs if name not in options]
    if missing:
        raise InvalidInput(f"{one.name} takes {missing[0]}=, a number a year")
    given = {**one.options, **options}
    check_finite(given)
    weights = _of_few(one, inputs, room, given) if room.is_few and one.any_room else one.solve(inputs, room, given)
    if not one.any_room and not room.is_long_only:
        broken = room.breaches(weights)
        if broken:
            raise InvalidInput(f"{one.name} takes no constraints, and its weights break: {'; '.join(broken)}")
    return weights, one.value(inputs, weights, given)


def _of_few(one: Objective, inputs: Inputs, room: Room, given: Options) -> Floats:
    """The best weights where the room has a rule of few assets."""
    if one.few is None:
        takers = ", ".join(sorted(name for name, other in OBJECTIVES.items() if other.few is not None))
        raise InvalidInput(f"{one.name} does not choose a few assets; those that do are {takers}")
    if inputs.trading is not None:
        raise InvalidInput("a choice of few assets does not take costs of trading: limit the turnover in their place")
    if one.few == "whole":
        return one.solve(inputs, room, given)
    sign = 1.0 if one.few == "least" else -1.0
    return few.best(room, lambda part: one.solve(inputs, part, given), lambda w: sign * one.value(inputs, w, given))
