"""Judging orders that come together: each as if those before it were placed, with nothing placed yet.

Risk reads an account's working orders and the trades of its day. `Provisional` adds to both for as long as a basket is
judged, and takes everything back, so that cash and limits are shared without a record having been written.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct, field

from evenkeel.domain.orders import Order, OrderSpec, OrderState
from evenkeel.trading.engine import keeping, layers
from evenkeel.trading.engine.effects import Lane
from evenkeel.trading.engine.state import AccountState, State


class Provisional(Struct):
    """Orders that count as placed until they are taken back."""

    state: State
    at: int
    taken: list[tuple[AccountState, Order, bool]] = field(default_factory=list)

    def take(self, spec: OrderSpec, *, lane: Lane) -> None:
        """Counts an order that has been approved, as the fold would count it; but of the queue, what takes risk off
        takes no place that the others of its basket need."""
        account = self.state.accounts[spec.account_id]
        kept, is_held = keeping.decided(self.state, account, spec, at=self.at)
        order = Order(
            id=f"provisional:{len(self.taken)}",
            spec=spec,
            venue_client_id="",
            state=OrderState.HELD if is_held else OrderState.SUBMITTED,
            session_date=account.day,
            created_at=self.at,
            updated_at=self.at,
            quantity=spec.quantity,
            limit_price=keeping.limit_of(spec, kept),
            stop_price=keeping.stop_of(spec, kept),
            kept=kept,
        )
        counts = not is_held and not spec.is_exit
        if is_held:
            account.held[order.id] = order
        else:
            account.working.keep(order)
            if lane is not Lane.OPEN:
                account.working.unheard.pop(order.id, None)
        if counts:
            account.trades_today += 1
            layers.decided(account, spec)
        self.taken.append((account, order, counts))

    def give_back(self) -> None:
        """Leaves everything as it was before the first was taken."""
        for account, order, counts in reversed(self.taken):
            account.held.pop(order.id, None)
            account.working.drop(order)
            if counts:
                account.trades_today -= 1
                layers.undecided(account, order.spec)
        self.taken.clear()


@contextmanager
def provisional(state: State, at: int) -> Iterator[Provisional]:
    """Within it, what is taken counts; after it, nothing of that is left."""
    held = Provisional(state, at)
    try:
        yield held
    finally:
        held.give_back()
