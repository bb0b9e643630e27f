"""Where a search looks: values of each parameter, or ranges to draw from; every combination is checked before it runs.

Values outside what a parameter declares are an error; combinations that the strategy itself refuses (fast not less
than slow) are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import exp, isfinite, log, prod
from random import Random
from typing import NamedTuple

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.research.search.conditions import Condition
from evenkeel.trading.strategies.parameters import ParameterType, Params, refusal, resolve
from evenkeel.trading.strategies.registry import AnyStrategy

LARGEST = 10_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included, in steps of `step` from `low` on, or any where there is none.

    `log`: every factor is as likely as every other. A whole-number parameter has a step of 1 unless it says more.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high or (self.step is not None and not self.step > 0):
            raise InvalidInput(f"a range goes from low to high in steps above 0, not as {self}")
        width = self.high - self.low
        if not isfinite(width) or (self.step is not None and width / self.step > LARGEST):
            raise InvalidInput(f"a range has at most {LARGEST:,} steps, unlike {self}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise InvalidInput(f"a logarithmic range lies above 0 and has no step, unlike {self}")


Values = Iterable[Scalar] | Range
Axis = tuple[Scalar, ...] | Range


Misfits = Callable[[Params], Iterable[FieldError]]


def _anything_fits(params: Params) -> Iterable[FieldError]:
    return ()


class Refusal(NamedTuple):
    """A combination that was left out, and why."""

    params: dict[str, Scalar]
    why: str


def left_out(refused: Sequence[Refusal], *, ran: int) -> str | None:
    """How many combinations were left out beside those that ran, and why the first, in words; None for none."""
    if not refused:
        return None
    first, count = refused[0], len(refused) + ran
    said = ", ".join(f"{name}={value}" for name, value in first.params.items())
    return f"{len(refused)} of {count} combinations were left out, the first ({said}) because {first.why}"


@dataclass(frozen=True)
class Space:
    """The axes of a search over a strategy. Build it with `space_of`, which checks.

    `misfits` are the faults of parameters with which the strategy cannot trade the bars of the search.
    """

    strategy: AnyStrategy
    fixed: Params
    axes: dict[str, Axis]
    conditions: tuple[Condition, ...] = ()
    misfits: Misfits = _anything_fits
    refused: list[Refusal] = field(default_factory=list)

    def params(self, values: Mapping[str, Scalar]) -> Params | None:
        """All parameters of a combination; None, and a Refusal, where it must not run."""
        params = Params(self.fixed | dict(values))
        faults = [fault.message for fault in (*self.strategy.check(params), *self.misfits(params))]
        faults += [f"not {one}" for one in self.conditions if not one.holds(params)]
        if faults:
            self.refused.append(Refusal(dict(values), "; ".join(faults)))
            return None
        return params

    @property
    def is_countable(self) -> bool:
        """Whether no range is without steps."""
        return not any(isinstance(axis, Range) and axis.step is None for axis in self.axes.values())

    @property
    def size(self) -> int:
        """How many combinations there are. Raises InvalidInput where a range without steps makes them countless."""
        return prod(len(values) for values in self._listed())

    def every(self) -> list[Params]:
        """All combinations that may run, the last axis changing fastest. Raises InvalidInput."""
        if self.size > LARGEST:
            raise InvalidInput(f"a grid of {self.size:,} combinations is too large", hint="Take wider steps or search.")
        found = (self.params(dict(zip(self.axes, values, strict=True))) for values in product(*self._listed()))
        return [params for params in found if params is not None]

    def _listed(self) -> list[tuple[Scalar, ...]]:
        return [self.values(name) for name in self.axes]

    def values(self, name: str) -> tuple[Scalar, ...]:
        """The values on an axis. Raises InvalidInput for a range without steps."""
        axis = self.axes[name]
        if not isinstance(axis, Range):
            return axis
        if axis.step is None:
            message = f"a grid needs values or a step for {name}, not {axis}"
            raise InvalidInput(message, errors=(FieldError(f"grid.{name}", message),))
        count = int((axis.high - axis.low) / axis.step + 1e-9) + 1
        whole = self.is_whole(name)
        steps = [axis.low + place * axis.step for place in range(count)]
        return tuple(int(value) if whole else value for value in steps)

    def is_whole(self, name: str) -> bool:
        (parameter,) = [one for one in self.strategy.parameters if one.name == name]
        return parameter.type is ParameterType.INT

    def drawn(self, draw: Random) -> dict[str, Scalar]:
        """One combination at random."""
        return {
            name: self._drawn(name, axis, draw) if isinstance(axis, Range) else draw.choice(axis)
            for name, axis in self.axes.items()
        }

    def _drawn(self, name: str, axis: Range, draw: Random) -> Scalar:
        if axis.step is not None:
            return draw.choice(self.values(name))
        if axis.log:
            value = exp(draw.uniform(log(axis.low), log(axis.high)))
            value = min(max(value, axis.low), axis.high)
        else:
            value = draw.uniform(axis.low, axis.high)
        return round(value) if self.is_whole(name) else value


def space_of(
    strategy: AnyStrategy,
    axes: Mapping[str, Values],
    *,
    fixed: Mapping[str, Scalar],
    conditions: tuple[Condition, ...] = (),
    misfits: Misfits = _anything_fits,
) -> Space:
    """The space of these axes; parameters without one are `fixed` or have their default.

    Raises InvalidInput naming every parameter and value at fault.
    """
    if not axes or not isinstance(axes, Mapping):
        raise InvalidInput("a search needs at least one parameter with values, such as grid={'fast': range(5, 25)}")
    base = resolve(strategy.parameters, fixed)
    known = {parameter.name: parameter for parameter in strategy.parameters}
    faults: list[FieldError] = []
    read: dict[str, Axis] = {}
    for name, values in axes.items():
        if name not in known:
            message = f"unknown; expected one of {', '.join(known) or 'none'}"
            faults.append(FieldError(f"parameters.{name}", message))
            continue
        if name in fixed:
            faults.append(
                FieldError(f"parameters.{name}", "is searched already; give it one value or several, not both")
            )
            continue
        try:
            axis = _axis(values, whole=known[name].type is ParameterType.INT)
            ends = (axis.low, axis.high) if isinstance(axis, Range) else axis
            checked = tuple(known[name].read(value) for value in ends)
        except ValueError as error:
            faults.append(FieldError(f"parameters.{name}", str(error)))
            continue
        read[name] = axis if isinstance(axis, Range) else tuple(dict.fromkeys(checked))
    if faults:
        raise refusal(faults)
    return Space(strategy, base, read, conditions, misfits)


def _axis(values: Values, *, whole: bool) -> Axis:
    """The values as they are searched. Raises ValueError."""
    if isinstance(values, Range):
        steps = 1.0 if whole and values.step is None and not values.log else values.step
        return Range(values.low, values.high, steps, values.log)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"expected a list of values or a Range, not {values!r}")  # noqa: TRY004 - a fault of the user
    listed = tuple(values)
    if not listed:
        raise ValueError("expected at least one value")
    return listed
