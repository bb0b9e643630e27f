"""Many strategies as one: their targets are combined by vote or by weight, and one position is traded."""

import re
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import ClassVar, NamedTuple

import numpy as np

from evenkeel.domain.errors import EvenkeelError, FieldError
from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, fold, warmup_of
from evenkeel.trading.strategies.parameters import Parameter, ParameterType, Params, number, resolve

_MEMBER = re.compile(r"\s*([a-z][a-z0-9-]*)\s*(?:\(([^()]*)\))?\s*(?:\*\s*([0-9.]+))?\s*")
_SYNTAX = "expected members such as sma-crossover(fast=10, slow=50)*2; rsi"


class Member(NamedTuple):
    """One strategy of the ensemble, with its checked parameters."""

    strategy: SignalStrategy
    params: Params
    weight: float


class Ensemble(SignalStrategy):
    name = "ensemble"
    version = "1"
    title = "Ensemble"
    description = (
        "Several strategies decide together. By vote: long (short) when the weights of those that are long (short),"
        " less those of the other side, reach the threshold as a share of all weights; else flat. By weight: the mean"
        " of their targets, each counted by weight and confidence, rounded to a step."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "members",
            ParameterType.TEXT,
            "sma-crossover; donchian-breakout; momentum",
            description="Templates with parameters and weights: sma-crossover(fast=10, slow=50)*2; rsi.",
        ),
        Parameter("rule", ParameterType.TEXT, "vote", description="vote or weighted.", choices=("vote", "weighted")),
        number("threshold", 0.5, 0.01, 1.0, description="By vote: the share of weights that decides."),
        number("step", 0.25, 0.01, 1.0, description="By weight: targets are multiples of it, so that it trades less."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        try:
            _members(params.text("members"))
        except EvenkeelError as error:
            return (FieldError("parameters.members", error.message),)
        except ValueError as error:
            return (FieldError("parameters.members", str(error)),)
        return ()

    def warmup(self, params: Params) -> int:
        return max(warmup_of(one.strategy, one.params) for one in _members(params.text("members")))

    def remembers(self, params: Params) -> bool:
        """A member that keeps its target keeps it from before the window, too."""
        return True

    def signals(self, bars: Bars, params: Params) -> Floats:
        members = _members(params.text("members"))
        weights = np.array([one.weight for one in members])
        targets = [evaluate(one.strategy, bars, one.params) for one in members]
        held = np.vstack([fold(one) for one in targets])
        if params.text("rule") == "vote":
            score = weights @ np.sign(held) / weights.sum()
            least = params.number("threshold") - 1e-9
            return np.where(score >= least, 1.0, np.where(score <= -least, -1.0, 0.0))
        step = params.number("step")
        mean: Floats = weights @ (held * self._confidences(bars, members, targets)) / weights.sum()
        return np.clip(np.round(mean / step) * step, -1.0, 1.0)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        """What each member holds, by its place and name."""
        members = _members(params.text("members"))
        return {
            f"{place}-{one.strategy.name}": fold(evaluate(one.strategy, bars, one.params))
            for place, one in enumerate(members, start=1)
        }

    def _confidences(self, bars: Bars, members: tuple[Member, ...], targets: list[Floats]) -> Floats:
        """How sure each member was when it last gave a target."""
        rows = []
        for one, told in zip(members, targets, strict=True):
            sure = confidence_of(one.strategy, bars, one.params, targets=told)
            rows.append(fold(np.where(np.isnan(told), np.nan, sure)))
        return np.vstack(rows)


@lru_cache(maxsize=256)
def _members(text: str) -> tuple[Member, ...]:
    """The members a text names. Raises ValueError, and InvalidInput for parameters a member does not take."""
    found = tuple(_member(part) for part in text.split(";") if part.strip())
    if not found:
        raise ValueError(_SYNTAX)
    return found


def _member(text: str) -> Member:
    from evenkeel.trading.strategies.registry import BUILT_IN

    match = _MEMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text.strip()!r}: {_SYNTAX}")
    known = {word: one for one in BUILT_IN for word in (one.name, *one.aliases)}
    name, values, times = match.groups()
    template = known.get(name)
    if template is None or template is Ensemble:
        raise ValueError(f"there is no strategy of targets named {name!r}")
    weight = 1.0 if times is None else float(times)
    if not (isfinite(weight) and weight > 0.0):
        raise ValueError(f"the weight of {name} must be above zero")
    strategy = template()
    params = resolve(strategy.parameters, dict(_value(part) for part in (values or "").split(",") if part.strip()))
    faults = strategy.check(params)
    if faults:
        raise ValueError(f"{name}: {'; '.join(fault.message for fault in faults)}")
    return Member(strategy, params, weight)


def _value(text: str) -> tuple[str, Scalar]:
    name, separator, value = (part.strip() for part in text.partition("="))
    if not separator:
        raise ValueError(f"{text.strip()!r}: expected NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        number_ = float(value)
    except ValueError:
        return name, value
    return name, int(number_) if number_ == int(number_) else number_
