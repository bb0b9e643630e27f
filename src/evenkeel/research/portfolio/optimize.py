"""Weights from prices: `optimize`, and what it found.

Figures are a year's, unless they say otherwise: means and covariances of simple returns times the periods of a year.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Flags, Floats
from evenkeel.quant.portfolio import covariances, expected, room
from evenkeel.quant.portfolio.assets import naming
from evenkeel.quant.portfolio.constraints import Names, parse, parse_all
from evenkeel.quant.portfolio.expected import View
from evenkeel.quant.portfolio.frontier import Frontier, frontier
from evenkeel.quant.portfolio.objectives import Inputs, objective, solve
from evenkeel.quant.portfolio.parity import risk_parts
from evenkeel.quant.portfolio.room import Room, check_finite
from evenkeel.quant.risk.concentration import effective_number
from evenkeel.research.portfolio.prices import prices_of, table, year_of

Bound = float | Sequence[float] | Mapping[str, float]


class Weights(Mapping[str, float]):
    """Weights by asset, in the order of the prices; numpy takes it as the vector (n,)."""

    def __init__(self, assets: Sequence[str], values: Floats) -> None:
        self.assets, self.values_array = tuple(assets), values
        self._by_name = dict(zip(self.assets, values.tolist(), strict=True))

    def __getitem__(self, asset: str) -> float:
        return float(self._by_name[asset])

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        return np.array(self.values_array, dtype=dtype)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}: {value:.4f}" for name, value in self._by_name.items() if abs(value) > 5e-5)
        return f"Weights({shown})"


@dataclass(frozen=True)
class Optimized:
    """What was found: `weights`, the `value` of the objective's `figure`, and what it was found from.

    `mean` (n,) and `covariance` (n, n) are a year's; `returns` (t, n) are per period, None where none were given.
    """

    objective: str
    weights: Weights
    value: float
    figure: str
    mean: Floats
    covariance: Floats
    returns: Floats | None
    periods: float
    risk_free: float
    room: Room = field(repr=False)

    @property
    def metrics(self) -> dict[str, float]:
        """Expected return, volatility and Sharpe ratio a year; how many assets are held; how far weight is spread."""
        weights = np.asarray(self.weights)
        risk = float(np.sqrt(max(float(weights @ self.covariance @ weights), 0.0)))
        expected_return = float(weights @ self.mean)
        found = {
            "expected_return": expected_return,
            "volatility": risk,
            "sharpe_ratio": (expected_return - self.risk_free) / risk if risk > 0.0 else float("nan"),
            "assets": float((np.abs(weights) > 1e-6).sum()),
            "effective_assets": effective_number(weights) if np.any(weights) else 0.0,
            "largest_weight": float(weights.max()),
            "gross": float(np.abs(weights).sum()),
        }
        if self.room.present is not None:
            found["turnover"] = float(np.abs(weights - self.room.present).sum())
        return found

    @property
    def risk_parts(self) -> Weights:
        """Each asset's part of the volatility; they add up to it."""
        return Weights(self.weights.assets, risk_parts(np.asarray(self.weights), self.covariance))

    def summary(self) -> dict[str, Any]:
        """What was found in plain values; what is not defined is None."""
        return {
            "objective": self.objective,
            "figure": self.figure,
            "value": _finite(self.value),
            "weights": dict(self.weights),
            "risk_parts": dict(self.risk_parts),
            "metrics": {name: _finite(value) for name, value in self.metrics.items()},
            "risk_free": self.risk_free,
            "periods_per_year": self.periods,
        }

    def to_html(self, path: str | Path, **options: Any) -> Path:
        """Writes the sheet: one HTML file that needs nothing else. `options` as in `report.portfolio_sheet`.

        Raises InvalidInput where it cannot be written.
        """
        report = import_module("evenkeel.research.report")  # which is drawn from results: neither is first
        written: Path = report.write_portfolio_sheet(self, path, **options)
        return written

    def frontier(self) -> Frontier:
        """The exact frontier of the same inputs within the bounds; other constraints are left out."""
        return frontier(self.mean, self.covariance, lower=self.room.lower, upper=self.room.upper, total=self.room.total)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def optimize(
    prices: Any = None,
    *,
    objective: str = "max-sharpe",
    constraints: Sequence[str] = (),
    bounds: tuple[Bound, Bound] = (0.0, 1.0),
    total: float = 1.0,
    groups: Mapping[str, Collection[str]] | None = None,
    exposures: Mapping[str, Sequence[float]] | None = None,
    present: Mapping[str, float] | Sequence[float] | None = None,
    turnover: float | None = None,
    gross: float | None = None,
    max_assets: int | None = None,
    min_weight: float | None = None,
    trading_cost: Bound = 0.0,
    benchmark: Mapping[str, float] | Sequence[float] | None = None,
    returns: Any = None,
    mean: str | Sequence[float] = "historical",
    covariance: str | Any = "sample",
    views: Mapping[str, float | tuple[float, float]] | None = None,
    risk_free: float = 0.0,
    periods: float | None = None,
    missing: str = "fill",
    assets: Sequence[str] | None = None,
    **options: float,
) -> Optimized:
    """The best weights by `objective` (`evenkeel.quant.portfolio.objectives` lists them) that keep to all constraints.

    `prices` is a frame, a mapping of names to series or an array (t, n); or give `returns` (t, n) in its place, or a
    mean and a covariance a year alone. `constraints` are texts such as "tech <= 0.3" or "AAPL + MSFT <= 15%" over
    assets, `groups` of them and `exposures` (a number of each). `bounds` are the least and the most of each weight: a
    number, or one for each. `present` are the weights held now, `turnover` the most Σ|w - present|, `gross` the most
    Σ|w|. At most `max_assets` are held, each with `min_weight` at least. `trading_cost` is what a change of a weight by
    one costs, as a share. `mean` and `covariance` are estimators by name, or numbers a year. `views` maps constraints'
    left sides, such as "AAPL - MSFT", to a return a year, or to it and a confidence (Black-Litterman, on the means for
    which the benchmark, or equal weights, is best). `risk_free` and a `target=` are a year's. Of gaps `missing` says as
    in `prices_of`; with skip an asset that lacks a price (or a return) is left out: it weighs nothing, whatever its
    bounds, in constraints too, and a view of it is not heard.

    Raises InvalidInput where something cannot be read, or no portfolio keeps to all constraints.
    """
    numbers = {"total": total, "turnover": turnover, "gross": gross, "min_weight": min_weight, "periods": periods}
    check_finite({name: one for name, one in numbers.items() if one is not None} | {"risk_free": risk_free})
    known = _known(prices, returns, mean=mean, covariance=covariance, periods=periods, missing=missing, assets=assets)
    names = Names(known.assets, groups or {}, exposures or {})
    vector = _Vectors(known.assets)
    space = Room(
        vector("the least weights", bounds[0]),
        vector("the most weights", bounds[1]),
        total,
        parse_all(constraints, names),
        None if present is None else vector("the present weights", present, rest=0.0),
        turnover,
        gross,
        max_assets,
        min_weight or 0.0,
    )
    costs = vector("the trading cost", trading_cost, rest=0.0)[known.kept]
    index = None if benchmark is None else vector("the benchmark", benchmark, rest=0.0)[known.kept]
    inputs = Inputs(
        known.mean,
        known.covariance,
        known.returns,
        risk_free,
        known.periods,
        index,
        costs if np.any(costs) else None,
    )
    held = [*compress(known.assets, known.kept)]
    with naming(held):
        if len(held) < len(known.assets):
            space = space.narrowed(known.kept)
        room.check(space)
        if views:
            inputs = _with_views(inputs, views, names, kept=known.kept)
        return _solved(objective, inputs, space, options, assets=held)


