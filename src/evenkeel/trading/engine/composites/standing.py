"""The fold's side of composites: what they were asked for, and which children they have.

How much is still to do is never stored. Kept are the children by leg, what each leg has filled, and what was lost for
good with a child that expired; and of cancels whose wish they were, for what a person has cancelled stays cancelled.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain import composites as d
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.composite_records import CompositeEnded, CompositeMoved, CompositeStarted, SplitComposite
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.limits import Layer
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import Order, OrderEvent, OrderSpec, OrderState, TimeInForce
from evenkeel.domain.positions import PositionKey, key_of
from evenkeel.domain.provenance import Provenance, Source

if TYPE_CHECKING:
    from evenkeel.domain.records import OrderMoved
    from evenkeel.trading.engine.state import State

TIMER = "composite"
Wanted = tuple[Decimal, Decimal | None, Decimal | None]
"""Quantity, limit price and stop price that a venue has been asked for."""
_PASSING = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.BAR)


class Composite(Struct, kw_only=True):
    """One composite as it stands. Only the fold of the journal changes it.

    `terms` are those of now, `asked` the first ones. `legs` are the children by the part they play, `working` those of
    them that work or are held, `filled` and `lost` sums by leg. `asked_for` are children whose cancel it has asked for,
    `by_hand` legs that somebody else cancelled, `denied` exits that came to nothing, `changing` what children are to be
    changed to and were not yet, `unmoved` are those whose change risk refused. `failures` have come in a row; `excused`
    are children that were at work at the last of them, and fail with it.
    """

    id: str
    account_id: str
    book: str
    client_order_id: str
    asked: d.Terms
    terms: d.Terms
    provenance: Provenance
    closes: bool
    state: CompositeState
    created_at: int
    updated_at: int
    reason: str | None = None
    rule: str | None = None
    layer: Layer | None = None
    limit: str | None = None
    value: str | None = None
    ended_at: int = 0
    ending: CompositeState = CompositeState.CANCELLED
    slots: tuple[d.Slot, ...] = ()
    step: int = 0
    wake: int = 0
    failures: int = 0
    excused: dict[str, None] = field(default_factory=dict)
    legs: dict[str, list[str]] = field(default_factory=dict)
    working: dict[str, None] = field(default_factory=dict)
    filled: dict[str, Decimal] = field(default_factory=dict)
    lost: dict[str, Decimal] = field(default_factory=dict)
    asked_for: dict[str, None] = field(default_factory=dict)
    by_hand: dict[str, None] = field(default_factory=dict)
    changing: dict[str, Wanted] = field(default_factory=dict)
    denied: dict[str, None] = field(default_factory=dict)
    unmoved: dict[str, None] = field(default_factory=dict)

    @property
    def lead(self) -> OrderSpec:
        """The first of its orders, as its terms have it now."""
        return d.specs_of(self.terms)[0]

    @property
    def guards(self) -> bool:
        """Whether it has exits that follow a position."""
        return self.closes or isinstance(self.terms, d.Bracket | d.Cover)

    @property
    def has_given_up(self) -> bool:
        """Whether it places no more before something of it fills, and only leaves at work what works."""
        return self.state is CompositeState.PAUSED and not self.wake

    def filled_of(self, *legs: str) -> Decimal:
        whole = ZERO
        for leg in legs:
            whole = add(whole, self.filled.get(leg, ZERO))
        return whole


class Composites(dict[str, Composite]):
    """The live composites by id, in the order in which they began; `ended` are the others.

    `guards` are those with exits, by the position that they guard; `names` has the ids by account and client's id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended: dict[str, Composite] = {}
        self.names: dict[tuple[str, str], str] = {}
        self.guards: dict[PositionKey, dict[str, None]] = {}

    def find(self, composite_id: str) -> Composite | None:
        """A composite, live or not."""
        return self.get(composite_id) or self.ended.get(composite_id)

    def each(self) -> Iterator[Composite]:
        yield from self.ended.values()
        yield from self.values()

    def keep(self, one: Composite) -> None:
        self.ended.pop(one.id, None)
        self[one.id] = one
        if one.guards:
            self.guards.setdefault(key_of(one.lead), {})[one.id] = None

    def drop(self, one: Composite) -> None:
        self.pop(one.id, None)
        self.ended[one.id] = one
        held = self.guards.get(key_of(one.lead), {})
        held.pop(one.id, None)
        if not held:
            self.guards.pop(key_of(one.lead), None)


def started(state: "State", record: CompositeStarted) -> None:
    one = Composite(
        id=record.id,
        account_id=record.account_id,
        book=record.book,
        client_order_id=record.client_order_id,
        asked=record.terms,
        terms=record.terms,
        provenance=record.provenance,
        closes=record.closes,
        state=CompositeState.ACTIVE if record.approved else CompositeState.REFUSED,
        created_at=record.at,
        updated_at=record.at,
        slots=record.slots,
    )
    state.composites.names[record.account_id, record.client_order_id] = one.id
    if record.approved:
        state.composites.keep(one)
        _wake(state, one, at=record.wake)
        return
    check = record.checks[-1]
    one.reason, one.rule, one.layer, one.limit, one.value = (
        check.reason,
        check.rule,
        check.layer,
        check.limit,
        check.value,
    )
    one.ended_at = record.at
    state.composites.ended[one.id] = one


def _wake(state: "State", one: Composite, *, at: int) -> None:
    one.wake = at
    if at:
        state.timers.set(TIMER, one.id, at)
    else:
        state.timers.drop(TIMER, one.id)


