"""The members of an ensemble, as a text and as strategies: `sma-crossover(fast=10, slow=50)*2; rsi`.

One that decides on each instrument by itself has members that do so, too; of several instruments together, any.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import NamedTuple, TypeVar

from evenkeel.domain.strategies import Scalar
from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy
from evenkeel.trading.strategies.parameters import Params, resolve

_MEMBER = re.compile(r"\s*([a-z][a-z0-9-]*)\s*(?:\(([^()]*)\))?\s*(?:\*\s*([0-9.]+))?\s*")
S = TypeVar("S", bound=SignalStrategy | PanelStrategy)
_SYNTAX = "expected members such as sma-crossover(fast=10, slow=50)*2; rsi"


class Member(NamedTuple):
    """One strategy of an ensemble, with its checked parameters."""

    strategy: SignalStrategy
    params: Params
    weight: float


class PanelMember(NamedTuple):
    """The same of an ensemble of several instruments."""

    strategy: SignalStrategy | PanelStrategy
    params: Params
    weight: float


@lru_cache(maxsize=256)
def members_of(text: str) -> tuple[Member, ...]:
    """The members a text names. Raises ValueError, and InvalidInput for parameters a member does not take."""
    from evenkeel.trading.strategies.ensemble import Ensemble
    from evenkeel.trading.strategies.registry import BUILT_IN, PANELS

    known = [one for one in BUILT_IN if one is not Ensemble]
    together = {word: one for one in PANELS for word in (one.name, *one.aliases)}
    found = []
    for name, values, weight in _named(text):
        if name in together:
            raise ValueError(
                f"{name} decides on several instruments together, and an ensemble of this kind on each by itself: make "
                "it a member of a panel-ensemble"
            )
        found.append(Member(*_made(name, values, known), weight))
    return tuple(found)


@lru_cache(maxsize=256)
def panel_members_of(text: str) -> tuple[PanelMember, ...]:
    """The same, where any may be a member that is no ensemble itself."""
    from evenkeel.trading.strategies.ensemble import Ensemble
    from evenkeel.trading.strategies.panel_ensemble import PanelEnsemble
    from evenkeel.trading.strategies.registry import BUILT_IN, PANELS

    every: tuple[type[SignalStrategy | PanelStrategy], ...] = (*BUILT_IN, *PANELS)
    known = [one for one in every if one not in (Ensemble, PanelEnsemble)]
    return tuple(PanelMember(*_made(name, values, known), weight) for name, values, weight in _named(text))


def text_of(members: Iterable[tuple[str, Mapping[str, Scalar], float]]) -> str:
    """The text of members given as (template, parameters, weight)."""
    return "; ".join(_written(*member) for member in members)


def _written(template: str, parameters: Mapping[str, Scalar], weight: float) -> str:
    values = ", ".join(f"{name}={_shown(value)}" for name, value in parameters.items())
    times = "" if weight == 1 else f"*{Decimal(repr(weight)).normalize():f}"
    return f"{template}({values}){times}" if values else f"{template}{times}"


def _shown(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(text: str) -> list[tuple[str, str, float]]:
    """(template, parameters as written, weight) of each member. Raises ValueError."""
    found = []
    for part in text.split(";"):
        if not part.strip():
            continue
        match = _MEMBER.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r}: {_SYNTAX}")
        name, values, times = match.groups()
        found.append((name, values or "", _weight(name, times)))
    if not found:
        raise ValueError(_SYNTAX)
    return found


def _made(name: str, values: str, templates: Iterable[type[S]]) -> tuple[S, Params]:
    """A member of one of these templates, with its checked parameters. Raises ValueError, InvalidInput."""
    known = {word: one for one in templates for word in (one.name, *one.aliases)}
    if name not in known:
        raise ValueError(f"there is no strategy of targets named {name!r}")
    strategy = known[name]()
    params = resolve(strategy.parameters, dict(_value(part) for part in values.split(",") if part.strip()))
    faults = strategy.check(params)
    if faults:
        raise ValueError(f"{name}: {'; '.join(fault.message for fault in faults)}")
    return strategy, params


def _weight(name: str, times: str | None) -> float:
    try:
        weight = 1.0 if times is None else float(times)
    except ValueError:
        weight = 0.0
    if not (isfinite(weight) and weight > 0.0):
        raise ValueError(f"the weight of {name} must be above zero")
    return weight


def _value(text: str) -> tuple[str, Scalar]:
    name, separator, value = (part.strip() for part in text.partition("="))
    if not separator:
        raise ValueError(f"{text.strip()!r}: expected NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        number = float(value)
    except ValueError:
        return name, value
    return name, int(number) if isfinite(number) and number == int(number) else number
