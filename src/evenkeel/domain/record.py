"""What every line of the journal has, and what many of them tell: a risk check."""

from msgspec import Struct

from evenkeel.domain.limits import Layer


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", gc=False):
    """One line of the journal; `at` is engine time in ns."""

    at: int


class Check(Struct, frozen=True, omit_defaults=True, gc=False):
    """One risk check: the rule, what it allowed and what it saw, and the layer whose rule it is."""

    rule: str
    limit: str
    value: str
    reason: str | None = None
    layer: Layer = Layer.ACCOUNT
