"""Fills: one execution at a venue, known by (account, venue execution id) and booked once."""

from datetime import date
from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.money import neg
from evenkeel.domain.orders import Side


class Charge(Struct, frozen=True, gc=False):
    """One component of what an execution cost: positive is paid. `kind` is a LedgerKind value (fee, tax)."""

    component: str
    amount: Decimal
    kind: str = "fee"


class Fill(Struct, frozen=True, omit_defaults=True, gc=False):
    """A booked execution. `price` is raw, `quantity` positive; `reverses` names the execution a bust undoes."""

    id: str
    order_id: str
    account_id: str
    book: str
    instrument_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    currency: str
    executed_at: int
    session_date: date
    venue_execution_id: str
    charges: tuple[Charge, ...] = ()
    reverses: str | None = None
    synthetic: bool = False

    @property
    def signed(self) -> Decimal:
        """What it adds to the position: negative where it was a sale."""
        return self.quantity if self.side is Side.BUY else neg(self.quantity)