def _solved(
    wanted: str, inputs: Inputs, space: Room, options: Mapping[str, float], *, assets: Sequence[str]
) -> Optimized:
    one = objective(wanted)
    weights, value = solve(one, inputs, space, options)
    return Optimized(
        one.name, Weights(assets, weights), value, one.figure, inputs.mean, inputs.covariance, inputs.returns,
        inputs.periods, inputs.risk_free, space,
    )  # fmt: skip


@dataclass(frozen=True)
class _Known:
    """All assets, which of them are kept, and what is known of those."""

    assets: tuple[str, ...]
    kept: Flags
    mean: Floats
    covariance: Floats
    returns: Floats | None
    periods: float


def _known(
    prices: Any,
    returns: Any,
    *,
    mean: Any,
    covariance: Any,
    periods: float | None,
    missing: str,
    assets: Sequence[str] | None,
) -> _Known:
    named, past, year = _past(prices, returns, periods=periods, missing=missing)
    if past is None and isinstance(mean, str) and isinstance(covariance, str):
        raise InvalidInput("give prices, returns, or a mean and a covariance")
    seen = np.ones((1, len(np.atleast_1d(covariance)))) if past is None else past
    kept: Flags = np.asarray(np.isfinite(seen).all(axis=0))
    if past is not None and not kept.all():
        past = _of_some(past, kept)
    names = tuple(assets or named or (f"asset-{place}" for place in range(len(kept))))
    with naming([*compress(names, kept)]):
        spread = _covariance(covariance, past, year)
        middle = _mean(mean, past, year, size=len(spread))
    sizes = [
        len(kept) if isinstance(given, str) else len(found) for given, found in ((mean, middle), (covariance, spread))
    ]
    if sizes != [len(names), len(names)]:
        raise InvalidInput(f"there are {len(names)} names, {sizes[0]} means and {sizes[1]} rows of covariance")
    if len(middle) != (count := int(kept.sum())):
        middle = middle[kept]
    if len(spread) != count:
        spread = spread[np.ix_(kept, kept)]
    return _Known(names, kept, middle, spread, past, year)


