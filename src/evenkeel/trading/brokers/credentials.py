"""Credentials as an adapter meets them: the fields it declares, and the port by which it gets an account's values.

An adapter asks for them when it connects an account, uses them, and keeps no copy: where they are sealed and their
owner has not unlocked the vault, `of` raises VaultLocked, which is a definite "unavailable" like any other.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from evenkeel.domain.errors import BrokerUnavailable, FieldError

LONGEST = 4096
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class CredentialField(Struct, frozen=True, kw_only=True):
    """One value that a broker asks for. `pattern`, where it is not empty, is a regular expression for all of it."""

    name: str
    label: str
    is_secret: bool = True
    is_required: bool = True
    pattern: str = ""
    longest: int = LONGEST


class Opened(Mapping[str, str]):
    """An account's values by name. Shown or logged as a whole, it says the names only."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Opened({', '.join(self._values)})"

    def __reduce__(self) -> str:
        raise TypeError("credentials are not pickled")


class Credentials(Protocol):
    async def of(self, account_id: str) -> Opened:
        """The account's values. Raises VaultLocked, and BrokerUnavailable where none have been saved."""


class NoCredentials:
    """For brokers that ask for none."""

    async def of(self, account_id: str) -> Opened:
        raise BrokerUnavailable("there are no credentials here", hint="Save them with `evenkeel account credentials`.")


def faults(fields: Sequence[CredentialField], given: Mapping[str, str], known: Sequence[str] = ()) -> list[FieldError]:
    """What is wrong with values to be saved, where those of `known` are saved already. No message repeats a value."""
    names = {field.name: field for field in fields}
    found = [
        FieldError(f"values.{name}", f"this broker takes {', '.join(names) or 'no credentials'}")
        for name in given
        if name not in names
    ]
    for name, field in names.items():
        value = given.get(name)
        if value is None:
            if field.is_required and name not in known:
                found.append(FieldError(f"values.{name}", f"{field.label} is missing"))
        elif why := _fault(field, value):
            found.append(FieldError(f"values.{name}", why))
    return found


def _fault(field: CredentialField, value: str) -> str:
    if not value.strip():
        return f"{field.label} is empty"
    if len(value) > field.longest:
        return f"at most {field.longest} characters"
    if _UNPRINTABLE.search(value):
        return "it holds characters that cannot be typed"
    if field.pattern and not re.fullmatch(field.pattern, value):
        return f"this is no {field.label}: it should match {field.pattern}"
    return ""
