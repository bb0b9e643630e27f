"""Variants of a built-in schedule, by a name that says what is otherwise: `india-futures(brokerage=0.0003, taxes=off)`.

`brokerage` is a fraction of value that stands in for what the schedule's broker charges, or `off`; `taxes=off` leaves
out what the state takes. What others charge (exchange, depository) stays, and a tax on services counts those that are
left. An account keeps such a name, so each of them means the same for ever.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

from msgspec.structs import replace

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.money import mul, plain
from evenkeel.quant.costs.components import Component, CostSchedule

_NAME = re.compile(r"^(?P<base>[a-z0-9-]+)\((?P<options>[^()]+)\)$")
_BROKERAGE = frozenset({"brokerage", "commission", "maker-commission"})
_OFF = "off"


@dataclass(frozen=True, slots=True)
class Variant:
    """What is otherwise: the broker's fraction of value (None: as in the schedule), and whether taxes are charged."""

    brokerage: Decimal | None = None
    taxes: bool = True

    @classmethod
    def read(cls, options: str) -> Self:
        """Of the text between the brackets. Raises InvalidInput."""
        given = [part.strip().partition("=")[::2] for part in options.split(",")]
        names = [name for name, _ in given]
        if len(set(names)) < len(names) or set(names) - {"brokerage", "taxes"}:
            raise _refusal("fees", "expected brokerage=RATE or brokerage=off, and taxes=off")
        values = dict(given)
        if values.get("taxes", _OFF) != _OFF:
            raise _refusal("fees", "taxes can only be off")
        return cls(_rate(values["brokerage"]) if "brokerage" in values else None, "taxes" not in values)

    def name_of(self, base: str) -> str:
        """The name of this variant of a schedule."""
        told = []
        if self.brokerage is not None:
            told.append(f"brokerage={plain(self.brokerage) if self.brokerage else _OFF}")
        if not self.taxes:
            told.append("taxes=off")
        return f"{base}({', '.join(told)})" if told else base

    def of(self, schedule: CostSchedule) -> CostSchedule:
        """This variant of a schedule."""
        parts = [part for part in schedule.components if self.taxes or part.kind != "tax"]
        title = schedule.title
        if self.brokerage is not None:
            parts = [part for part in parts if part.name not in _BROKERAGE]
            title += "; without brokerage"
        if self.brokerage:
            parts.insert(0, Component("brokerage", rate=float(self.brokerage)))
            title = f"{schedule.title}; brokerage of {plain(mul(self.brokerage, Decimal(100)))} %"
        title += "" if self.taxes else "; without taxes"
        return CostSchedule(
            self.name_of(schedule.name), title, tuple(_refer(parts)), schedule.rounding, schedule.as_of, schedule.step
        )


def split_name(name: str) -> tuple[str, Variant] | None:
    """The schedule and the variant that a name means; None for a plain name. Raises InvalidInput."""
    found = _NAME.match(name)
    return None if found is None else (found["base"], Variant.read(found["options"]))


def _refer(parts: list[Component]) -> Iterable[Component]:
    """The components, those on others on those that are left."""
    names = {part.name for part in parts}
    for part in parts:
        left = tuple(name for name in part.on if name in names)
        if left or not part.on:
            yield part if left == part.on else replace(part, on=left)


def _rate(text: str) -> Decimal:
    if text == _OFF:
        return Decimal(0)
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal("NaN")
    if not (rate.is_finite() and 0 < rate < 1):
        raise _refusal("brokerage", f"expected a fraction such as 0.0003, or off, not {text!r}")
    return rate


def _refusal(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field}: {message}", errors=(FieldError(field, message),))
