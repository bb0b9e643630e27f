"""What must hold once everything has come to rest: the venue's book against ours, and ours against its own journal."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.orders import Order, OrderState, Side
from evenkeel.trading.brokers.simulated.orders import VenueOrder
from evenkeel.trading.engine.state import EXTERNAL, State
from evenkeel.trading.live.recovery import recover
from tests.simulator import copyrest
from tests.simulator.disk import Handle
from tests.simulator.observer import Broken

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.world import World

ZERO = Decimal(0)
UNSEEN = frozenset({OrderState.REFUSED, OrderState.EXPIRED_UNSENT, OrderState.REJECTED})
UNSENT = UNSEEN | {OrderState.HELD, OrderState.CANCELLED, OrderState.EXPIRED}
MEASURED = frozenset({"marks", "time", "rates", "profiles", "real", "correlations"})
UNSETTLED = frozenset({OrderState.SUBMITTED, OrderState.CANCEL_PENDING, OrderState.IN_DOUBT})


def check(world: "World", life: "Life") -> None:
    """Raises Broken for the first invariant that does not hold."""
    state = life.runner.state
    for rule, words in _all(world, state):
        raise Broken(rule, words)


def _all(world: "World", state: State) -> Iterator[tuple[str, str]]:
    yield from _promises(world, state)
    yield from _orders(world, state)
    yield from _executions(world, state)
    yield from _holdings(world, state)
    yield from _protection(state)
    yield from copyrest.at_rest(world.copy_watch, state)
    yield from _exactness(world)
    yield from _journal(world, state)


def _promises(world: "World", state: State) -> Iterator[tuple[str, str]]:
    """I1: what a client was told is there, once."""
    for name, asked in world.trader.orders.items():
        held = state.client_ids.get((asked.spec.account_id, name))
        if asked.id and held != asked.id:
            yield "I1", f"{name} was promised as {asked.id}, and is {held}"
    named = Counter((order.spec.account_id, order.spec.client_order_id) for order in state.orders.values())
    for (account_id, name), times in named.items():
        if times > 1:
            yield "I1", f"{name} of account {account_id} names {times} orders"


def _orders(world: "World", state: State) -> Iterator[tuple[str, str]]:
    """I1, I5: every order of ours is at the venue once or never was, and both say the same of it."""
    there = {order.order_id: order for order in world.venue.book.state.orders.values()}
    for order_id, theirs in there.items():
        if order_id not in state.orders and not _is_strangers(world, theirs):
            yield "I1", f"the venue has {theirs.venue_order_id}, and we do not"
    for order in state.orders.values():
        if order.source == EXTERNAL:
            continue
        theirs_or_none = there.get(order.id)
        if order.state in UNSETTLED:
            yield "I1", f"{_words(order)} at rest"
        elif theirs_or_none is None:
            was_sent = world.observer.sent[order.venue_client_id] > 0
            if order.state not in (UNSEEN if was_sent and order.kept is None else UNSENT):
                yield "I1", f"{_words(order)}, and the venue has never seen it"
        elif order.state is not OrderState.ANOMALY and not _same(world, state, order, theirs_or_none):
            yield "I5", f"{_words(order)}; the venue: {_their_words(theirs_or_none)}"


def _is_strangers(world: "World", order: VenueOrder) -> bool:
    """An order that is somebody else's to us: placed by hand, or by what a lost journal knew."""
    return order.order_id.startswith("hand-") or order.venue_client_id in world.forgotten


def _same(world: "World", state: State, order: Order, there: VenueOrder) -> bool:
    filled = order.filled == there.filled or order.spec.account_id in world.blurred
    key = order.spec.account_id, there.venue_order_id
    knows = order.venue_order_id == there.venue_order_id or state.venue_order_ids.get(key) is not None
    terms = (order.quantity, order.limit_price, order.stop_price) == (
        there.quantity,
        there.limit_price,
        there.stop_price,
    )
    is_over = not order.is_working and not there.is_working
    is_ours_to_end = order.state is OrderState.CANCELLED or order.kept is not None
    if is_over and (is_ours_to_end or (order.reason or "").startswith("a person decided")):
        return filled
    # Of one all of whose fills were taken back we may have heard of neither.
    is_undone = there.state is OrderState.PARTIALLY_FILLED and not there.filled
    is_alike = order.state is there.state or (is_undone and order.state is OrderState.ACCEPTED)
    return is_alike and filled and knows and (terms or is_over)


def _words(order: Order) -> str:
    spec = order.spec
    what = f"{spec.side} {order.filled} of {order.quantity} {spec.instrument_id} {spec.kind} {spec.time_in_force}"
    return f"our {order.venue_client_id[:6]} ({spec.client_order_id}: {what}) is {order.state} ({order.reason})"


