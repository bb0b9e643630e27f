"""What is handed to a worker, and what it says: how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from evenkeel.desk.backtests import Asked
from evenkeel.domain.strategies import Scalar

if TYPE_CHECKING:
    from evenkeel.research.shipping import StrategyReference
    from evenkeel.server.ports import BarSource

Stage = Literal["starting", "reading", "running", "judging", "figures", "report"]
STUDY = ".jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All that the worker gets; `file` is where it puts the result, and beside it the study of a search."""

    strategy: StrategyReference
    parameters: Mapping[str, Scalar]
    asked: Asked
    store: BarSource
    file: Path


class Progress(Struct, frozen=True, tag="progress"):
    """How far a worker is in a stage: `done` of `total` (moments of a backtest, combinations of a search), None where
    the stage cannot tell. `left` are seconds to the end of the stage, by the pace so far; `best` the best row so far.
    """

    stage: Stage
    done: int | None = None
    total: int | None = None
    left: float | None = None
    best: dict[str, Any] | None = None

    @property
    def share(self) -> float | None:
        """From 0 to 1."""
        return self.done / self.total if self.done is not None and self.total else None


class Finished(Struct, frozen=True, tag="finished"):
    """The result's summary; the file lies where it was wanted."""

    summary: dict[str, Any]


class Failed(Struct, frozen=True, tag="failed"):
    """Why there is no result, in words for the user; `trace` is for the log, where the fault is not the user's."""

    error: str
    trace: str | None = None


Message = Progress | Finished | Failed
