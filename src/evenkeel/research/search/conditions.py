"""Conditions on a search as people write them: `fast < slow`, `trades >= 30`, `max_drawdown > -0.2`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, ulp
from typing import NamedTuple

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.research.search.figures import NAMES, Figures, is_ruined

_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|<|>)\s*(\S+)\s*")
_SMALLEST = ulp(0.0)


@dataclass(frozen=True, slots=True)
class Condition:
    """`left` is the name of a parameter or figure, `right` another one or a number."""

    left: str
    sign: str
    right: str | float

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right if isinstance(self.right, str) else f'{self.right:g}'}"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.left, self.right) if isinstance(self.right, str) else (self.left,)

    def violation(self, values: Mapping[str, object]) -> float:
        """By how much it fails; 0 or less where it holds, infinite where a value is undefined."""
        left = _number(values[self.left])
        right = _number(values[self.right]) if isinstance(self.right, str) else self.right
        if left is None or right is None:
            return float("inf")
        over = left - right if self.sign in ("<", "<=") else right - left
        return _SMALLEST if over == 0.0 and self.sign in ("<", ">") else over

    def holds(self, values: Mapping[str, object]) -> bool:
        return self.violation(values) <= 0.0


class Rules(NamedTuple):
    """The conditions of a search: those that parameters alone decide, and those on figures."""

    on_params: tuple[Condition, ...]
    on_figures: tuple[Condition, ...]

    @classmethod
    def of(cls, texts: Iterable[str], parameters: Iterable[str]) -> Rules:
        """Raises InvalidInput for a text that does not read, or names neither a parameter nor a figure."""
        known = set(parameters)
        every = conditions_of(texts, {*known, *NAMES})
        early = tuple(one for one in every if known.issuperset(one.names))
        return cls(early, tuple(one for one in every if one not in early))

    @property
    def figures(self) -> list[str]:
        """The figures they speak of."""
        return [name for one in self.on_figures for name in one.names if name in NAMES]

    def allow(self, params: Mapping[str, object], figures: Figures) -> bool:
        """Whether it may be chosen: an account that was ruined never is."""
        return not is_ruined(figures) and all(one.holds({**figures, **params}) for one in self.on_figures)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def conditions_of(texts: Iterable[str], known: Collection[str]) -> tuple[Condition, ...]:
    """The conditions in these texts. Raises InvalidInput for one that does not read, or names what is not known."""
    found, faults = [], []
    for text in [texts] if isinstance(texts, str) else texts:
        try:
            condition = _read(text)
        except ValueError as error:
            faults.append(FieldError("constraints", str(error)))
            continue
        found.append(condition)
        faults += [
            FieldError("constraints", f"{text!r}: there is no parameter or figure {name!r}")
            for name in condition.names
            if name not in known
        ]
    if faults:
        raise InvalidInput("; ".join(fault.message for fault in faults), errors=tuple(faults))
    return tuple(found)


def _read(text: str) -> Condition:
    matched = _FORM.fullmatch(text)
    if matched is None:
        raise ValueError(f"{text!r} is not a condition; expected one such as 'trades >= 30' or 'fast < slow'")
    left, sign, right = matched.groups()
    try:
        value = float(right)
    except ValueError:
        return Condition(left, sign, right)
    if not isfinite(value):
        raise ValueError(f"{text!r} compares with no finite number")
    return Condition(left, sign, value)
