"""A delivery to a webhook becomes one order, and is answered once that is committed; no broker is waited for.

The delivery is logged before it is decided and after, the order stands in the journal under a name that follows from
what the alert is known by: whoever sends again, before or after a crash, gets the answer of the first time.
"""

from collections.abc import Awaitable
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from evenkeel.desk.permissions import Door, Permission, Principal, granted, up_to
from evenkeel.desk.ports import User
from evenkeel.desk.webhooks import WebhookStore
from evenkeel.domain.clock import SECOND, iso
from evenkeel.domain.commands import ClosePosition, SubmitOrder
from evenkeel.domain.errors import (
    EvenkeelError,
    FieldError,
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    JournalError,
    NotReady,
    QueueFull,
)
from evenkeel.domain.followups import FollowUpKind
from evenkeel.domain.ids import Random
from evenkeel.domain.orders import Order, OrderSpec, OrderState
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.webhooks import (
    FINAL,
    LAST,
    Alert,
    Decision,
    Delivery,
    Identity,
    SignalType,
    Webhook,
    age_fault,
    body_hash,
    identity_of,
    order_name,
)
from evenkeel.server import payloads, wire
from evenkeel.server.api.trading import find_instrument, submitted
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant
from evenkeel.server.webhooks import DeliveredOut
from evenkeel.trading.engine.orders import wait_for_room
from evenkeel.trading.engine.state import State

log = structlog.get_logger(__name__)


class Line:
    """The line of one delivery in the log: added when it is first written, and changed from then on."""

    def __init__(self, store: WebhookStore, delivery: Delivery, *, is_there: bool = False) -> None:
        self.store, self.delivery, self.is_there = store, delivery, is_there

    async def write(self, **changes: Any) -> None:
        """Raises NotReady."""
        self.delivery = replace(self.delivery, **changes)
        await (self.store.settle if self.is_there else self.store.log)(self.delivery)
        self.is_there = True


class Taken(Struct):
    """An alert that was read: what it is known by, and, from when that is known, its instrument and order's name."""

    hook: Webhook
    alert: Alert
    identity: Identity
    line: Line
    instrument_id: str = ""
    name: str = ""

    @property
    def key(self) -> PositionKey:
        terms = self.hook.terms
        return PositionKey(self.hook.account_id, terms.book, self.instrument_id, terms.product)

    def order(self, state: State) -> Order | None:
        order_id = state.client_ids.get((self.hook.account_id, self.name))
        return None if order_id is None else state.orders[order_id]

    def provenance(self) -> Provenance:
        made = self.line.delivery
        return Provenance(
            actor=self.hook.user_id,
            source=Source.WEBHOOK,
            cause_id=self.hook.id,
            parent_id=made.id,
            received=made.received_at,
        )


async def deliver(parts: AppParts, hook: Webhook, *, body: bytes, address: str) -> tuple[Decision, bytes]:
    """What was made of a body that was sent to a webhook, and the JSON to answer with.

    `hook` is as it was when the sender was heard; what it is once its turn has come holds, since a body may take its
    time. Raises InvalidInput for what is not valid, too old or out of order, Forbidden where the owner may not do this,
    NotFound and Conflict where the webhook was rotated, removed or switched off meanwhile, IdempotencyConflict where
    the id is another alert's, QueueFull where the account's queue is, and NotReady where nothing could be done.
    """
    received, hashed = parts.webhooks.wall(), body_hash(body)
    delivery = Delivery(
        id=Random().public(received, 0, "delivery"),
        webhook_id=hook.id,
        user_id=hook.user_id,
        received_at=received,
        address=address[:64],
        body=payloads.shown(body),
        body_hash=hashed,
    )
    line = Line(parts.webhooks.store, delivery)
    try:
        alert = payloads.read(body)
        identity = identity_of(alert, hashed)
        line.delivery = replace(delivery, identity=str(identity), key=identity.key, sent_at=alert.sent_at)
        async with parts.webhooks.turn(hook.id):
            hook, owner = await parts.webhooks.as_now(hook.token_hash, address)
            seen = await _seen(parts, hook, owner, alert=alert)
            return await _decided(parts, seen, Taken(hook, alert, identity, line))
    except (NotReady, JournalError) as error:
        if line.is_there:
            await _told(line.write(decision=Decision.FAILED, reason=error.message))
        raise
    except EvenkeelError as error:
        await _told(line.write(decision=Decision.DECLINED, reason=_reason(error)))
        raise


