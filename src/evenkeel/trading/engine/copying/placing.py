"""The follower's side of a copy: where it is held, what works there, and how its orders are placed."""

from decimal import Decimal
from typing import Any

from msgspec import structs

from evenkeel.domain.commands import SubmitOrder
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import CopyKind, CopyMode, Held
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.money import ONE, ZERO, add, mul, neg, rounded
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine import orders
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn


def provenance_of(one: LinkState, name: str, *, master_order_id: str = "") -> Provenance:
    """A copy comes from its link, because of the record of that number, and has the master's order as its parent."""
    return Provenance(actor=one.link.id, source=Source.COPY_LINK, cause_id=name, parent_id=master_order_id or None)


def key_of(one: LinkState, instrument_id: str) -> PositionKey:
    """Where the follower holds what it copies of one of the master's instruments."""
    link = one.link
    return PositionKey(link.follower_id, link.id, link.rule(instrument_id).instrument_id, link.product)


def held_of(state: State, one: LinkState, *, instrument_id: str, resting: bool | None = None) -> Held:
    """What the follower holds of it, and what works there; of copied orders what rests counts only where `resting`."""
    key, buys, sells = key_of(one, instrument_id), ZERO, ZERO
    working = state.accounts[key.account_id].working
    if not working:
        return Held(state.position(key).quantity)
    counts_all = one.link.mode is CopyMode.FILLS if resting is None else resting
    for order in working.values():
        spec = order.spec
        if spec.book != key.book or spec.instrument_id != key.instrument_id:
            continue
        if not counts_all and order.kind is not OrderKind.MARKET:
            continue
        if spec.side is Side.BUY:
            buys = add(buys, order.remaining)
        else:
            sells = add(sells, order.remaining)
    return Held(state.position(key).quantity, buys, sells)


def worst_price(state: State, one: LinkState, *, instrument_id: str, price: Decimal, side: int) -> Decimal | None:
    """The worst price at which a copy of what cost the master `price` may open; None for any."""
    slippage = one.link.terms.max_slippage
    if slippage is None:
        return None
    rule = one.link.rule(instrument_id)
    bound = mul(mul(price, rule.price), add(ONE, slippage if side > 0 else neg(slippage)))
    tick = state.instruments[rule.instrument_id].tick_size
    return rounded(bound, tick, "ROUND_DOWN" if side > 0 else "ROUND_UP")


def record_of(turn: Turn, one: LinkState, *, instrument_id: str, source: int, kind: CopyKind, **more: Any) -> CopyTaken:
    """What is told of an event that leaves the leg as it is, but for what `more` says."""
    leg = one.leg(instrument_id)
    told: dict[str, Any] = {
        "held": leg.held,
        "wanted": leg.wanted,
        "carry": leg.carry,
        "owed": leg.owed,
        "owed_at": leg.owed_at,
        "owed_price": leg.owed_price,
    }
    told.update(more)
    return CopyTaken(at=turn.at, link_id=one.link.id, source=source, kind=kind, instrument_id=instrument_id, **told)


def said(error: EvenkeelError) -> str:
    """An error with its fields, in a line."""
    fields = getattr(error, "errors", ())
    return "; ".join([error.message, *(f"{fault.field}: {fault.message}" for fault in fields)])


class Placer:
    """Places the orders of one event in its follower, under names made of the event's, and gathers what came of them.

    `placed` are all of them, `quantity` what those add up to, signed, that were not refused.
    """

    def __init__(self, turn: Turn, one: LinkState, *, name: str, instrument_id: str, master_order_id: str = "") -> None:
        self.turn, self.name = turn, name
        self.key = key_of(one, instrument_id)
        self.placed: list[str] = []
        self.quantity = ZERO
        self._why: list[str] = []
        self._provenance = provenance_of(one, name, master_order_id=master_order_id)

    def at_market(self, side: int, quantity: Decimal, *, limit: Decimal | None = None) -> None:
        """An order at the market, or at once at `limit` or better; none of nothing."""
        if not quantity:
            return
        self._submit(
            OrderSpec(
                account_id=self.key.account_id,
                book=self.key.book,
                instrument_id=self.key.instrument_id,
                side=Side.BUY if side > 0 else Side.SELL,
                quantity=quantity,
                kind=OrderKind.MARKET if limit is None else OrderKind.LIMIT,
                client_order_id=self._next(),
                limit_price=limit,
                time_in_force=TimeInForce.DAY if limit is None else TimeInForce.IOC,
                product=self.key.product,
            )
        )

    def submit(self, spec: OrderSpec) -> None:
        """An order as it is, under a name of its own."""
        self._submit(structs.replace(spec, client_order_id=self._next()))

    def _next(self) -> str:
        """What no other order of the account is called: one event may concern several instruments."""
        return self.turn.state.free_name(self.key.account_id, f"copy:{self.key.book}:{self.name}")

    def _submit(self, spec: OrderSpec) -> None:
        """Takes the order as any other is taken; one that is declined, or refused, leaves its reason."""
        try:
            outcome = orders.submit(self.turn, SubmitOrder(provenance=self._provenance, spec=spec))
        except EvenkeelError as error:
            self._why.append(said(error))
            return
        order = self.turn.state.orders[outcome.id]
        self.placed.append(order.id)
        if order.state is OrderState.REFUSED:
            self._why.append(f"refused by {order.rule}: {order.reason}")
        else:
            self.quantity = add(self.quantity, spec.quantity if spec.side is Side.BUY else neg(spec.quantity))

    def skipped(self, why: str = "") -> str:
        """Why not all was placed that might have been, empty where all was."""
        if not self._why:
            return why
        return "; ".join(filter(None, [*self._why, why]))
