"""What objectives would have done: weights from the past alone, on a calendar or outside a band, with costs.

At each rebalancing the objective sees the returns up to that day's close, and its weights are traded at that close;
until the next one, positions drift with prices. Prices are taken as they are: adjusted ones carry dividends and splits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np

from evenkeel.domain.clock import iso
from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.bootstrap import block_means
from evenkeel.quant.analytics.series import Floats, Ints
from evenkeel.quant.analytics.summary import Values, summary
from evenkeel.quant.analytics.track import Days, Track
from evenkeel.quant.portfolio.objectives import objective
from evenkeel.quant.portfolio.room import check_finite
from evenkeel.research.portfolio.optimize import optimize
from evenkeel.research.portfolio.prices import Prices, prices_of, year_of

if TYPE_CHECKING:
    import polars as pl

EVERY = ("day", "week", "month", "quarter", "year")
YARDSTICK = "equal-weight"
_MONTH = "datetime64[M]"
_UNITS = {"day": "datetime64[D]", "week": "datetime64[W]", "month": _MONTH, "quarter": _MONTH, "year": "datetime64[Y]"}


@dataclass(frozen=True)
class Rebalance:
    """One rebalancing: the row of the prices it fell on, weights before and after, what it cost of the value then."""

    row: int
    before: Floats
    after: Floats
    cost: float

    @property
    def turnover(self) -> float:
        """Σ|after - before|: two for a portfolio exchanged whole."""
        return float(np.abs(self.after - self.before).sum())


@dataclass(frozen=True)
class Path:
    """What one objective has done: `equity` (t,) from the first rebalancing on, beginning at one, and its rebalancings.

    `failed` names, by row, the rebalancings at which it found no weights; what was held before was kept then.
    """

    objective: str
    equity: Floats
    rebalances: tuple[Rebalance, ...]
    failed: Mapping[int, str]
    metrics: Values

    @property
    def costs(self) -> float:
        """Σ of the costs, each a share of the value when it was paid."""
        return float(sum(one.cost for one in self.rebalances))

    @property
    def turnover(self) -> float:
        """The mean turnover of a rebalancing, the first one, which buys everything, left out."""
        later = [one.turnover for one in self.rebalances[1:]]
        return float(np.mean(later)) if later else 0.0


@dataclass(frozen=True)
class Comparison:
    """Paths of several objectives over the same rows of `prices`, from row `first` on, beside 1/N and a benchmark."""

    prices: Prices
    first: int
    paths: Mapping[str, Path]
    benchmark: Floats | None
    periods: float
    every: str
    lookback: int
    cost_bps: float

    def returns(self, name: str) -> Floats:
        """Returns per period (t - 1,) of one path."""
        equity = self.paths[name].equity
        return np.asarray(equity[1:] / equity[:-1] - 1.0)

    def ahead(self, name: str, of: str = YARDSTICK, *, draws: int = 2000, seed: int = 0) -> tuple[float, float, float]:
        """By how much a year one path's mean return is ahead of another's: (5 %, mean, 95 %) of a block bootstrap.

        Blocks have the cube root of the number of periods, ends joined (circular). Source: Politis and Romano (1992).
        """
        difference = self.returns(name) - self.returns(of)
        length = max(1, round(difference.size ** (1.0 / 3.0)))
        means = block_means(difference, block=length, runs=draws, seed=seed) * self.periods
        low, high = np.quantile(means, [0.05, 0.95])
        return float(low), float(difference.mean() * self.periods), float(high)

    @property
    def benchmark_metrics(self) -> Values | None:
        """All metrics of holding the benchmark; None where there is none."""
        if self.benchmark is None:
            return None
        return _metrics(self.prices, self.first, self.benchmark, periods=self.periods)

    @property
    def times(self) -> Ints:
        """The moments of all prices (t,) in ns UTC: a walk goes by the calendar, so there are some."""
        assert self.prices.times is not None
        return self.prices.times

    def summary(self) -> dict[str, Any]:
        """What was walked and how it went, in plain values: the last weights, metrics, costs and failures by path."""
        times = self.times
        return {
            "assets": list(self.prices.assets),
            "start": iso(int(times[self.first])),
            "end": iso(int(times[-1])),
            "every": self.every,
            "lookback": self.lookback,
            "cost_bps": self.cost_bps,
            "periods_per_year": self.periods,
            "benchmark": None if self.benchmark is None else float(self.benchmark[-1]),
            "paths": {name: self._told(name) for name in self.paths},
        }

    def _told(self, name: str) -> dict[str, Any]:
        path, times = self.paths[name], self.times
        last = path.rebalances[-1].after.tolist() if path.rebalances else [0.0] * len(self.prices.assets)
        ahead = dict(zip(("low", "mean", "high"), self.ahead(name), strict=True)) if name != YARDSTICK else None
        return {
            "final": float(path.equity[-1]),
            "turnover": path.turnover,
            "costs": path.costs,
            "rebalances": len(path.rebalances),
            "ahead_of_equal_weight": ahead,
            "weights": dict(zip(self.prices.assets, last, strict=True)),
            "metrics": dict(path.metrics),
            "failed": {iso(int(times[row])): why for row, why in path.failed.items()},
        }

    def to_html(self, path: str | FilePath, **options: Any) -> FilePath:
        """Writes the sheet: one HTML file that needs nothing else. `options` as in `report.comparison_sheet`.

        Raises InvalidInput where it cannot be written.
        """
        report = import_module("evenkeel.research.report")  # which is drawn from comparisons: neither is first
        written: FilePath = report.write_comparison_sheet(self, path, **options)
        return written

    def to_polars(self) -> pl.DataFrame:
        """Every rebalancing's weights, a row an asset: at (Datetime ns, UTC), objective, asset, before, after."""
        import polars as pl

        times, assets = self.times, list(self.prices.assets)
        done = [(name, one) for name, path in self.paths.items() for one in path.rebalances]
        at = pl.Series(np.repeat([times[one.row] for _, one in done], len(assets)), dtype=pl.Int64)
        return pl.DataFrame(
            {
                "at": at.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
                "objective": np.repeat([name for name, _ in done], len(assets)),
                "asset": assets * len(done),
                "before": np.concatenate([one.before for _, one in done]),
                "after": np.concatenate([one.after for _, one in done]),
            }
        )