async def _seen(parts: AppParts, hook: Webhook, owner: User, *, alert: Alert) -> Tenant:
    """What the owner may do through this webhook now: in its account alone, and no more than trade."""
    needs = Permission.TRADE if alert.signal_type is SignalType.ENTRY else Permission.REDUCE
    allowed = granted(owner.role) & up_to(Permission.TRADE)
    if needs not in allowed:
        raise Forbidden(f"this needs the permission {needs}, which a {owner.role} does not have")
    by = Principal(owner, allowed, Door.WEBHOOK, accounts=frozenset({hook.account_id}))
    await parts.runner.settled()
    seen = Tenant(by, parts.runner.state, needs=needs, shared=parts.shares.received(owner.id))
    if not seen.owns(hook.account_id):
        raise Forbidden("the owner of this webhook may not do this in its account any more")
    return seen


async def _decided(parts: AppParts, seen: Tenant, this: Taken) -> tuple[Decision, bytes]:
    """What it comes to: the answer of the first time, or that of now."""
    made, store = this.line.delivery, parts.webhooks.store
    since, until = 0, LAST
    if this.identity.is_windowed:
        since, until = (made.received_at + side * this.hook.terms.window * SECOND for side in (-1, 1))
    prior = await store.prior(this.hook.id, this.identity.key, since=since, until=until)
    if prior is not None and prior.body_hash != made.body_hash:
        raise IdempotencyConflict(
            f"the id {this.alert.id!r} already names another alert, that of {iso(prior.received_at)}",
            hint="Give every alert an id of its own, or none.",
        )
    this.name = _name(this, seen.state, prior)
    known = this.order(seen.state)
    if prior is not None and prior.decision in FINAL:
        again = {"client_order_id": prior.client_order_id, "order_id": prior.order_id, "answer": prior.answer}
        await _told(this.line.write(decision=Decision.REPEATED, instrument_id=prior.instrument_id, **again))
        return Decision.REPEATED, prior.answer.encode()
    if prior is not None:
        this.line = Line(store, prior, is_there=True)
    if known is not None and (prior is not None or this.alert.id is None):
        this.instrument_id = known.spec.instrument_id
        return await _settled(this, _about(this, known))
    this.instrument_id = _instrument(this, seen.state)
    _check_time(this, now=parts.webhooks.wall())
    if this.hook.terms.in_order and this.alert.sent_at is not None:
        _check_order(this.alert.sent_at, await store.latest(this.hook.id, this.instrument_id))
    await this.line.write(decision=Decision.RECEIVED, instrument_id=this.instrument_id, client_order_id=this.name)
    done = _exit if this.alert.signal_type is SignalType.EXIT else _entry
    return await _settled(this, await done(parts, seen.state, this))


def _name(this: Taken, state: State, prior: Delivery | None) -> str:
    hook, made = this.hook, this.line.delivery

    def is_taken(name: str) -> bool:
        key = hook.account_id, name
        return key in state.client_ids or key in state.composites.names

    name = order_name(hook.id, this.identity, at=made.received_at, window=hook.terms.window, is_taken=is_taken)
    return name if prior is None or is_taken(name) else prior.client_order_id


async def _settled(this: Taken, answer: DeliveredOut) -> tuple[Decision, bytes]:
    """Writes down what it came to. Where an order holds that already, the log may lack it; else it must be there."""
    text, decision = msgspec.json.encode(answer), Decision(answer.decision)
    written = this.line.write(
        decision=decision,
        instrument_id=this.instrument_id,
        client_order_id=this.name,
        order_id=answer.order_id or "",
        reason=answer.reason or "",
        answer=text.decode(),
    )
    await (written if answer.order_id is None else _told(written))
    return decision, text


async def _told(written: Awaitable[None]) -> None:
    """For what is only told: a log that cannot be written takes nothing back."""
    try:
        await written
    except EvenkeelError as error:
        log.warning("a delivery could not be written to its log", reason=error.message)


def _reason(error: EvenkeelError) -> str:
    faults = [f"{fault.field}: {fault.message}" for fault in getattr(error, "errors", ())]
    return payloads.spoken("; ".join(faults or [error.message]))[:1000]


