"""The members of an ensemble, as a text and as strategies: `sma-crossover(fast=10, slow=50)*2; rsi`."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

from evenkeel.domain.strategies import Scalar
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Params, resolve

_MEMBER = re.compile(r"\s*([a-z][a-z0-9-]*)\s*(?:\(([^()]*)\))?\s*(?:\*\s*([0-9.]+))?\s*")
_SYNTAX = "expected members such as sma-crossover(fast=10, slow=50)*2; rsi"


class Member(NamedTuple):
    """One strategy of an ensemble, with its checked parameters."""

    strategy: SignalStrategy
    params: Params
    weight: float


@lru_cache(maxsize=256)
def members_of(text: str) -> tuple[Member, ...]:
    """The members a text names. Raises ValueError, and InvalidInput for parameters a member does not take."""
    found = tuple(_member(part) for part in text.split(";") if part.strip())
    if not found:
        raise ValueError(_SYNTAX)
    return found


def text_of(members: Iterable[tuple[str, Mapping[str, Scalar], float]]) -> str:
    """The text of members given as (template, parameters, weight)."""
    return "; ".join(_written(*member) for member in members)


def _written(template: str, parameters: Mapping[str, Scalar], weight: float) -> str:
    values = ", ".join(f"{name}={_shown(value)}" for name, value in parameters.items())
    times = "" if weight == 1 else f"*{Decimal(repr(weight)).normalize():f}"
    return f"{template}({values}){times}" if values else f"{template}{times}"


def _shown(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _member(text: str) -> Member:
    from evenkeel.trading.strategies.ensemble import Ensemble
    from evenkeel.trading.strategies.registry import BUILT_IN

    match = _MEMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text.strip()!r}: {_SYNTAX}")
    known = {word: one for one in BUILT_IN if one is not Ensemble for word in (one.name, *one.aliases)}
    name, values, times = match.groups()
    template = known.get(name)
    if template is None:
        raise ValueError(f"there is no strategy of targets named {name!r}")
    weight = _weight(name, times)
    strategy = template()
    params = resolve(strategy.parameters, dict(_value(part) for part in (values or "").split(",") if part.strip()))
    faults = strategy.check(params)
    if faults:
        raise ValueError(f"{name}: {'; '.join(fault.message for fault in faults)}")
    return Member(strategy, params, weight)


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