def rebalance_history(
    prices: Any,
    *,
    objectives: Sequence[str] | Mapping[str, Mapping[str, Any]],
    every: str = "month",
    lookback: int = 756,
    cost_bps: float = 10.0,
    band: float = 0.0,
    benchmark: str | Mapping[str, float] | None = None,
    missing: str = "skip",
    periods: float | None = None,
    **settings: Any,
) -> Comparison:
    """Walks `objectives` forward over `prices`, each rebalancing from the last `lookback` returns alone.

    `objectives` are names, or a mapping of any names to the settings of `evenkeel.optimize` (its `objective` among
    them); `settings` are for all that are asked for. 1/N is always walked beside them. `every` is day, week, month,
    quarter or year: the last row of each. With `band`, a rebalancing trades only where a weight has drifted from its
    target by more. `cost_bps` is paid on what is traded, in basis points. `benchmark` is an asset of the prices or
    weights of several, what is left of them in cash: held beside from the first rebalancing on, without costs, and what
    `tracking-error` and the equilibrium of views take, at each rebalancing in the weights that it has drifted to by
    then. A `benchmark` among an objective's own settings is fixed weights.

    Of gaps `missing` says as in `prices_of`. With skip an asset takes part where it has all of the returns looked back
    at: it joins once it has a past, and leaves, at its last price, where it has not had one for ten rows and ten days.
    The walk begins with two of them. Raises InvalidInput.
    """
    known = prices_of(prices, missing=missing)
    rows = _due(known, every, lookback)
    if cost_bps < 0.0 or not 0.0 <= band < 1.0:
        raise InvalidInput("costs are not below zero, and a band is a share of the whole from 0, below 1")
    year = year_of(known, periods)
    named = dict(objectives) if isinstance(objectives, Mapping) else {name: {"objective": name} for name in objectives}
    asked = {name: {"objective": name, **settings, **own} for name, own in named.items()}
    asked.setdefault(YARDSTICK, {"objective": YARDSTICK})
    walk, first = _Walk(known, rows, cost=cost_bps / 10_000.0, band=band, year=year), int(rows[0])
    held = None if benchmark is None else _Held.of(known, benchmark, first=first)
    paths = {}
    for name, own in asked.items():
        paths[name] = walk.path(name, _chooser(known, lookback, year, own, held))
    return Comparison(known, first, paths, None if held is None else held.worth, year, every, lookback, cost_bps)


@dataclass(frozen=True)
class _Held:
    """A benchmark bought at row `first` and left alone: what it has made of one, `worth` (t,), and each asset's part of
    that, `parts` (t, n)."""

    first: int
    worth: Floats
    parts: Floats

    @staticmethod
    def of(prices: Prices, benchmark: str | Mapping[str, float], *, first: int) -> _Held:
        """Raises InvalidInput for assets that there are not, or not yet, and for weights that lose all."""
        given = {benchmark: 1.0} if isinstance(benchmark, str) else dict(benchmark)
        check_finite({f"the benchmark's weight of {name}": weight for name, weight in given.items()})
        for name, weight in given.items():
            if name not in prices.assets:
                raise InvalidInput(f"there is no asset {name!r} for a benchmark")
            if weight and np.isnan(prices.values[first, prices.assets.index(name)]):
                raise InvalidInput(f"the benchmark {name} has no price where the walk begins: start it later")
        weights = np.array([given.get(name, 0.0) for name in prices.assets])
        if not np.any(weights):
            raise InvalidInput("a benchmark holds something: name an asset, or give it weights that are not all zero")
        values = prices.standing()[first:]
        parts = np.zeros(values.shape)
        parts[:, weights != 0.0] = (weights * values / values[0])[:, weights != 0.0]
        worth = 1.0 - float(weights.sum()) + parts.sum(axis=1)
        if np.any(worth <= 0.0):
            raise InvalidInput("the benchmark has lost all that was put in: take other weights")
        return _Held(first, worth, parts)

    def weights(self, row: int) -> Floats:
        """What it has drifted to by that row of the prices (n,)."""
        return np.asarray(self.parts[row - self.first] / self.worth[row - self.first])


