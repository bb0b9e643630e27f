"""One program's optimisers on saved returns: `python -m benchmarks.peers.run_optimizers PROGRAM FILE`.

Prints a JSON object: for each task the value reached, and milliseconds. The standard library and numpy, beside the
program itself.
"""

import json
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.timing import timed

Arrays = dict[str, Any]
Task = Callable[[], Any]
CONFIDENCE = 0.95
POINTS = 50


def evenkeel(known: Arrays) -> dict[str, Task]:
    """Ours, from the mean, the covariance or the returns, as each task needs."""
    from evenkeel.quant.portfolio.frontier import frontier
    from evenkeel.quant.portfolio.hierarchy import hrp
    from evenkeel.quant.portfolio.objectives import Inputs, objective, solve
    from evenkeel.quant.portfolio.parity import risk_budget
    from evenkeel.quant.portfolio.room import Room

    n = len(known["mean"])
    room = Room(np.zeros(n), np.ones(n))
    inputs = Inputs(known["mean"], known["covariance"], known["returns"])

    def best(name: str) -> Task:
        return lambda: solve(objective(name), inputs, room, {})[0]

    return {
        "min-variance": best("min-variance"),
        "max-sharpe": best("max-sharpe"),
        "frontier": lambda: frontier(inputs.mean, inputs.covariance, lower=room.lower, upper=room.upper).weights,
        "cvar": best("min-cvar"),
        "risk-parity": lambda: risk_budget(inputs.covariance),
        "hrp": lambda: hrp(inputs.covariance),
    }


def pypfopt(known: Arrays) -> dict[str, Task]:
    """PyPortfolioOpt."""
    import pandas as pd
    from pypfopt import EfficientFrontier, HRPOpt  # type: ignore[import-not-found]

    returns = pd.DataFrame(known["returns"])

    def best(name: str) -> Task:
        def run() -> Any:
            found = EfficientFrontier(known["mean"], known["covariance"])
            getattr(found, name)(**({"risk_free_rate": 0.0} if name == "max_sharpe" else {}))
            return np.array(list(found.weights))

        return run

    def tree() -> Any:
        found = HRPOpt(returns, pd.DataFrame(known["covariance"])).optimize()
        return np.array([found[place] for place in range(len(known["mean"]))])

    return {"min-variance": best("min_volatility"), "max-sharpe": best("max_sharpe"), "hrp": tree}


def skfolio(known: Arrays) -> dict[str, Task]:
    """skfolio, which estimates mean and covariance from the returns as part of each fit."""
    from skfolio import RiskMeasure  # type: ignore[import-not-found]
    from skfolio.optimization import (  # type: ignore[import-not-found]
        HierarchicalRiskParity,
        MeanRisk,
        ObjectiveFunction,
        RiskBudgeting,
    )

    returns = known["returns"]

    def fitted(model: Any) -> Task:
        return lambda: model.fit(returns).weights_

    return {
        "min-variance": fitted(MeanRisk()),
        "max-sharpe": fitted(MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO)),
        "frontier": fitted(MeanRisk(efficient_frontier_size=POINTS)),
        "cvar": fitted(MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=CONFIDENCE)),
        "risk-parity": fitted(RiskBudgeting()),
        "hrp": fitted(HierarchicalRiskParity()),
    }


PROGRAMS = {"evenkeel": (evenkeel, "evenkeel"), "pypfopt": (pypfopt, "PyPortfolioOpt"), "skfolio": (skfolio, "skfolio")}


def value(task: str, weights: Any, known: Arrays) -> float:
    """What the task makes least, or with a minus sign most, of one portfolio, scaled to a total of one."""
    weights = np.maximum(np.asarray(weights)[-1 if task == "frontier" else slice(None)], 0.0)
    weights = weights / weights.sum()
    covariance = known["covariance"]
    risk = float(np.sqrt(weights @ covariance @ weights))
    if task == "cvar":
        losses = np.sort(-(known["returns"] @ weights))[::-1]
        return float(losses[: round((1 - CONFIDENCE) * len(losses))].mean())
    if task == "max-sharpe":
        return -float(weights @ known["mean"]) / risk
    if task == "risk-parity":
        parts = weights * (covariance @ weights) / risk
        return float(np.ptp(parts) / parts.mean())
    return risk**2


def main(program: str, file: str, seconds: str, *tasks: str) -> int:
    """Each task once, and as often again as fits in `seconds`, ten times at most."""
    warnings.simplefilter("ignore")
    with np.load(file) as saved:
        known = {name: saved[name] for name in saved.files}
    make, package = PROGRAMS[program]
    done: dict[str, Any] = {"version": version(package), "tasks": {}}
    for name, run in make(known).items():
        if tasks and name not in tasks:
            continue
        try:
            reached = value(name, run(), known)
            once = timed(run, 1)
            often = int(min(max(float(seconds) * 1000 / max(once["min_ms"], 1e-3), 1), 10))
            done["tasks"][name] = {"value": reached, **timed(run, often)}
        except Exception as error:  # noqa: BLE001 - a peer may fail in any way of its own; the table says so
            done["tasks"][name] = {"failed": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
