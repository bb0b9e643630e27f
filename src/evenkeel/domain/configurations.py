"""Configurations: templates as users have set them, kept under names of their own, version by version.

A version never changes: what was deployed or tested as `my-trend@3` can be looked at, and used again, for good.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.sizing import Sizing
from evenkeel.domain.strategies import Scalar

NAME = r"^[a-z0-9]+([_-][a-z0-9]+)*$"
LONGEST_NAME = 48
_REFERENCE = re.compile(r"([^@]+)@([1-9][0-9]{0,8})")


class Range(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The values a parameter may have, both ends included; `step` is how a sweep goes through them."""

    minimum: int | float
    maximum: int | float
    step: int | float | None = None


class ConfiguredMember(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One member of an ensemble: a template with parameters and a weight.

    Where `template` named a configuration, that is kept in `configuration` with its version, and what it was resolved
    to in the other two.
    """

    template: str
    parameters: dict[str, Scalar] = {}
    weight: float = 1.0
    configuration: str | None = None


class Configuration(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A template with its parameters; some of them may be set within `ranges` when it is used, the others anyhow.

    `members` are those of an ensemble. `size` says what a target of 1 stands for, unless it is told otherwise.
    """

    template: str
    parameters: dict[str, Scalar] = {}
    ranges: dict[str, Range] = {}
    members: tuple[ConfiguredMember, ...] = ()
    size: Sizing | None = None
    description: str = ""


class Saved(Struct, frozen=True):
    """One version of a user's configuration. `template_version` is that of the code when it was saved."""

    user_id: str
    name: str
    version: int
    template_version: str
    configuration: Configuration
    created_at: int
    archived_at: int | None = None

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"


class Change(Struct, frozen=True):
    """One value that differs between two versions; None where there is none."""

    field: str
    before: Scalar | None
    after: Scalar | None


def check_name(name: str) -> None:
    """Raises InvalidInput for what cannot be a configuration's name."""
    if len(name) > LONGEST_NAME or not re.fullmatch(NAME, name):
        message = f"expected small letters and digits, in words joined by - or _, at most {LONGEST_NAME} of them"
        raise InvalidInput(f"{name[:80]!r} cannot be a name", errors=(FieldError("name", message),))


def parsed(reference: str) -> tuple[str, int | None]:
    """A name, and the version where one is named: `my-trend@3`."""
    match = _REFERENCE.fullmatch(reference)
    return (match[1], int(match[2])) if match else (reference, None)


def difference(before: Configuration, after: Configuration) -> tuple[Change, ...]:
    """What differs, value by value, in the order of the fields."""
    old, new = dict(_leaves("", msgspec.to_builtins(before))), dict(_leaves("", msgspec.to_builtins(after)))
    return tuple(
        Change(field, old.get(field), new.get(field))
        for field in dict.fromkeys((*old, *new))
        if old.get(field) != new.get(field)
    )


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, dict | list | tuple):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(f"{path}.{name}" if path else str(name), part)
    elif value is not None:
        yield path, value
