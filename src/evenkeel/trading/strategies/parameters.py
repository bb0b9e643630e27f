"""A strategy's parameters: declared with type, default and range; checked once, before any strategy sees
them.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from math import isfinite

from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.strategies import Scalar


class ParameterType(StrEnum):
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TEXT = "text"


class Parameter(Struct, frozen=True, omit_defaults=True):
    """One parameter of a template. `minimum` and `maximum` are inclusive; `choices` lists the texts allowed."""

    name: str
    type: ParameterType
    default: Scalar
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""
    choices: tuple[str, ...] = ()

    def read(self, value: Scalar) -> Scalar:
        """`value` as this parameter's type. Raises ValueError, saying what was expected."""
        match self.type:
            case ParameterType.BOOL:
                return self._flag(value)
            case ParameterType.TEXT:
                return self._text(value)
            case ParameterType.INT | ParameterType.FLOAT:
                return self._number(value)

    def _flag(self, value: Scalar) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, not {value!r}")  # noqa: TRY004 - a fault of the user, not of code
        return value

    def _text(self, value: Scalar) -> str:
        if not isinstance(value, str) or (self.choices and value not in self.choices):
            expected = f"one of {', '.join(self.choices)}" if self.choices else "a text"
            raise ValueError(f"expected {expected}, not {value!r}")
        return value

    def _number(self, value: Scalar) -> int | float:
        whole = self.type is ParameterType.INT
        expected = f"expected {'a whole number' if whole else 'a number'}{self._range()}, not {value!r}"
        if isinstance(value, bool | str | None) or not isfinite(value) or (whole and value != int(value)):
            raise ValueError(expected)
        if self.minimum is not None and value < self.minimum:
            raise ValueError(expected)
        if self.maximum is not None and value > self.maximum:
            raise ValueError(expected)
        return int(value) if whole else float(value)

    def _range(self) -> str:
        if self.minimum is not None and self.maximum is not None:
            return f" from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f" of at least {self.minimum:g}"
        return "" if self.maximum is None else f" of at most {self.maximum:g}"


def whole(
    name: str, default: int, minimum: int | None = None, maximum: int | None = None, *, description: str = ""
) -> Parameter:
    """A whole-number parameter."""
    return Parameter(name, ParameterType.INT, default, minimum, maximum, description)


def number(
    name: str,
    default: float,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    description: str = "",
) -> Parameter:
    """A real-number parameter."""
    return Parameter(name, ParameterType.FLOAT, default, minimum, maximum, description)


def flag(name: str, default: bool, *, description: str = "") -> Parameter:
    """A yes-or-no parameter."""
    return Parameter(name, ParameterType.BOOL, default, description=description)


class Params(dict[str, Scalar]):
    """Checked parameter values, read by type: `params.whole("fast")`."""

    def whole(self, name: str) -> int:
        value = self[name]
        assert isinstance(value, int)
        return value

    def number(self, name: str) -> float:
        value = self[name]
        assert isinstance(value, int | float)
        return value

    def flag(self, name: str) -> bool:
        value = self[name]
        assert isinstance(value, bool)
        return value

    def text(self, name: str) -> str:
        value = self[name]
        assert isinstance(value, str)
        return value

    def numbers(self, name: str) -> tuple[float, ...]:
        """The numbers of a text such as `0.6, 0.4`, at least one. Raises ValueError, saying which part is none."""
        parts = [part.strip() for part in self.text(name).split(",")]
        for part in parts:
            try:
                float(part)
            except ValueError:
                raise ValueError(f"expected numbers such as 0.6, 0.4; {part!r} is none") from None
        return tuple(map(float, parts))


def resolve(declared: Iterable[Parameter], values: Mapping[str, Scalar]) -> Params:
    """Every declared parameter with its given or default value. Raises InvalidInput with all faults by field."""
    if not isinstance(values, Mapping):
        raise InvalidInput(f"parameters are given by name, such as {{'fast': 10}}, not as {values!r}")
    known = {parameter.name: parameter for parameter in declared}
    faults = [
        FieldError(f"parameters.{name}", f"unknown; expected one of {', '.join(known) or 'none'}")
        for name in values
        if name not in known
    ]
    params = Params()
    for name, parameter in known.items():
        try:
            params[name] = parameter.read(values.get(name, parameter.default))
        except ValueError as error:
            faults.append(FieldError(f"parameters.{name}", str(error)))
    if faults:
        raise refusal(faults)
    return params


def refusal(faults: Iterable[FieldError]) -> InvalidInput:
    """The error for faulty parameters: all of them, in words and by field."""
    listed = tuple(faults)
    said = "; ".join(f"{fault.field.removeprefix('parameters.')}: {fault.message}" for fault in listed)
    return InvalidInput(f"the strategy's parameters are not valid: {said}", errors=listed)