def _past(
    prices: Any, returns: Any, *, periods: float | None, missing: str
) -> tuple[tuple[str, ...], Floats | None, float]:
    """The names, the returns (t, n), and how many of those make a year; only with `missing="skip"` some are NaN."""
    if prices is not None and returns is not None:
        raise InvalidInput("give prices or returns, not both")
    names: tuple[str, ...] = ()
    past, year = None, None
    if prices is not None:
        read = prices_of(prices, missing=missing)
        names, past, year = read.assets, read.returns(), year_of(read, periods)
    elif returns is not None:
        listed, past, _ = table(returns)
        names = tuple(listed)
        if np.any(np.isinf(past)) or (missing != "skip" and np.any(np.isnan(past))):
            raise InvalidInput("returns have gaps: fill or drop them first")
    if past is not None and len(past) < 2:
        raise InvalidInput("two returns at least, which are three prices, are needed")
    return names, past, year_of(None, periods) if year is None else year


def _of_some(past: Floats, kept: Flags) -> Floats:
    if not kept.any():
        raise InvalidInput(f"no asset has all of the {len(past)} returns that are looked at")
    return np.ascontiguousarray(past[:, kept])


def _covariance(given: Any, past: Floats | None, year: float) -> Floats:
    if isinstance(given, str):
        if past is None:
            raise InvalidInput("a covariance by name takes prices or returns")
        if given not in covariances.COVARIANCES:
            raise InvalidInput(f"no covariance is called {given!r}; there are {', '.join(covariances.COVARIANCES)}")
        return covariances.COVARIANCES[given](past) * year
    matrix = np.ascontiguousarray(given, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise InvalidInput("a covariance is a square table")
    if not np.all(np.isfinite(matrix)) or not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-14):
        raise InvalidInput("a covariance is finite and symmetric")
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least < -1e-8 * max(float(np.abs(matrix).max()), 1e-300) * len(matrix):
        raise InvalidInput(f"a covariance has no negative eigenvalue; this one has {least:g}")
    return (matrix + matrix.T) / 2.0


def _mean(given: Any, past: Floats | None, year: float, *, size: int) -> Floats:
    if not isinstance(given, str):
        found = np.ascontiguousarray(given, np.float64)
        if found.ndim != 1 or not np.all(np.isfinite(found)):
            raise InvalidInput("the mean is one finite number for each asset")
        return found
    if past is None:
        if given != "historical":
            raise InvalidInput("a mean by name takes prices or returns")
        return np.zeros(size)
    if given not in expected.MEANS:
        raise InvalidInput(f"no mean is called {given!r}; there are {', '.join(expected.MEANS)}")
    return expected.MEANS[given](past) * year


class _Vectors:
    """Numbers for each asset from one number, a sequence, or a mapping of names."""

    def __init__(self, assets: Sequence[str]) -> None:
        self.assets = tuple(assets)

    def __call__(self, what: str, given: Any, rest: float | None = None) -> Floats:
        size = len(self.assets)
        if isinstance(given, Mapping):
            unknown = sorted(set(given) - set(self.assets))
            if unknown:
                raise InvalidInput(f"{what}: there is no asset {unknown[0]!r}")
            absent = [name for name in self.assets if name not in given]
            if absent and rest is None:
                raise InvalidInput(f"{what}: none for {absent[0]!r}")
            found = np.array([given.get(name, rest) for name in self.assets], np.float64)
        else:
            found = np.asarray(given, np.float64)
            found = np.full(size, float(found)) if found.ndim == 0 else found
        if found.shape != (size,) or np.any(np.isnan(found)):
            raise InvalidInput(f"{what}: one number for each of {size} assets")
        return found


def _with_views(inputs: Inputs, views: Mapping[str, Any], names: Names, *, kept: Flags) -> Inputs:
    """The means as the views move them; one of an asset that is left out is not heard."""
    market = inputs.benchmark
    if market is None:
        market = np.full(inputs.mean.size, 1.0 / inputs.mean.size)
    prior = expected.implied(inputs.covariance, market, risk_free=inputs.risk_free)
    held = []
    for text, given in views.items():
        value, confidence = given if isinstance(given, tuple) else (given, 0.5)
        side = parse(f"{text} >= 0", names)
        if not np.any(side.coefficients[~kept]):
            held.append(View(side.coefficients[kept], float(value), float(confidence)))
    return replace(inputs, mean=expected.black_litterman(prior, inputs.covariance, held))
