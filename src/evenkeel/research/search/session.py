"""A search under way: trials go to the crew that is at hand, what was found before is taken from the study, and whoever
waits is told how far it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from time import monotonic
from typing import Any, Self

from evenkeel.research.compute import Crew, crew
from evenkeel.research.search.bench import FiguresBench, Trial
from evenkeel.research.search.figures import Figures, score
from evenkeel.research.search.plan import Progress
from evenkeel.research.search.study import Study, header_of, key_of, path_of

_SECONDS = 0.25


class Session:
    """Runs trials of one bench, a context. `run` may be called many times; each trial runs once."""

    def __init__(self, bench: FiguresBench, how: Mapping[str, Any], *, objective: str | None = None) -> None:
        self.bench = bench
        self.total = 0
        self.done = 0
        self.resumed = 0
        self._how, self._objective = how, objective
        self._found: dict[str, Figures] = {}
        self._before: set[str] = set()
        self._best: tuple[float, dict[str, Any]] | None = None
        self._stack = ExitStack()
        self._study: Study | None = None
        self._crew: Crew[Trial, Figures] | None = None

    def __enter__(self) -> Self:
        study = self._how.get("study")
        if study is not None:
            header = header_of(self.bench)
            self._study = self._stack.enter_context(Study(path_of(study, header), header))
            self._found = dict(self._study.found)
            self._before = set(self._found)
        return self

    def __exit__(self, *why: Any) -> None:  # noqa: PYI036 - handed on as they come
        self._stack.__exit__(*why)

    def run(self, trials: Sequence[Trial]) -> list[Figures]:
        """The figures of each trial, in order. Raises what the strategy raises, with a note of the combination."""
        keys = [key_of(trial.params, trial.span) for trial in trials]
        fresh = {key: trial for key, trial in zip(keys, trials, strict=True) if key not in self._found}
        known = len(trials) - len(fresh)
        self.resumed += len(self._before.intersection(keys))
        self._before.difference_update(keys)
        self.done += known
        self.total = max(self.total, self.done + len(fresh))
        self._weigh((trial, self._found[key]) for key, trial in zip(keys, trials, strict=True) if key not in fresh)
        if known or not self.done:
            self._tell()
        if fresh:
            self._run(fresh)
        return [self._found[key] for key in keys]

    def _run(self, fresh: dict[str, Trial]) -> None:
        trials, waiting, since = list(fresh.values()), [], monotonic()
        results = self._hands().map(trials)
        try:
            for (key, trial), figures in zip(fresh.items(), results, strict=True):
                self._found[key] = figures
                waiting.append((trial, figures))
                if monotonic() - since > _SECONDS:
                    self._keep(waiting)
                    waiting, since = [], monotonic()
        finally:
            # Also when it is cut short by an error or Ctrl+C: what is done stays done.
            self._keep(waiting)

    def _hands(self) -> Crew[Trial, Figures]:
        if self._crew is None:
            self._crew = self._stack.enter_context(crew(self.bench, self._how.get("workers", 1)))
        return self._crew

    def _keep(self, entries: list[tuple[Trial, Figures]]) -> None:
        if self._study is not None:
            self._study.add(entries)
        self.done += len(entries)
        self._weigh(entries)
        if entries:
            self._tell()

    def _weigh(self, entries: Iterable[tuple[Trial, Figures]]) -> None:
        if self._objective is None or self._how.get("progress") is None:
            return
        for trial, figures in entries:
            value = score(figures, self._objective)
            if self._best is None or value > self._best[0]:
                self._best = (value, {**trial.params, **figures})

    def _tell(self) -> None:
        progress: Progress | None = self._how.get("progress")
        if progress is not None:
            progress(self.done, self.total, self._best[1] if self._best else None)
