"""Pages over what memory holds in the order of the journal: orders and fills, newest first.

A cursor is a place in the journal's order, so it stays good while new ones arrive, and after a restart.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from evenkeel.domain import records as r
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.server.schemas import Page
from evenkeel.trading.engine.state import State

K = TypeVar("K")
T = TypeVar("T")
BAD_CURSOR = InvalidInput("the query is not valid", errors=(FieldError("cursor", "is not one this list gave"),))


class Listing:
    """Ids of orders and keys of fills, oldest first, kept up with by subscribing to the runner."""

    def __init__(self, state: State) -> None:
        self.orders: list[str] = list(state.orders)
        self.fills: list[tuple[str, str]] = list(state.fills)

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        for record in records:
            match record:
                case r.OrderDecided() | r.OrderAdopted():
                    self.orders.append(record.order_id)
                case r.FillBooked():
                    self.fills.append((record.fill.account_id, record.fill.venue_execution_id))


def page(keys: Sequence[K], take: Callable[[K], T | None], *, limit: int, cursor: str | None) -> Page[T]:
    """The newest `limit` of `keys` before `cursor` for which `take` gives something. Raises InvalidInput."""
    place = len(keys) if cursor is None else _place(cursor, len(keys))
    items: list[T] = []
    while place > 0 and len(items) < limit:
        place -= 1
        item = take(keys[place])
        if item is not None:
            items.append(item)
    return Page(items, str(place) if place > 0 else None)


def _place(cursor: str, count: int) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18 or int(cursor) > count:
        raise BAD_CURSOR
    return int(cursor)
