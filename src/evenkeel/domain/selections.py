"""What a command over many is about: which orders and positions, and how to change each order."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.errors import FieldError
from evenkeel.domain.orders import OrderKind, OrderSpec, Product, Side, Trail
from evenkeel.domain.positions import PositionKey

MOST_TICKS = 1_000_000


class Selection(Struct, frozen=True, omit_defaults=True):
    """The orders, or positions, of these accounts that fit everything given; None fits all.

    Of positions, `side` is BUY for longs and SELL for shorts; they have no `kind`.
    """

    account_ids: tuple[str, ...]
    book: str | None = None
    instrument_id: str | None = None
    side: Side | None = None
    kind: OrderKind | None = None
    product: Product | None = None

    def fits(self, spec: OrderSpec) -> bool:
        """Whether an order is meant; its account is not looked at."""
        return (
            self.book in (None, spec.book)
            and self.instrument_id in (None, spec.instrument_id)
            and self.side in (None, spec.side)
            and self.kind in (None, spec.kind)
            and self.product in (None, spec.product)
        )

    def holds(self, key: PositionKey) -> bool:
        """Whether a position is meant, whatever its side; its account is not looked at."""
        return (
            self.book in (None, key.book)
            and self.instrument_id in (None, key.instrument_id)
            and self.product in (None, key.product)
        )


class Edit(Struct, frozen=True, omit_defaults=True):
    """How to change a working order; None keeps what stands.

    `quantity` is the new total, or `factor` times the present one, cut to whole lots. Prices are set, or moved by
    `ticks` or by a fraction of themselves (`percent` 0.01 is one per cent up), rounded to the tick. `at_market`: the
    order is cancelled, and once that is confirmed a market order takes the place of what has not filled. The price that
    a held order waits for, how far a stop trails, and when a GTD order ends (ns) can be changed, too.
    """

    quantity: Decimal | None = None
    factor: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    ticks: int | None = None
    percent: Decimal | None = None
    at_market: bool = False
    trigger_price: Decimal | None = None
    trail: Trail | None = None
    expires_at: int | None = None


def edit_faults(edit: Edit) -> list[FieldError]:
    """What makes no sense of an edit, whatever the order."""
    prices = [name for name in ("limit_price", "stop_price") if getattr(edit, name) is not None]
    moves = [name for name in ("ticks", "percent") if getattr(edit, name) is not None]
    if edit == Edit():
        return [FieldError("", "says nothing to change: give a quantity, a price, or how far to move it")]
    if edit.at_market and edit != Edit(at_market=True):
        return [FieldError("at_market", "goes with nothing else: a market order has no price")]
    faults = []
    if edit.quantity is not None and edit.factor is not None:
        faults.append(FieldError("factor", "give either a quantity or a factor"))
    if edit.factor is not None and not 0 < edit.factor <= 1000:
        faults.append(FieldError("factor", "expected a number above 0, at most 1000"))
    if moves and (prices or len(moves) > 1):
        faults.append(FieldError(moves[-1], "give either prices, ticks or a percentage"))
    if edit.ticks is not None and not 0 < abs(edit.ticks) <= MOST_TICKS:
        faults.append(FieldError("ticks", f"expected a whole number other than 0, at most {MOST_TICKS}"))
    if edit.percent is not None and not (edit.percent and -1 < edit.percent <= 10):
        faults.append(FieldError("percent", "expected a fraction other than 0, above -1 and at most 10"))
    return faults
