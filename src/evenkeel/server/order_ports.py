"""What the doors need of the history of an order."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from evenkeel.domain.record import Check


class OrderRow(Protocol):
    """What happened to an order."""

    @property
    def id(self) -> str: ...

    @property
    def at(self) -> int: ...

    @property
    def venue_at(self) -> int | None: ...

    @property
    def event(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def actor(self) -> str | None: ...

    @property
    def source(self) -> str | None: ...

    @property
    def reason(self) -> str | None: ...

    @property
    def rule(self) -> str | None: ...

    @property
    def limit(self) -> str | None: ...

    @property
    def value(self) -> str | None: ...

    @property
    def layer(self) -> str | None: ...

    @property
    def quantity(self) -> Decimal | None: ...

    @property
    def price(self) -> Decimal | None: ...

    @property
    def fill_id(self) -> str | None: ...

    @property
    def waited(self) -> int | None: ...

    @property
    def checks(self) -> Sequence[Check]: ...
