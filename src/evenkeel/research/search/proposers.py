"""Who says which combinations to try next. `propose` gives a batch, none when it is done; `hear` takes its figures.

The same seed gives the same combinations, however many workers run them; so a search that was killed, begun again
with its study, walks the same way and finds what it had done already.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal, Protocol, get_args

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.research.search.figures import Figures, higher_is_better, is_ruined
from evenkeel.research.search.plan import Plan
from evenkeel.research.search.space import Range, Space
from evenkeel.trading.strategies.parameters import Params

Method = Literal["grid", "random", "tpe", "nsga2"]

_ATTEMPTS = 100
_BATCH = 8
_LARGEST_POPULATION = 50
_WORST = 1e12


class Proposer(Protocol):
    def propose(self) -> list[Params]: ...

    def hear(self, rows: Sequence[Figures]) -> None: ...


class Once:
    """All there is to try, in one batch."""

    def __init__(self, every: list[Params]) -> None:
        self._every = every

    def propose(self) -> list[Params]:
        every, self._every = self._every, []
        return every

    def hear(self, rows: Sequence[Figures]) -> None:
        """Nothing to learn: it is done."""


def drawn(space: Space, *, trials: int, seed: int) -> list[Params]:
    """`trials` different combinations at random, fewer where the space has no more that may run."""
    draw = Random(seed)  # noqa: S311 - chance that repeats itself is wanted
    size = space.size if space.is_countable else None
    if size is not None and size <= trials:  # drawing would look for the last ones for long
        found = space.every()
        draw.shuffle(found)
        return found
    found = []
    seen: set[tuple[tuple[str, Scalar], ...]] = set()
    for _ in range(_ATTEMPTS * trials):
        if len(seen) == size:
            break
        values = space.drawn(draw)
        key = tuple(values.items())
        if key in seen:
            continue
        seen.add(key)
        params = space.params(values)
        if params is not None:
            found.append(params)
            if len(found) == trials:
                break
    return found


class Adaptive:
    """Optuna's samplers: the tree-structured Parzen estimator (Bergstra et al. 2011), or NSGA-II (Deb et al. 2002).

    TPE is asked for eight combinations at a time, NSGA-II for a generation. A combination that may not run, whose
    objective is undefined or whose account was ruined counts as failed; one that breaks a condition on its figures is
    told by how much. Once all that there is has come up it is done.
    """

    def __init__(self, plan: Plan, *, method: Method, trials: int, seed: int) -> None:
        self._optuna = _import_optuna()
        self._space, self._objectives, self._conditions = plan.space, plan.objectives, plan.rules.on_figures
        self._left, self._attempts = trials, _ATTEMPTS * trials
        self._batch = _BATCH if method == "tpe" else min(_LARGEST_POPULATION, max(2, trials // 5))
        self._study = self._begin(method, seed)
        self._asked: list[tuple[Any, Params]] = []
        self._seen: set[tuple[tuple[str, Scalar], ...]] = set()
        self._size = plan.space.size if plan.space.is_countable else None

    def _begin(self, method: Method, seed: int) -> Any:
        optuna = self._optuna
        samplers = optuna.samplers
        sampler: Any = (
            samplers.TPESampler(seed=seed)
            if method == "tpe"
            else samplers.NSGAIISampler(seed=seed, population_size=self._batch)
        )
        directions = ["maximize" if higher_is_better(name) else "minimize" for name in self._objectives]
        loudness = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would announce every study on the terminal
        try:
            return optuna.create_study(directions=directions, sampler=sampler)
        finally:
            optuna.logging.set_verbosity(loudness)

    def propose(self) -> list[Params]:
        found: list[Params] = []
        self._asked = []
        if len(self._seen) == self._size:
            return found
        while len(found) < min(self._batch, self._left) and self._attempts > 0:
            self._attempts -= 1
            trial = self._study.ask()
            values = {name: self._suggested(trial, name) for name in self._space.axes}
            self._seen.add(tuple(values.items()))
            params = self._space.params(values)
            if params is None:
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                continue
            found.append(params)
            self._asked.append((trial, params))
        self._left -= len(found)
        return found

    def _suggested(self, trial: Any, name: str) -> Scalar:
        axis, whole = self._space.axes[name], self._space.is_whole(name)
        if isinstance(axis, Range) and axis.step is None:
            if whole:
                return int(trial.suggest_int(name, int(axis.low), int(axis.high), log=axis.log))
            return float(trial.suggest_float(name, axis.low, axis.high, log=axis.log))
        values = self._space.values(name)
        if _rises(values):
            return values[int(trial.suggest_int(name, 0, len(values) - 1))]
        return values[int(trial.suggest_categorical(name, range(len(values))))]

    def hear(self, rows: Sequence[Figures]) -> None:
        for (trial, params), figures in zip(self._asked, rows, strict=True):
            values = [figures[name] for name in self._objectives]
            for condition in self._conditions:
                trial.set_constraint(str(condition), min(condition.violation({**figures, **params}), _WORST))
            if is_ruined(figures) or any(value is None for value in values):
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(trial, values)


def proposer(plan: Plan, *, method: Method, trials: int, seed: int) -> Proposer:
    """The proposer of a method. Raises InvalidInput, also where it needs a package that is not installed."""
    if isinstance(trials, bool) or int(trials) != trials or trials < 1:
        message = f"expected a number of combinations to try, not {trials!r}"
        raise InvalidInput(f"trials: {message}", errors=(FieldError("trials", message),))
    if method not in get_args(Method):
        message = f"expected grid, random, tpe or nsga2, not {method!r}"
        raise InvalidInput(f"method: {message}", errors=(FieldError("method", message),))
    match method:
        case "grid":
            return Once(plan.space.every())
        case "random":
            return Once(drawn(plan.space, trials=int(trials), seed=seed))
        case "tpe" | "nsga2":
            return Adaptive(plan, method=method, trials=int(trials), seed=seed)


def _rises(values: Sequence[Scalar]) -> bool:
    """Whether these are numbers in order, so that neighbours are alike."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and numbers == sorted(numbers)


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InvalidInput(
            "the methods tpe and nsga2 need Optuna, which is not installed",
            hint='Install it with the extra `evenkeel[search]`, or take method="random".',
        ) from None
    return optuna