def _their_words(order: VenueOrder) -> str:
    return f"{order.venue_order_id} {order.state}, {order.filled} of {order.quantity}, {order.reason}"


def _executions(world: "World", state: State) -> Iterator[tuple[str, str]]:
    """I3, I5: every execution is booked once, to the order it was of; nothing is booked that never happened."""
    theirs = {
        (fill.account_id, fill.execution_id): fill
        for fills in world.venue.book.state.executions.values()
        for fill in fills
    }
    orders = world.venue.book.state.orders
    for key, fill in theirs.items():
        ours = state.fills.get(key)
        if ours is None:
            yield (
                "I3",
                f"execution {fill.execution_id} ({fill.side} {fill.quantity} {fill.instrument_id}) is not booked",
            )
            continue
        if (ours.side, ours.quantity, ours.price) != (fill.side, fill.quantity, fill.price):
            yield "I3", f"execution {fill.execution_id} is booked as {ours.side} {ours.quantity} at {ours.price}"
        owner = orders[fill.account_id, fill.venue_client_id or ""]
        if ours.order_id != owner.order_id and not _is_strangers(world, owner):
            yield "I5", f"execution {fill.execution_id} of {owner.order_id} is booked to {ours.order_id}"
    for key, ours in state.fills.items():
        if key not in theirs and ours.reverses is None and key[1] not in world.busted:
            yield "I3", f"execution {key[1]} is booked and never happened"


def _holdings(world: "World", state: State) -> Iterator[tuple[str, str]]:
    """I3, I10: positions and cash are the sums of what was booked, and what the venue says they are."""
    seen, book = world.observer.accounts, world.venue.book.state
    for account_id, account in state.accounts.items():
        if account.readiness is not Readiness.READY:
            yield "I4", f"account {account_id} is {account.readiness} at rest: {account.readiness_reason}"
        held: dict[str, Decimal] = defaultdict(Decimal)
        for key, position in account.positions.items():
            held[key.instrument_id] += position.quantity
        there: dict[str, Decimal] = defaultdict(Decimal)
        for (owner, name, _), theirs in book.positions.items():
            if owner == account_id:
                there[name] += theirs.quantity
        for name in {**held, **there, **seen[account_id].net}:
            ours, sums = held[name], seen[account_id].net[name]
            if not ours == sums == there[name] == account.net.get(name, ZERO):
                yield "I3", f"{account_id} holds {ours} {name}; by the journal {sums}, at the venue {there[name]}"
        cash, paid = account.cash_in("USD"), seen[account_id].paid
        if cash != seen[account_id].cash:
            yield "I10", f"{account_id} has {cash}; by the journal's entries it is {seen[account_id].cash}"
        theirs_cash = book.cash[account_id].get("USD", ZERO)
        if cash - paid != theirs_cash and account_id not in world.blurred:
            yield "I10", f"{account_id} has earned {cash - paid} by trading; the venue says {theirs_cash}"


def _protection(state: State) -> Iterator[tuple[str, str]]:
    """I6: what guards a position is never larger than it, and on its other side."""
    for account_id, account in state.accounts.items():
        for order in account.working.values():
            spec = order.spec
            if not spec.link or spec.parent:
                continue
            held = sum(
                (
                    position.quantity
                    for key, position in account.positions.items()
                    if (key.book, key.instrument_id) == (spec.book, spec.instrument_id)
                ),
                ZERO,
            )
            room = held if spec.side is Side.SELL else -held
            if order.remaining > max(ZERO, room):
                yield "I6", f"{_words(order)} in {account_id} guards more than the {held} held"


def _exactness(world: "World") -> Iterator[tuple[str, str]]:
    """I11: no figure that is booked lies on the disk as a float, as which decoding would not tell it from another."""
    for batch in world.disk.batches:
        for record in msgspec.msgpack.decode(batch.body):
            fill, entries = record.get("fill", {}), record.get("entries", ())
            figures = [fill[name] for name in ("quantity", "price") if name in fill]
            figures += [entry["amount"] for entry in entries]
            if any(isinstance(figure, float) for figure in figures):
                yield "I11", f"a {record['t']} after record {batch.first_seq - 1} has a number that is not exact"


def _journal(world: "World", state: State) -> Iterator[tuple[str, str]]:
    """I7, I12: the chain of the journal is whole, and what it folds to is what we hold in memory."""
    folded, held = journalled(recover(_reading(world))), journalled(state)
    names = [name for name in held if folded[name] != held[name]]
    if names:
        yield "I12", f"the journal folds to another state: {', '.join(names)}"


def _reading(world: "World") -> Handle:
    handle = Handle.__new__(Handle)
    handle._world = world
    return handle


def journalled(state: State) -> dict[str, object]:
    """The fields of a state but for measurements, what brokers say of themselves, and the time of idle inputs."""
    return {name: getattr(state, name) for name in State.__struct_fields__ if name not in MEASURED}