def moved(state: "State", record: CompositeMoved) -> None:
    one = state.composites[record.id]
    one.state, one.ending, one.reason, one.step = record.state, record.ending, record.reason, record.step
    one.updated_at = record.at
    if record.state is CompositeState.STOPPING:
        one.asked_for.clear()
    if record.slots is not None:
        one.slots = record.slots
    one.unmoved.update(dict.fromkeys(record.unmoved))
    if record.terms is not None:
        one.terms = record.terms
    if record.terms is not None and record.provenance is not None:
        one.denied.clear()
        one.by_hand.clear()
        one.unmoved.clear()
    _wake(state, one, at=record.wake)


def ended(state: "State", record: CompositeEnded) -> None:
    one = state.composites[record.id]
    one.state, one.reason, one.updated_at, one.ended_at = record.state, record.reason, record.at, record.at
    _wake(state, one, at=0)
    state.composites.drop(one)


def decided(state: "State", order: Order) -> None:
    """Takes in a new child."""
    one = _parent(state, order)
    one.legs.setdefault(order.spec.leg, []).append(order.id)
    one.excused.clear()
    if order.is_open:
        one.working[order.id] = None
    else:
        _fail(one, order)


def _parent(state: "State", order: Order) -> Composite:
    one = state.composites.find(order.spec.parent)
    if one is None:
        raise KeyError(order.spec.parent)
    return one


def _fail(one: Composite, order: Order) -> None:
    """Counts a failure: one, however many children of those that are at work together come to nothing."""
    if order.id not in one.excused:
        one.failures += 1
        one.excused = dict.fromkeys(one.working)
    if order.spec.is_exit:
        one.denied[order.spec.leg] = None


def asked(state: "State", order: Order, *, record: "OrderMoved") -> None:
    """Notes whose wish the cancel of a child is, and that a change has been answered."""
    who = record.provenance
    if record.event is OrderEvent.AMEND:
        _parent(state, order).changing.pop(order.id, None)
    if who is None or record.event not in (OrderEvent.CANCEL_REQUEST, OrderEvent.CANCEL):
        return
    one = _parent(state, order)
    if who.cause_id == one.id:
        one.asked_for[order.id] = None
    elif who.source not in (Source.PANIC, Source.SYSTEM):
        one.by_hand[order.spec.leg] = None


def to_change(state: "State", order: Order, *, wanted: Wanted) -> None:
    """Notes what a venue has been asked to make of a child, so that it is asked once."""
    _parent(state, order).changing[order.id] = wanted


def settled(state: "State", order: Order, *, before: OrderState) -> None:
    """Follows a child's state. One that ended unasked, without filling, has failed or, if its time was up, is lost."""
    one = _parent(state, order)
    if order.is_open:
        one.working[order.id] = None
        return
    if order.id not in one.working:
        return
    del one.working[order.id]
    one.changing.pop(order.id, None)
    was_asked = before in (OrderState.CANCEL_PENDING, OrderState.HELD)
    waits = state.accounts[order.spec.account_id].readiness is Readiness.NOT_READY
    match order.state:
        case OrderState.EXPIRED:
            _lose(one, order)
        case OrderState.CANCELLED if not was_asked and order.spec.time_in_force in _PASSING:
            _lose(one, order)
        case OrderState.CANCELLED | OrderState.REJECTED if not was_asked:
            _fail(one, order)
        case OrderState.EXPIRED_UNSENT if not was_asked and not waits:
            _fail(one, order)
        case OrderState.ANOMALY | OrderState.REFUSED:
            _fail(one, order)


def _lose(one: Composite, order: Order) -> None:
    leg = order.spec.leg
    one.lost[leg] = add(one.lost.get(leg, ZERO), order.remaining)
    if order.spec.is_exit:
        one.denied[leg] = None


def filled(state: "State", order: Order, *, quantity: Decimal, undo: bool) -> None:
    """Counts a child's fill, and brings back a composite that had ended."""
    one, leg = _parent(state, order), order.spec.leg
    before = one.filled.get(leg, ZERO)
    one.filled[leg] = sub(before, quantity) if undo else add(before, quantity)
    if not undo:
        one.failures = 0
        one.step = one.step if one.slots else 0
    if leg == d.ENTRY:
        one.denied.clear()
    if one.id not in state.composites:
        one.state, one.ended_at = reopened(str(one.terms.__struct_config__.tag), one.state), 0
        state.composites.keep(one)


def reopened(kind: str, state: CompositeState) -> CompositeState:
    """What a late fill makes of a composite of a kind that had ended so. One with exits guards what has filled, and of
    two that have filled one is taken back; the others place nothing more."""
    goes_on = kind in ("bracket", "cover") or (kind == "oco" and state is CompositeState.DONE)
    return CompositeState.ACTIVE if goes_on else CompositeState.STOPPING


def reconciled(state: "State", account_id: str) -> None:
    """What came to nothing in an account is worth another attempt once it has been compared with its broker."""
    for one in state.composites.values():
        if one.account_id == account_id:
            one.failures = 0
            one.step = one.step if one.slots else 0
            one.denied.clear()
            one.asked_for.clear()
            one.changing.clear()


def split(state: "State", change: SplitComposite) -> None:
    one = state.composites[change.id]
    one.terms, one.filled, one.lost = change.terms, dict(change.filled), dict(change.lost)
