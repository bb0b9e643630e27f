"""Verdicts as types: what risk says of an order. Nothing that is not Approved can be sent."""

from msgspec import Struct

from evenkeel.domain.records import Check


class Approved(Struct, frozen=True, gc=False):
    """Every check passed; `checks` holds what each saw."""

    checks: tuple[Check, ...]


class Refused(Struct, frozen=True, gc=False):
    """The first check that failed, and those that had passed before it."""

    check: Check
    passed: tuple[Check, ...] = ()


Verdict = Approved | Refused
