"""A sweep or walk-forward in a worker. Its study lies beside the result to come, so that the next start goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenkeel.domain.errors import InvalidInput
from evenkeel.research.compute import VARIABLE, cores
from evenkeel.research.concluding import Concluded, conclude
from evenkeel.research.report import Searched
from evenkeel.research.search.searching import SearchResult
from evenkeel.research.search.searching import search as searched
from evenkeel.research.search.space import space_of
from evenkeel.research.search.study import OtherStudy
from evenkeel.research.validation import judge
from evenkeel.research.walkforward import WalkForwardResult, walk_forward
from evenkeel.server.jobs.job import STUDY, Message, Progress, Work
from evenkeel.server.jobs.telling import Teller

if TYPE_CHECKING:
    from evenkeel.desk.backtests import Search
    from evenkeel.domain.strategies import Scalar
    from evenkeel.market.bars import Bars
    from evenkeel.trading.strategies.registry import AnyStrategy

MOST_RUNS = 1_000_000
Found = SearchResult | WalkForwardResult


def search(
    work: Work,
    strategy: AnyStrategy,
    history: Mapping[str, Bars],
    *,
    options: Mapping[str, Any],
    tell: Callable[[Message], None],
) -> Concluded:
    """Searches, judges what was chosen, and concludes. Raises InvalidInput, also where nothing qualifies."""
    asked = work.asked.search
    assert asked is not None
    study = work.file.with_suffix(STUDY)
    how = {
        **options,
        "params": {name: value for name, value in work.parameters.items() if name not in asked.space},
        "engine": work.asked.engine,
        "risk_free": float(work.asked.risk_free),
        "constraints": asked.constraints,
        "workers": workers(),
        "study": study,
        "progress": Teller(tell, "running").moved,
    }
    tell(Progress("running"))
    _check_length(asked, strategy, history, fixed=how["params"])
    found = _resumed(lambda: _search(asked, strategy, history, how), study)
    tell(Progress("judging"))
    judged = _judged(found, Teller(tell, "judging"))
    tell(Progress("report"))
    return conclude(judged)


def workers() -> int:
    """One core stays with whoever trades; on a Ray cluster, all of its cores are meant for this."""
    return 0 if os.environ.get(VARIABLE, "").startswith("ray") else max(1, cores() - 1)


def _search(asked: Search, strategy: AnyStrategy, history: Mapping[str, Bars], how: dict[str, Any]) -> Found:
    axes = asked.axes()
    ways: dict[str, Any] = {"method": asked.method, "trials": asked.trials, "seed": asked.seed}
    if asked.train is None or asked.test is None:
        return searched(strategy, history, space=axes, objective=asked.objectives, **ways, **how)
    lengths: dict[str, Any] = {
        "train": asked.train, "test": asked.test, "embargo": asked.embargo, "anchored": asked.anchored,
    }  # fmt: skip
    return walk_forward(strategy, history, space=axes, objective=asked.objectives[0], **lengths, **ways, **how)


def _check_length(
    asked: Search, strategy: AnyStrategy, history: Mapping[str, Bars], *, fixed: Mapping[str, Scalar]
) -> None:
    """Raises InvalidInput for a walk-forward of more runs than a worker should hold."""
    if asked.test is None:
        return
    windows = max(map(len, history.values())) // asked.test + 1
    tries = asked.trials
    if asked.method == "grid":
        tries = space_of(strategy, asked.axes(), fixed=fixed).size
    if windows * tries > MOST_RUNS:
        raise InvalidInput(
            f"{windows:,} windows of {tries:,} combinations are more than the {MOST_RUNS:,} runs that are taken here",
            hint="Take longer test windows or fewer combinations; `evenkeel backtest walk-forward` has no such limit.",
        )


def _resumed(run: Callable[[], Found], study: Path) -> Found:
    """Goes on with the study, or begins anew where bars or code have changed since it was begun."""
    try:
        return run()
    except OtherStudy:
        study.unlink()
        return run()


def _judged(found: Found, told: Teller) -> Searched:
    try:
        return Searched(found, judge(found, workers=workers(), progress=told.moved))
    except InvalidInput as error:
        return Searched(found, unjudged=error.message)
