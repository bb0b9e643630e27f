"""What a portfolio must keep to, as a person says it: "tech <= 0.3", "AAPL + MSFT <= 15%", "0.9 <= beta <= 1.1".

A name stands for an asset's weight, for the sum of a group's, or for an exposure: a number of each asset, such as its
beta or a score, whose weighted sum is meant. Both sides are linear; `*` takes a number before a name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.analytics.series import Floats

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<percent>\s*%)?"
    r"|(?P<name>[A-Za-z_^][\w.:^-]*(?:/[\w.:^-]+)?)|\"(?P<quoted>[^\"]+)\"|(?P<sign><=|>=|==|=|<|>|[-+*]))"
)
_MOST = 1e12
_NO_WEIGHT = "no weight is in it"
_SENSES = {"<=": "<=", "<": "<=", ">=": ">=", ">": ">=", "==": "==", "=": "=="}


@dataclass(frozen=True)
class Linear:
    """low <= coefficients · weights <= high, as `text` said it. `coefficients` has shape (n,)."""

    text: str
    coefficients: Floats
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Names:
    """What the words of a constraint stand for: assets in the order of the weights, groups of them, exposures (n,)."""

    assets: Sequence[str]
    groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    exposures: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = {one for members in self.groups.values() for one in members} - set(self.assets)
        if unknown:
            raise InvalidInput(f"a group names assets that are not among the prices: {', '.join(sorted(unknown))}")
        for name, values in self.exposures.items():
            if len(values) != len(self.assets) or not np.all(np.isfinite(values)):
                raise InvalidInput(
                    f"the exposure {name!r} needs one finite number for each of {len(self.assets)} assets"
                )

    def coefficients(self, name: str) -> Floats:
        """What `name` stands for, as a vector (n,). Raises InvalidInput, naming what comes near."""
        if name in self.assets:
            return np.asarray(np.eye(1, len(self.assets), list(self.assets).index(name))[0])
        if name in self.groups:
            members = set(self.groups[name])
            return np.array([float(one in members) for one in self.assets])
        if name in self.exposures:
            return np.asarray(self.exposures[name], np.float64)
        known = [*self.assets, *self.groups, *self.exposures]
        folded = {one.casefold(): one for one in reversed(known)}
        near = [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=3)]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InvalidInput(f"nothing is called {name!r}{hint}")


def parse_all(texts: Sequence[str], names: Names) -> tuple[Linear, ...]:
    """Each text's constraint. Raises InvalidInput with the fault of every one that cannot be read."""
    found, faults = [], []
    for place, text in enumerate(texts):
        try:
            found.append(parse(text, names))
        except InvalidInput as error:
            faults.append(FieldError(f"constraints.{place}", f"{text!r}: {error.message}"))
    if faults:
        raise InvalidInput("some constraints cannot be read", errors=tuple(faults))
    return tuple(found)


def parse(text: str, names: Names) -> Linear:
    """One constraint: two sides with <=, >= or ==, or three, as in 0.1 <= tech <= 0.3. Raises InvalidInput."""
    sides, signs = _sides(text)
    if len(signs) not in (1, 2):
        raise InvalidInput("expected one <=, >= or ==, or two as in 0.1 <= tech <= 0.3")
    read = [_Side(side, names) for side in sides]
    if len(signs) == 1:
        return _between(text, read[0], signs[0], read[1])
    first, middle, last = read
    if "==" in signs or signs[0] != signs[1] or np.any(first.vector) or np.any(last.vector):
        raise InvalidInput("of three sides the outer two are numbers, and both signs point the same way")
    low, high = (first, last) if signs[0] == "<=" else (last, first)
    if not np.any(middle.vector):
        raise InvalidInput(_NO_WEIGHT)
    if low.number > high.number:
        raise InvalidInput(f"nothing is at least {low.number:g} and at most {high.number:g}")
    return Linear(text, middle.vector, low.number - middle.number, high.number - middle.number)


def _between(text: str, left: _Side, sign: str, right: _Side) -> Linear:
    vector, bound = left.vector - right.vector, right.number - left.number
    if not np.any(vector):
        raise InvalidInput(_NO_WEIGHT)
    low = bound if sign in (">=", "==") else -np.inf
    high = bound if sign in ("<=", "==") else np.inf
    return Linear(text, vector, low, high)


def _sides(text: str) -> tuple[list[list[re.Match[str]]], list[str]]:
    sides: list[list[re.Match[str]]] = [[]]
    signs: list[str] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise InvalidInput(f"cannot read on from {text[place:].strip()[:20]!r}")
        place = match.end()
        if match["sign"] in _SENSES:
            signs.append(_SENSES[match["sign"]])
            sides.append([])
        else:
            sides[-1].append(match)
    return sides, signs


class _Side:
    """A sum of terms: `vector` of the weights and `number` beside them."""

    def __init__(self, tokens: Sequence[re.Match[str]], names: Names) -> None:
        self.vector, self.number = np.zeros(len(names.assets)), 0.0
        self._names = names
        if not tokens:
            raise InvalidInput("one side is empty")
        place = 0
        while place < len(tokens):
            place = self._term(tokens, place)

    def _term(self, tokens: Sequence[re.Match[str]], place: int) -> int:
        """Takes in one term with its sign; where the next begins."""
        sign, first = 1.0, place
        while place < len(tokens) and tokens[place]["sign"] in ("+", "-"):
            sign *= -1.0 if tokens[place]["sign"] == "-" else 1.0
            place += 1
        if place == len(tokens):
            raise InvalidInput("it ends with a sign")
        if first and first == place:
            raise InvalidInput(f"expected + or - before {tokens[place][0].strip()!r}")
        factor: float | None = None
        vector: Floats | None = None
        while True:
            token = tokens[place]
            if token["number"] is not None:
                factor = (1.0 if factor is None else factor) * _read(token)
            elif token["sign"] is not None:
                raise InvalidInput(f"expected a number or a name, not {token['sign']!r}")
            elif vector is not None:
                raise InvalidInput("two weights are multiplied: a constraint is linear")
            else:
                vector = self._names.coefficients(token["name"] or token["quoted"])
            place += 1
            if place == len(tokens) or tokens[place]["sign"] != "*":
                break
            place += 1
            if place == len(tokens):
                raise InvalidInput("it ends with *")
        if vector is None:
            self.number += sign * (factor or 0.0)
        else:
            self.vector = self.vector + sign * (1.0 if factor is None else factor) * vector
        return place


def _read(token: re.Match[str]) -> float:
    found = float(token["number"]) / (100.0 if token["percent"] else 1.0)
    if abs(found) > _MOST:
        raise InvalidInput(f"{token['number']} is too large a number")
    return found
