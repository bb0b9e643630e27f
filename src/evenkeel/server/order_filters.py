"""Which orders and fills a list is asked for, worked out once and then held against each."""

from msgspec import Struct

from evenkeel.domain.fills import Fill
from evenkeel.domain.orders import Order, OrderKind, Product, Side


class Wanted(Struct, frozen=True, kw_only=True):
    """None lets everything through. Of times (ns) `start` is inclusive and `end` exclusive."""

    accounts: frozenset[str]
    status: str | None = None
    books: frozenset[str] | None = None
    instruments: frozenset[str] | None = None
    side: Side | None = None
    kind: OrderKind | None = None
    product: Product | None = None
    start: int | None = None
    end: int | None = None

    def has_order(self, order: Order) -> bool:
        spec = order.spec
        return (
            spec.account_id in self.accounts
            and self._is_about(book=spec.book, instrument_id=spec.instrument_id, side=spec.side)
            and self._lies_at(order.created_at)
            and self._is_of(order)
        )

    def has_fill(self, fill: Fill, order: Order) -> bool:
        """`order` is the fill's."""
        return (
            fill.account_id in self.accounts
            and self._is_about(book=fill.book, instrument_id=fill.instrument_id, side=fill.side)
            and self._lies_at(fill.executed_at)
            and self._is_of(order)
        )

    def _is_about(self, *, book: str, instrument_id: str, side: Side) -> bool:
        return (
            (self.books is None or book in self.books)
            and (self.instruments is None or instrument_id in self.instruments)
            and self.side in (None, side)
        )

    def _lies_at(self, at: int) -> bool:
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)

    def _is_of(self, order: Order) -> bool:
        if self.kind not in (None, order.spec.kind) or self.product not in (None, order.spec.product):
            return False
        if self.status in ("open", "closed"):
            return order.is_open is (self.status == "open")
        return self.status in (None, order.state)