def _due(prices: Prices, every: str, lookback: int) -> Ints:
    """The rows at which a period ends, from the first where two assets have `lookback` returns; never the last row."""
    if every not in EVERY:
        raise InvalidInput(f"every= is one of {', '.join(EVERY)}, not {every!r}")
    if lookback < 2:
        raise InvalidInput(f"a lookback is two returns or more, not {lookback}")
    count = len(prices.values)
    numbers = _days(prices).astype(_UNITS[every]).astype(np.int64)
    ends = np.flatnonzero(np.diff(numbers // 3 if every == "quarter" else numbers))
    due = ends[(ends >= lookback) & (ends < count - 1)]
    whole = (np.isfinite(prices.values[row - lookback : row + 1]).all(axis=0).sum() for row in due.tolist())
    begins = next((place for place, found in enumerate(whole) if found >= min(2, len(prices.assets))), None)
    if begins is None:
        raise InvalidInput(f"{count} prices leave no rebalancing after a lookback of {lookback}")
    return np.asarray(due[begins:])


def _days(prices: Prices) -> Days:
    if prices.times is None:
        raise InvalidInput("rebalancing takes prices with times: a column of dates, or an index of them")
    return np.asarray(prices.times.astype("datetime64[ns]").astype("datetime64[D]"))


def _chooser(
    prices: Prices, lookback: int, year: float, settings: Mapping[str, Any], benchmark: _Held | None
) -> Callable[[int, Floats], Floats]:
    """From a row and the weights held, the weights wanted; it sees no row after that one. Raises InvalidInput where
    there is nothing to track."""
    returns, tracks = prices.returns(), objective(settings["objective"]).tracks
    if tracks and benchmark is None and settings.get("benchmark") is None:
        raise InvalidInput(f"{settings['objective']} needs a benchmark: an asset, or the weights to track")
    follows = benchmark if (tracks or settings.get("views")) and settings.get("benchmark") is None else None
    takes_present = "turnover" in settings or "trading_cost" in settings

    def choose(row: int, held: Floats) -> Floats:
        own = dict(settings)
        if follows is not None:
            own["benchmark"] = follows.weights(row)
        if takes_present and np.any(held):
            own["present"] = held
        elif takes_present:
            own.pop("turnover", None)
        seen = returns[row - lookback : row]
        found = optimize(returns=seen, assets=prices.assets, periods=year, missing="skip", **own)
        return np.array([found.weights.get(name, 0.0) for name in prices.assets])

    return choose


@dataclass(frozen=True)
class _Walk:
    prices: Prices
    rows: Ints
    cost: float
    band: float
    year: float

    def path(self, name: str, choose: Callable[[int, Floats], Floats]) -> Path:
        values = self.prices.standing()
        first = int(self.rows[0])
        equity = np.empty(len(values) - first)
        equity[0] = worth = 1.0
        weights = np.zeros(values.shape[1])
        done: list[Rebalance] = []
        failed: dict[int, str] = {}
        for place, row in enumerate(self.rows.tolist()):
            try:
                wanted = choose(row, weights)
            except InvalidInput as error:
                failed[row] = error.message
                wanted = weights
            is_gone = np.any(weights[np.isnan(self.prices.values[row])])
            if not done or is_gone or np.abs(wanted - weights).max() > self.band:
                paid = _paid(weights, wanted, self.cost)
                if np.any(wanted != weights):
                    done.append(Rebalance(row, weights, wanted, paid))
                worth *= 1.0 - paid
                weights = wanted
            cash = 1.0 - float(weights.sum())
            end = int(self.rows[place + 1]) if place + 1 < len(self.rows) else len(values) - 1
            growth = values[row + 1 : end + 1] / values[row] @ weights + cash
            equity[row - first + 1 : end - first + 1] = worth * growth
            drifted = weights * values[end] / values[row]
            weights, worth = drifted / growth[-1], worth * growth[-1]
        return Path(name, equity, tuple(done), failed, _metrics(self.prices, first, equity, periods=self.year))


def _metrics(prices: Prices, first: int, equity: Floats, *, periods: float) -> Values:
    days = _days(prices)[first:]
    return summary(Track.of_equity(days[1:], equity[1:], start=days[0], capital=1.0), periods=periods)


def _paid(before: Floats, wanted: Floats, cost: float) -> float:
    """The share of the value that trading costs: what is bought is a share of what is left after it."""
    paid = 0.0
    for _ in range(50):
        again = cost * float(np.abs(wanted * (1.0 - paid) - before).sum())
        if abs(again - paid) < 1e-15:
            break
        paid = again
    return paid
