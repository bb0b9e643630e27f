"""An eye on the journal for copy links: what each owes its master's events, and what must never come of them.

It keeps a model of its own of every link, and knows nothing of the engine's. Its rules are named C1 to C6:

C1  no event leads to more orders than it tells of, and no order of a link comes from no event
C2  every event of a master within a link's filters is taken once and in order, and has orders or a reason
C3  what a follower is to hold is what the sizes say
C4  what a follower has is that, in whole lots; or less, for a reason on record; never more
C5  all followers of one event are served in one commit: none waits for another
C6  what may not open (too old, paused, on the other side, out of hours, too far away) opens nothing
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain import copying as d
from evenkeel.domain import records as r
from evenkeel.domain.copy_records import CopyLinkSet, CopyTaken
from evenkeel.domain.copying import CopyKind, CopyLink, CopyMode
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.instruments import AssetClass
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Source
from tests.simulator.observer import ENDED, Broken

if TYPE_CHECKING:
    from tests.simulator.world import World

ZERO, NONE = Decimal(0), Fraction(0)
FINE = Fraction(1, 10**6)
OVER = ENDED | {OrderState.ANOMALY}
TRADES = frozenset({CopyKind.FILL, CopyKind.BUST, CopyKind.CORRECTION})
PLACES = TRADES | {CopyKind.ORDER, CopyKind.SETTLE, CopyKind.RESYNC}


class Own(Struct):
    """An order in a follower's book for copies."""

    spec: OrderSpec
    quantity: Decimal
    state: OrderState
    cause: str
    filled: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled if self.state not in OVER else ZERO


class Due(Struct):
    """What a link has to take: a change of the master's position, or its order. `at` is when it happened."""

    instrument_id: str
    at: int
    quantity: Decimal
    order_id: str
    is_order: bool
    ordered: Decimal = ZERO
    price: Decimal = ZERO


class Leg(Struct):
    """`why` names what the follower has missed so far; `closings` counts what it has closed by a part."""

    held: Decimal = ZERO
    wanted: Fraction = NONE
    why: Counter[str] = field(default_factory=Counter)
    closings: int = 0
    owed: Decimal = ZERO


class Watched(Struct):
    """One link. `copies` are by the master's order, with the factor and how often it was copied."""

    link: CopyLink
    since: int = 0
    taken: int = 0
    dues: dict[int, Due] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=lambda: defaultdict(Leg))
    copies: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    terms: list[tuple[int, d.CopyTerms]] = field(default_factory=list)

    @property
    def follows(self) -> bool:
        return self.link.accepted and not self.link.removed

    def covers(self, key: PositionKey) -> bool:
        is_masters = key.account_id == self.link.master_id
        return is_masters and self.link.filter.covers(key.book, key.instrument_id, asset_class=AssetClass.EQUITY)


