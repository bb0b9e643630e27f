"""Options that would change nothing beside those they are given with: refused, with a word on when they act."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from evenkeel.cli.aiming import at_fault


def check_prices(asked: typer.Context) -> None:
    """What is said of prices and of constraints acts. Raises InvalidInput."""
    source = asked.get_parameter_source("timeframe")
    if asked.params["prices"] is not None and source is not None and source.name == "COMMANDLINE":
        raise at_fault(
            "--timeframe", "is of stored bars; the rows of a file are as far apart as they are: leave it out"
        )
    for option in ("group", "exposure"):
        for text in asked.params[f"{option}s"] or ():
            name, sign, _ = text.partition("=")
            if sign and not _is_named(name, asked.params["constraints"] or ()):
                told = f'{name} is in no constraint: it acts in one, such as --constraint "{name} <= 0.3"'
                raise at_fault(f"--{option}", told)


def _is_named(name: str, constraints: Sequence[str]) -> bool:
    whole = re.compile(rf"(?<![\w.]){re.escape(name.strip())}(?![\w.])")
    return any(whole.search(text) for text in constraints)


def check_optimize(given: Mapping[str, Any], objective: str) -> None:
    """What is said of a benchmark and of changes acts. Raises InvalidInput."""
    from evenkeel.quant.portfolio.objectives import OBJECTIVES
    from evenkeel.quant.portfolio.objectives import objective as known

    one = known(objective)
    if given["benchmark"] and not one.tracks:
        takers = " or ".join(other.name for other in OBJECTIVES.values() if other.tracks)
        raise at_fault("--benchmark", f"{one.name} tracks nothing: leave it out, or take --objective {takers}")
    if given["turnover"] is not None and not given["present"]:
        raise at_fault("--turnover", "bounds the change from what is held now: say that with --present")


def check_frontier(given: Mapping[str, Any]) -> None:
    """Raises InvalidInput for what corner portfolios have no use for."""
    if given["params"]:
        raise at_fault("--param", "is of an objective, and the frontier has none: leave it out")
    if given["risk_free"] is not None:
        raise at_fault("--risk-free", "is what Sharpe ratios are measured from, and corners have none: leave it out")


def check_rebalance(preview: bool, *, wash_days: int | None, name: str | None, retry: bool, wait: float | None) -> None:
    """What is said of a preview is of one, and what is said of a rebalance of one that trades. Raises InvalidInput."""
    if preview:
        for option, is_given in (("--id", name is not None), ("--retry", retry), ("--wait", wait is not None)):
            if is_given:
                raise at_fault(option, "is of a rebalance that trades: leave it out, or --preview")
    elif wash_days is not None:
        raise at_fault("--wash-days", "is where --preview looks for wash sales: add that, or leave it out")
    if retry and name is None:
        raise at_fault("--retry", "goes on with a rebalance that is named: give its --id")
    if wait is not None and wait < 0:
        raise at_fault("--wait", f"expected seconds, 0 or more, not {wait:g}")