def _instrument(this: Taken, state: State) -> str:
    """The instrument that is meant. Raises InvalidInput for none, for one that is not this webhook's, and for what
    names another account."""
    fields, alert, terms = wire.Fields(), this.alert, this.hook.terms
    found = terms.symbols.get(alert.symbol.upper(), "")
    if found not in state.instruments:
        found = find_instrument(state, alert.symbol, None, fields=fields)
    if found and terms.allowed and found not in terms.allowed:
        fields.fault("symbol", f"{alert.symbol!r} is none of the symbols that this webhook may trade")
    if alert.account_id not in (None, this.hook.account_id):
        fields.fault("account_id", "is not the account of this webhook")
    fields.check("the alert is not valid")
    return found


def _check_time(this: Taken, *, now: int) -> None:
    sent_at = this.alert.sent_at
    fault = None if sent_at is None else age_fault(sent_at, now=now, max_age=this.hook.terms.max_age)
    if fault is not None:
        raise InvalidInput("the alert is not of now", errors=(FieldError("timestamp", fault),))


def _check_order(sent_at: int, latest: int | None) -> None:
    if latest is not None and sent_at < latest:
        message = f"{iso(sent_at)} is before {iso(latest)}, the time of the last alert taken for this symbol"
        raise InvalidInput("the alert is out of order", errors=(FieldError("timestamp", message),))


async def _entry(parts: AppParts, state: State, this: Taken) -> DeliveredOut:
    alert, terms = this.alert, this.hook.terms
    quantity = alert.quantity if alert.quantity is not None else terms.quantity
    if quantity is None or alert.side is None:
        fault = FieldError("quantity", "is required: this webhook has no quantity of its own")
        raise InvalidInput("the alert is not valid", errors=(fault,))
    spec = OrderSpec(
        account_id=this.hook.account_id,
        book=terms.book,
        instrument_id=this.instrument_id,
        side=alert.side,
        quantity=quantity,
        kind=alert.kind,
        client_order_id=this.name,
        limit_price=alert.limit_price,
        stop_price=alert.stop_price,
        product=terms.product,
    )
    wait = wait_for_room(state, spec)
    if wait:
        raise QueueFull("too many orders wait for the broker already", retry_after=wait)
    outcome = await submitted(parts, SubmitOrder(spec=spec, provenance=this.provenance()))
    return _about(this, parts.runner.state.order(outcome.id))


async def _exit(parts: AppParts, state: State, this: Taken) -> DeliveredOut:
    """Closes what is held, or the part that is named, and never more: the other side is not opened."""
    held, side = state.position(this.key).quantity, this.alert.side
    closes = bool(held) and (side is None or (side.sign > 0) is not (held > 0))
    if not closes and this.order(state) is None:
        return _without_order(this, Decision.NOTHING, "nothing is held that this would close")
    most = this.alert.quantity
    command = ClosePosition(
        account_id=this.hook.account_id,
        instrument_id=this.instrument_id,
        client_order_id=this.name,
        book=this.key.book,
        product=this.key.product,
        quantity=most if most is not None and most < held.copy_abs() else None,
        provenance=this.provenance(),
    )
    await parts.runner.submit(command)
    after = parts.runner.state
    order = this.order(after)
    if order is not None:
        return _about(this, order)
    kept = (one for one in after.follow_ups.values() if one.key == this.key and one.kind is not FollowUpKind.REPLACE)
    waiting = next(kept, None)
    if waiting is None:
        return _without_order(this, Decision.NOTHING, "all that is held is being closed already")
    closes_all = waiting.kind is FollowUpKind.CLOSE and waiting.quantity is None
    if not closes_all and waiting.client_order_id != this.name:
        raise NotReady(
            "something else is being done with this position: it waits for its cancels", hint="To be sent again."
        )
    return _without_order(this, Decision.CLOSING, "what works there is being cancelled first")


def _about(this: Taken, order: Order) -> DeliveredOut:
    refused = order.state is OrderState.REFUSED
    return DeliveredOut(
        webhook_id=this.hook.id,
        identity=str(this.identity),
        decision=str(Decision.REFUSED if refused else Decision.ORDERED),
        client_order_id=this.name,
        order_id=order.id,
        rule=order.rule if refused else None,
        limit=order.limit if refused else None,
        value=order.value if refused else None,
        reason=order.reason if refused else None,
    )


def _without_order(this: Taken, decision: Decision, reason: str) -> DeliveredOut:
    return DeliveredOut(
        webhook_id=this.hook.id,
        identity=str(this.identity),
        decision=str(decision),
        client_order_id=this.name,
        reason=reason,
    )