class CopyWatch:
    """Reads batches after the observer has; what it finds is raised as `Broken`."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.links: dict[str, Watched] = {}
        self.own: dict[str, Own] = {}
        self.events = 0
        self.held: dict[PositionKey, Decimal] = defaultdict(Decimal)
        self._orders: dict[str, r.OrderDecided] = {}
        self._amended: set[str] = set()
        self._ended: set[str] = set()
        self._fresh: set[str] = set()

    def committed(self, records: tuple[r.AnyRecord, ...], first_seq: int) -> None:
        self._fresh = set()
        served: dict[int, set[str]] = defaultdict(set)
        for seq, record in enumerate(records, first_seq):
            if isinstance(record, CopyTaken):
                self._taken(record)
                served[record.source].add(record.link_id)
            else:
                self._see(record, seq)
        told = {str(source) for source in served}
        for order_id in sorted(self._fresh):  # a copy that was refused is no copy; its reason is on record
            own = self.own[order_id]
            if own.state is not OrderState.REFUSED or own.cause not in told:
                raise Broken("C1", f"order {order_id} of a link comes from no event")
        for source, links in served.items():
            waiting = [name for name, one in self.links.items() if one.follows and source in one.dues]
            if waiting:
                raise Broken("C5", f"event {source} is copied by {links}, and {waiting} wait for it")

    def _see(self, record: r.AnyRecord, seq: int) -> None:
        match record:
            case CopyLinkSet():
                self._set(record, seq)
            case r.OrderDecided():
                self._decided(record, seq)
            case r.OrderMoved() | OrderReleased():
                self._moved(record)
            case r.AmendRequested():
                self._amended.add(record.order_id)
            case r.FillBooked():
                self._filled(record, seq)
            case r.PositionCorrected(key=key):
                self._move(key, record.quantity, Due(key.instrument_id, record.at, record.quantity, "", False), seq)
            case r.SplitApplied():
                for part in record.positions:
                    self.held[part.key] = part.quantity
                for change in record.orders:
                    if (own := self.own.get(change.order_id)) is not None:
                        own.quantity, own.filled = change.quantity, change.filled
                    self._amended.add(change.order_id)

    def _set(self, record: CopyLinkSet, seq: int) -> None:
        one = self.links.setdefault(record.link.id, Watched(record.link))
        is_new = not one.since
        one.link = record.link
        one.terms.append((seq, record.link.terms))
        if is_new:
            one.since = seq
            for key, quantity in self.held.items():
                if one.covers(key):
                    one.legs[key.instrument_id].held += quantity

    def _decided(self, record: r.OrderDecided, seq: int) -> None:
        spec = record.spec
        self._orders[record.order_id] = record
        if spec.book in self.links:
            cause = record.provenance.cause_id or ""
            self.own[record.order_id] = Own(spec, spec.quantity, record.state, cause)
            if record.provenance.source is Source.COPY_LINK:
                self._fresh.add(record.order_id)
            else:
                self._miss(spec, f"{record.provenance.source} has traded")
        if record.approved:
            key = PositionKey(spec.account_id, spec.book, spec.instrument_id, spec.product)
            for one in self.links.values():
                if one.follows and one.covers(key) and one.link.mode is CopyMode.ORDERS:
                    if self.masters_open(one, spec.instrument_id, besides=record.order_id):
                        one.legs[spec.instrument_id].why["the master's orders work beside each other"] += 1
                    one.dues[seq] = Due(
                        spec.instrument_id,
                        record.at,
                        spec.side.sign * spec.quantity,
                        record.order_id,
                        True,
                        spec.quantity,
                    )

    def _moved(self, record: r.OrderMoved | OrderReleased) -> None:
        if isinstance(record, r.OrderMoved) and record.state in ENDED:
            self._ended.add(record.order_id)
        own = self.own.get(record.order_id)
        if own is None:
            return
        if isinstance(record, OrderReleased):
            own.state = OrderState.SUBMITTED if record.approved else OrderState.REFUSED
        else:
            own.state, own.quantity = record.state, record.quantity or own.quantity
        is_over = isinstance(record, OrderReleased) or own.state in OVER
        if is_over and own.state is not OrderState.FILLED and own.filled < own.quantity:
            self._miss(own.spec, f"a copy is {own.state}")

    def _miss(self, spec: OrderSpec, why: str) -> None:
        """A follower has less than it might, or more, of an instrument."""
        one = self.links[spec.book]
        for name, leg in one.legs.items():
            if one.link.rule(name).instrument_id == spec.instrument_id:
                leg.why[why] += 1

    def _filled(self, record: r.FillBooked, seq: int) -> None:
        fill = record.fill
        own = self.own.get(fill.order_id)
        if own is not None:
            own.filled += fill.quantity if fill.reverses is None else -fill.quantity
            own.state = record.state
            if fill.reverses is not None:
                self._miss(own.spec, "a copy was taken back")
        product = self.world.observer.orders[fill.order_id].spec.product
        key = PositionKey(fill.account_id, fill.book, fill.instrument_id, product)
        if fill.order_id in self._ended:
            for one in self.links.values():
                if one.covers(key):
                    one.legs[key.instrument_id].why["the master's order filled after it had ended"] += 1
        ordered = self.world.observer.orders[fill.order_id].quantity
        at = max(fill.executed_at, record.bar)
        due = Due(fill.instrument_id, at, fill.signed, fill.order_id, False, ordered, fill.price)
        self._move(key, fill.signed, due, seq)

    def _move(self, key: PositionKey, quantity: Decimal, due: Due, seq: int) -> None:
        self.held[key] += quantity
        for one in self.links.values():
            if one.follows and one.covers(key):
                one.dues[seq] = due

    def _taken(self, record: CopyTaken) -> None:
        self.events += 1
        one = self.links[record.link_id]
        if not one.follows:
            raise Broken("C2", f"{one.link.id} does not follow, and has taken {record.source}")
        leg = one.legs[record.instrument_id]
        due = one.dues.pop(record.source, None) if record.kind in TRADES | {CopyKind.ORDER} else None
        if record.kind in TRADES | {CopyKind.ORDER}:
            if due is None or due.instrument_id != record.instrument_id:
                raise Broken("C2", f"{one.link.id} has taken {record.kind} {record.source} and was not to")
            if record.source <= one.taken or any(other < record.source for other in one.dues):
                raise Broken("C2", f"{one.link.id} has taken {record.source} out of order: {sorted(one.dues)}")
        if record.source:
            one.taken = max(one.taken, record.source)
        self._claims(one, record)
        self._sizes(one, leg, record, due)
        if due is not None:
            self._reasons(one, record, due)
            self._keeps_shut(one, record, due)
        if record.kind in (CopyKind.SETTLE, CopyKind.RESYNC):
            self._settles(one, leg, record)
        if record.kind is CopyKind.ORDER and record.orders:
            one.copies[record.master_order_id] = record.orders[0], record.factor

    def _claims(self, one: Watched, record: CopyTaken) -> None:
        """C1: the orders that are told of are those that were placed for it, and add up."""
        if record.kind not in PLACES:
            return
        whole = ZERO
        for order_id in record.orders:
            if order_id not in self._fresh:
                raise Broken("C1", f"{one.link.id} tells of {order_id}, which was not placed for {record.source}")
            self._fresh.discard(order_id)
            own = self.own[order_id]
            where = own.spec.account_id, own.spec.book, own.spec.instrument_id
            if where != (one.link.follower_id, one.link.id, one.link.rule(record.instrument_id).instrument_id):
                raise Broken("C1", f"{one.link.id} has placed an order elsewhere: {where}")
            if own.cause not in (str(record.source), f"r{own.cause[1:]}"):
                raise Broken("C1", f"an order for {own.cause} is told of {record.source}")
            if own.state is not OrderState.REFUSED:
                whole += own.spec.side.sign * own.spec.quantity
        if whole != record.quantity or len(record.orders) > (1 if record.kind is CopyKind.ORDER else 2):
            raise Broken("C1", f"{one.link.id} tells of {record.quantity} for {record.source}, placed are {whole}")
        if record.kind is CopyKind.ORDER and record.orders and record.master_order_id in one.copies:
            raise Broken("C1", f"{record.master_order_id} is copied twice")

    def _sizes(self, one: Watched, leg: Leg, record: CopyTaken, due: Due | None) -> None:
        """C3: the leg moves as the master's position does."""
        before, was = leg.held, leg.wanted
        now = Fraction(record.wanted)
        if record.kind in TRADES and due is not None:
            self._moves(one, leg, record, due)
        elif record.kind is CopyKind.SPLIT:
            leg.held, leg.wanted = record.held, now
            leg.why["it has split"] += 1
        elif record.kind is CopyKind.RESYNC:
            leg.wanted = now
            leg.why["it was resynced"] += 1
        if record.held != leg.held or abs(leg.wanted - now) > FINE:
            raise Broken(
                "C3",
                f"{one.link.id} says of {record.instrument_id} after {record.kind} {record.source}: the master holds "
                f"{record.held}, {record.wanted} is wanted; it was {before}, {float(was)}, and it is {leg.held}, "
                f"{float(leg.wanted)}",
            )
        leg.wanted, leg.owed = now, record.owed

    def _moves(self, one: Watched, leg: Leg, record: CopyTaken, due: Due) -> None:
        before, after = leg.held, leg.held + due.quantity
        closing = min(abs(before), abs(due.quantity)) if before * due.quantity < 0 else ZERO
        opening = abs(due.quantity) - closing
        kept = leg.wanted * (1 - Fraction(closing) / abs(Fraction(before))) if closing else leg.wanted
        leg.held = after
        if record.kind is not CopyKind.FILL and before and (not after or (after > 0) == (before > 0)):
            leg.wanted = leg.wanted * abs(Fraction(after)) / abs(Fraction(before))
            return
        leg.closings += bool(closing and opening == 0)
        sign = 1 if due.quantity > 0 else -1
        if factors := self._factors(one, record, due):
            might = [kept + factor * Fraction(opening) * sign for factor in factors]
            leg.wanted = min(might, key=lambda wanted: abs(wanted - Fraction(record.wanted)))
            return
        share = (Fraction(record.wanted) - kept) * sign
        if share < -FINE or (not opening and share > FINE):
            raise Broken("C3", f"{one.link.id} wants {float(share)} more for {opening} of {record.source}")
        leg.wanted = Fraction(record.wanted)

    def _factors(self, one: Watched, record: CopyTaken, due: Due) -> list[Fraction]:
        """The follower's units for one of the master's, by the terms that stood when it was read, at any moment between
        the event and now; none where only accounts and markets say it."""
        if record.instrument_id in self.stood_in(one):
            return []
        if due.order_id in one.copies:
            return [Fraction(one.copies[due.order_id][1])]
        if record.kind is CopyKind.CORRECTION:
            return [NONE]
        later = [terms for seq, terms in one.terms if seq > record.source]
        stood = [terms for seq, terms in one.terms if seq <= record.source][-1:]
        each = Fraction(one.link.rule(record.instrument_id).quantity)
        found = [self._factor(terms, each, due) for terms in stood + later]
        return [] if None in found else [factor for factor in found if factor is not None]

    def _factor(self, terms: d.CopyTerms, each: Fraction, due: Due) -> Fraction | None:
        match terms.sizing:
            case d.Equal():
                return each * Fraction(terms.risk)
            case d.Multiplier(times):
                return each * Fraction(terms.risk) * Fraction(times)
            case d.Fixed(quantity) if due.ordered and due.order_id not in self._amended:
                return Fraction(quantity) * Fraction(terms.risk) / Fraction(due.ordered)
        return None

    @staticmethod
    def stood_in(one: Watched) -> set[str]:
        """Instruments that stand for another of the master's, and so for themselves no more."""
        return {rule.instrument_id for rule in one.link.symbols.values()} - one.link.symbols.keys()

    def _reasons(self, one: Watched, record: CopyTaken, due: Due) -> None:
        """C2: what has led to no order says why."""
        leg = one.legs[record.instrument_id]
        if record.skipped:
            leg.why[record.skipped] += 1
        has_copy = not due.is_order and due.order_id in one.copies
        if not (record.quantity or record.skipped or has_copy):
            raise Broken("C2", f"{one.link.id} has done nothing for {record.kind} {record.source}, and says not why")

    def _keeps_shut(self, one: Watched, record: CopyTaken, due: Due) -> None:
        """C6: where something may not be opened, no more is ordered than closes what is held and not being closed."""
        terms, side = one.link.terms, 1 if due.quantity > 0 else -1
        other = {d.CopySide.LONG: -1, d.CopySide.SHORT: 1}.get(one.link.filter.side)
        is_late = record.at - due.at > terms.max_age
        if record.quantity and (is_late or one.link.paused or one.link.filter.windows or side == other):
            self._only_closes(one, record, "late" if is_late else "paused" if one.link.paused else "side or hours")
        if terms.max_slippage is None or due.is_order:
            return
        rule = one.link.rule(record.instrument_id)
        bound = due.price * rule.price * (1 + side * terms.max_slippage)
        for order_id in record.orders:
            limit = self.own[order_id].spec.limit_price
            if limit is not None and (limit - bound) * side > 0:
                raise Broken("C6", f"{one.link.id} opens at {limit}, beyond {bound}")

    def _only_closes(self, one: Watched, record: CopyTaken, why: str) -> None:
        """The orders of a record are in the book by now; what else works on their side closes first."""
        instrument_id = one.link.rule(record.instrument_id).instrument_id
        key = PositionKey(one.link.follower_id, one.link.id, instrument_id, one.link.product)
        side = 1 if record.quantity > 0 else -1
        working = sum(
            (
                own.remaining
                for order_id, own in self.book(one, instrument_id)
                if own.spec.side.sign == side
                and own.state is not OrderState.HELD
                and order_id not in record.orders
                and (one.link.mode is CopyMode.FILLS or own.spec.kind is OrderKind.MARKET)
            ),
            ZERO,
        )
        room = max(ZERO, -side * self.held[key] - working)
        if abs(record.quantity) > room:
            raise Broken("C6", f"{one.link.id} opens {record.quantity} for {record.source}, {why}: it may close {room}")

    def book(self, one: Watched, instrument_id: str) -> Iterable[tuple[str, Own]]:
        """The orders in a follower's book for copies."""
        for order_id, own in self.own.items():
            if own.spec.book == one.link.id and own.spec.instrument_id == instrument_id:
                yield order_id, own

    def masters_open(self, one: Watched, name: str, *, besides: str = "") -> bool:
        """Whether an order of the master's is open, other than one."""
        return any(
            seen.state not in OVER
            and (seen.spec.account_id, seen.spec.instrument_id) == (one.link.master_id, name)
            and order_id != besides
            for order_id, seen in self.world.observer.orders.items()
        )

    def _settles(self, one: Watched, leg: Leg, record: CopyTaken) -> None:
        if record.skipped:
            leg.why[record.skipped] += 1
        if record.kind is CopyKind.SETTLE and one.link.paused and record.quantity:
            self._only_closes(one, record, "paused")
