"""A strategy as people name it: by its name, by its file, by its class."""

from copy import Error, deepcopy
from functools import cache
from pathlib import Path
from pickle import PicklingError

from evenkeel.domain.errors import InvalidInput
from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy, Strategy
from evenkeel.trading.strategies.registry import AnyStrategy, AnyTemplate, Registry, check_declaration, load_template

StrategyLike = str | AnyStrategy | AnyTemplate


def find(strategy: StrategyLike) -> AnyStrategy:
    """A strategy ready to run. A text is the name of a template, or FILE.py, or FILE.py:Class.

    Raises NotFound, and InvalidInput where the file or the class is no strategy.
    """
    if isinstance(strategy, SignalStrategy | PanelStrategy | Strategy):
        return strategy
    if isinstance(strategy, type) and issubclass(strategy, SignalStrategy | PanelStrategy | Strategy):
        return _made(strategy)
    if not isinstance(strategy, str):
        raise InvalidInput(
            f"{strategy!r} is not a strategy",
            hint="Give its name, the path of its file, or a class of SignalStrategy, PanelStrategy or Strategy.",
        )
    path, _, name = strategy.partition(".py:")
    if name or strategy.endswith(".py"):
        return _made(load_template(Path(path + ".py" if name else strategy), name or None))
    return known().create(strategy)


def _made(template: AnyTemplate) -> AnyStrategy:
    check_declaration(template)
    return template()


def fresh(strategy: AnyStrategy) -> AnyStrategy:
    """A copy that serves one run: what a strategy remembers of one must not reach another.

    Raises InvalidInput where it holds what cannot be copied.
    """
    try:
        return deepcopy(strategy)
    except (TypeError, Error, PicklingError) as error:
        raise InvalidInput(
            f"strategy {strategy.name} cannot be copied, and every run is given a copy of its own: {error}",
            hint="Make a lock, an open file or a connection when it is first needed, or say in `__deepcopy__` how to "
            "copy it. A single backtest takes the class, too, and then copies nothing.",
        ) from error


@cache
def known() -> Registry:
    """The templates that come along and those of installed packages; broken ones are left out."""
    registry = Registry()
    registry.load_entry_points()
    return registry
