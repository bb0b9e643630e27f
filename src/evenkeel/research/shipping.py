"""How a strategy and its bars reach another process: the class by where it is defined, the bars in shared memory."""

from __future__ import annotations

import pickle
import sys
from ctypes import c_byte
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any, Self

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS
from evenkeel.trading.strategies.registry import AnyStrategy, AnyTemplate, load_template

_SIZE = 8
_RULE = "A worker process finds a strategy by its module or file: define the class at the top level of a Python file."


@dataclass(frozen=True, slots=True)
class StrategyReference:
    """A strategy by its class and attributes. The class is looked up in its module, else in the file of that module."""

    module: str
    name: str
    path: str | None
    state: dict[str, Any]

    @classmethod
    def of(cls, strategy: AnyStrategy) -> Self:
        """Raises InvalidInput where another process could not find the class, or not copy the attributes."""
        kind = type(strategy)
        module = sys.modules.get(kind.__module__)
        path = getattr(module, "__file__", None)
        if getattr(module, kind.__qualname__, None) is not kind:
            raise InvalidInput(f"the strategy class {kind.__qualname__} is defined inside another block", hint=_RULE)
        if kind.__module__ == "__main__" and path is None:
            raise InvalidInput(f"the strategy class {kind.__qualname__} is defined in no file", hint=_RULE)
        state = dict(vars(strategy))
        try:
            pickle.dumps(state)
        except Exception as error:
            raise InvalidInput(
                f"the attributes of strategy {strategy.name} cannot be copied to another process: {error}",
                hint="Keep in them what pickle can write, or run with workers=1.",
            ) from error
        return cls(kind.__module__, kind.__qualname__, path, state)

    def load(self) -> AnyStrategy:
        """The strategy, in this process. Raises InvalidInput as `load_template` does."""
        kind = self._kind()
        strategy = kind.__new__(kind)
        strategy.__dict__.update(self.state)
        return strategy

    def _kind(self) -> AnyTemplate:
        found: AnyTemplate | None = None
        try:
            found = getattr(import_module(self.module), self.name, None)
        except ModuleNotFoundError as error:
            if error.name is None or not self.module.startswith(error.name):
                raise
        if found is not None:
            return found
        if self.path is None:
            raise InvalidInput(f"a worker process found no module {self.module} with {self.name}", hint=_RULE)
        return load_template(Path(self.path), self.name)


@dataclass(frozen=True, slots=True)
class SharedBars:
    """Bars whose columns lie one after the other in a block that processes share; written once, then only read.

    The block has no name to clean up: it goes with the last process that holds it, killed or not.
    """

    name: str
    timeframe: str
    instrument: Instrument | None
    length: int
    block: Any

    @classmethod
    def of(cls, bars: Bars, context: SpawnContext) -> Self:
        length = len(bars)
        block = context.RawArray(c_byte, max(1, len(COLUMNS) * length * _SIZE))
        shared = cls(bars.instrument_id, bars.timeframe, bars.instrument, length, block)
        for name, column in zip(COLUMNS, shared._columns(), strict=True):
            column[:] = getattr(bars, name)
        return shared

    def bars(self) -> Bars:
        """The bars, in place and read-only."""
        columns = self._columns()
        for column in columns:
            column.flags.writeable = False
        return Bars.raw(self.name, self.timeframe, columns, self.instrument)

    def _columns(self) -> list[Any]:
        kinds = [np.int64 if name in COLUMNS[:2] else np.float64 for name in COLUMNS]
        return [
            np.frombuffer(self.block, dtype=kind, count=self.length, offset=place * self.length * _SIZE)
            for place, kind in enumerate(kinds)
        ]
