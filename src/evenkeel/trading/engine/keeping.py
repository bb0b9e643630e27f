"""What the engine sees to for orders: which of them it holds or follows, decided as they are placed, and the indices.

A broker's profile says which kinds and times in force it takes. What it lacks is made of what it has: a stop is held
here and goes out at the market, a trailing stop is an ordinary one that is moved, a time it does not know is one that
the engine ends. Of what no such thing can be made, the order is refused. Held are orders for later, and those that a
price is to set off, too. The decision is recorded with the order, so that the fold asks no profile.
"""

from decimal import Decimal

import msgspec

from evenkeel.domain.clock import SECOND, day_bounds, session_date
from evenkeel.domain.errors import FieldError
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.live import Custody
from evenkeel.domain.money import ZERO, exact, is_bookable, is_multiple
from evenkeel.domain.orders import (
    FOLLOWS,
    Kept,
    Order,
    OrderKind,
    OrderSpec,
    OrderState,
    Side,
    TimeInForce,
    Trigger,
)
from evenkeel.domain.positions import key_of
from evenkeel.domain.record import Check
from evenkeel.trading.brokers.profiles import PLAIN_KINDS, PLAIN_TIMES
from evenkeel.trading.engine import guarding, layers
from evenkeel.trading.engine.composites import standing
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.trailing import trail_faults, trail_level

KIND = "order"
"""Of timers: an order is to begin, to be tried again, or to end."""
AGAIN = 30 * SECOND
_RESTS = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD)
_AT_ONCE = {OrderKind.STOP: OrderKind.MARKET, OrderKind.STOP_LIMIT: OrderKind.LIMIT}
_UNATTENDED_ONLY = (
    "an order that waits here would not work after a restart until the owner has unlocked the vault: the account is "
    "attended; use an order that the broker itself keeps, or make the account unattended"
)
_MADE_OF = _AT_ONCE | {kind: _AT_ONCE[stop] for kind, stop in FOLLOWS.items()}


def plan(state: State, account: AccountState, spec: OrderSpec, *, at: int) -> Kept | Check | None:
    """What the engine is to see to for a new order: None for nothing, or the check that it fails."""
    profile = state.profiles.get(account.account.broker)
    kinds, times = (PLAIN_KINDS, PLAIN_TIMES) if profile is None else (profile.order_kinds, profile.times_in_force)
    begins = spec.not_before
    if state.resting and closes(state, account, spec):
        begins = max(begins, state.resting.get(account.account.broker, 0))
    if spec.kind in kinds and spec.time_in_force in times and spec.trigger is None and begins <= at:
        return None
    kind = _kind(spec, kinds)
    lasts = _time(account, spec, times=times)
    if kind is None or lasts is None:
        return _lacking(spec, kinds=kinds, times=times)
    follows = spec.kind in FOLLOWS and kind is not spec.kind
    kept = Kept(
        kind=None if kind is spec.kind else kind,
        time_in_force=None if lasts is spec.time_in_force else lasts,
        begins=begins if begins > at else 0,
        level=spec.trigger.price if spec.trigger is not None else spec.stop_price if kind in _unstopped(spec) else None,
        rises=rises(state, spec),
        since=at,
        trail=spec.trail if follows else None,
        until=spec.expires_at,
    )
    refused = _cannot_wait(account, spec, kept, follows=follows)
    if refused is not None:
        return refused
    mark = state.marks.get(spec.instrument_id)
    return _begun(state, spec, kept, price=None if mark is None else mark.price)


def _cannot_wait(account: AccountState, spec: OrderSpec, kept: Kept, *, follows: bool) -> Check | None:
    """The check that an order fails which is to be held or followed here. One that only waits for its broker's hours
    to pass does not fail for being in an attended account."""
    waits = is_held(spec, kept)
    if (follows and spec.time_in_force not in _RESTS) or (spec.time_in_force is TimeInForce.BAR and waits):
        said = f"an order that waits for a moment or a price, or follows the price, cannot be {spec.time_in_force}"
        return Check("time-in-force", "DAY, GTC, GTD", spec.time_in_force, said)
    waits_for_more = waits and (spec.not_before > kept.since or is_held(spec, msgspec.structs.replace(kept, begins=0)))
    if account.custody is Custody.ATTENDED and waits_for_more:
        return Check("attended", Custody.UNATTENDED, Custody.ATTENDED, _UNATTENDED_ONLY)
    return None


def decided(state: State, account: AccountState, spec: OrderSpec, *, at: int) -> tuple[Kept | None, bool]:
    """What the engine sees to for an order that risk has passed, and whether it is held."""
    kept = plan(state, account, spec, at=at)
    assert not isinstance(kept, Check), "risk has passed what the broker does not take"
    if reduces(state, account, spec):
        kept = msgspec.structs.replace(kept or Kept(), reduces=True)
    if kept is None or not is_held(spec, kept):
        return kept, False
    is_closing = kept.reduces or closes(state, account, spec)
    return (msgspec.structs.replace(kept, closes=True) if is_closing else kept), True


def refused(spec: OrderSpec) -> tuple[Kept | None, bool]:
    """The same of an order that risk has refused: what it was to be."""
    return (Kept(reduces=True) if spec.reduce_only else None), False


def _kind(spec: OrderSpec, kinds: frozenset[OrderKind]) -> OrderKind | None:
    """As what it goes to the venue; None where nothing can be made of it."""
    if spec.kind in kinds:
        return spec.kind
    if FOLLOWS.get(spec.kind) in kinds:
        return FOLLOWS[spec.kind]
    made_of = _MADE_OF.get(spec.kind)
    return made_of if made_of in kinds else None


def _unstopped(spec: OrderSpec) -> tuple[OrderKind, ...]:
    """The kinds that a stop order goes out as once its price has been reached here."""
    return (_AT_ONCE[spec.kind],) if spec.kind in _AT_ONCE else ()


def _time(account: AccountState, spec: OrderSpec, *, times: frozenset[TimeInForce]) -> TimeInForce | None:
    """How long it works at the venue by itself; None where that would be too short, or no end could be put to it."""
    asked = spec.time_in_force
    if asked in times:
        return asked
    if asked in (TimeInForce.GTD, TimeInForce.DAY, TimeInForce.BAR) and TimeInForce.GTC in times:
        return TimeInForce.GTC
    is_today = asked is TimeInForce.BAR or (asked is TimeInForce.GTD and spec.expires_at <= account.day_end)
    return TimeInForce.DAY if is_today and TimeInForce.DAY in times else None


def _lacking(spec: OrderSpec, *, kinds: frozenset[OrderKind], times: frozenset[TimeInForce]) -> Check:
    if _kind(spec, kinds) is None:
        can = ", ".join(kind for kind in OrderKind if kind in kinds)
        said = f"this broker takes {can} orders, and a {spec.kind} order cannot be made of them"
        return Check("order-kind", can, spec.kind, said)
    can = ", ".join(time for time in TimeInForce if time in times)
    said = f"this broker takes orders good for {can}, and {spec.time_in_force} cannot be made of them"
    return Check("time-in-force", can, spec.time_in_force, said)


def rises(state: State, spec: OrderSpec) -> bool:
    """Whether the price waited for is reached by rising; the last price says from where, unless the order does."""
    if spec.trigger is None:
        return spec.side is Side.BUY
    mark = state.mark(spec.instrument_id)
    if spec.trigger.rises is not None or mark is None:
        return bool(spec.trigger.rises)
    return spec.trigger.price > mark


def _begun(state: State, spec: OrderSpec, kept: Kept, *, price: float | None) -> Kept:
    """From the moment at which it begins: a stop trails from this price on, or the first, and its day is counted."""
    if kept.begins:
        return kept
    if kept.trail is not None and price is not None:
        kept = trailed(state, spec, kept, price=price)
    waits = kept.kind in (OrderKind.MARKET, OrderKind.LIMIT)
    if spec.time_in_force is TimeInForce.DAY and spec.trigger is None and (kept.time_in_force is not None or waits):
        kept = msgspec.structs.replace(kept, day=True)
    return kept


def begun(state: State, order: Order) -> Kept:
    """What is kept of an order for later once its moment has come, from which on the market counts for it."""
    assert order.kept is not None
    kept = msgspec.structs.replace(order.kept, begins=0, since=order.kept.begins)
    return _begun(state, order.spec, kept, price=None)


def met(account: AccountState, kept: Kept, *, at: int) -> Kept:
    """With the end of the day on which an order that is good for one first meets the market, at `at`."""
    zone, roll = account.account.time_zone, account.account.roll
    return msgspec.structs.replace(kept, day=False, until=day_bounds(session_date(at, zone, roll), zone, roll)[1])


def gone_out(order: Order, since: int) -> Kept:
    """What is kept of an order that goes out: a day's that its venue would not end itself is good for a day anew."""
    assert order.kept is not None
    kept = msgspec.structs.replace(order.kept, reached=False, again=0)
    if order.spec.time_in_force is not TimeInForce.DAY:
        return kept
    return msgspec.structs.replace(kept, until=0, day=kept.time_in_force is not None, since=since)


def trailed(state: State, spec: OrderSpec, kept: Kept, *, price: float) -> Kept:
    """With a price that is better than the best so far, or the first one: the stop that lies behind it."""
    assert kept.trail is not None
    side = -spec.side.sign
    best = price if not kept.best else max(kept.best, price) if side > 0 else min(kept.best, price)
    tick = state.instruments[spec.instrument_id].tick_size
    level = max(tick, exact(trail_level(side, best, trail=kept.trail, tick=float(tick)), tick))
    if kept.level is not None and (level <= kept.level if side > 0 else level >= kept.level):
        return kept
    return msgspec.structs.replace(kept, best=best, level=level)


def is_held(spec: OrderSpec, kept: Kept) -> bool:
    """Whether an order stays here until something has come: a moment, a price, or the first price to trail from."""
    if kept.begins or spec.trigger is not None or kept.kind in _unstopped(spec):
        return True
    return kept.trail is not None and (kept.kind is not FOLLOWS[spec.kind] or kept.level is None)


def closes(state: State, account: AccountState, spec: OrderSpec) -> bool:
    """Whether an order takes off no more than its book holds, and the account with it."""
    in_book = state.position(key_of(spec)).quantity * spec.side.sign
    in_account = account.net.get(spec.instrument_id, ZERO) * spec.side.sign
    return max(in_book, in_account) <= -spec.quantity


def reduces(state: State, account: AccountState, spec: OrderSpec) -> bool:
    """Whether a new order is reduce-only: as it says, and where it says nothing, if it waits for a price to close what
    is held. The exits of a position are looked after with it."""
    if spec.reduce_only is not None:
        return spec.reduce_only
    waits = spec.kind not in (OrderKind.MARKET, OrderKind.LIMIT) or spec.trigger is not None
    return waits and not (spec.link or spec.parent) and closes(state, account, spec)


def judged(
    state: State, account: AccountState, spec: OrderSpec, *, held: Kept | None = None
) -> tuple[OrderSpec, Check | None]:
    """An order as risk is to see it, at the price that would set it off; and the check that it fails at the broker.

    `held` is what is kept of one that is held already, so that it counts as it waits, and not as it was placed.
    """
    kept = plan(state, account, spec, at=state.time)
    if isinstance(kept, Check):
        return spec, kept
    kept = held or kept
    if kept is None:
        return spec, None
    kind, limit = FOLLOWS.get(spec.kind, spec.kind), limit_of(spec, kept)
    stop = spec.stop_price if kept.level is None else kept.level
    return msgspec.structs.replace(spec, kind=kind, limit_price=limit, stop_price=stop), None


def faults(state: State, spec: OrderSpec) -> list[FieldError]:
    """What does not make sense of the terms by which an order is held, or follows the price, or ends."""
    trail, trigger, found = spec.trail, spec.trigger, list[FieldError]()
    if (spec.kind in FOLLOWS) is not (trail is not None):
        said = "goes with trailing stops" if trail is not None else "a trailing stop needs one"
        found.append(FieldError("trail", said))
    if trail is not None:
        found += trail_faults(state, spec, trail=trail)
    if trigger is not None:
        found += _trigger_faults(state, spec, trigger=trigger)
    if (spec.time_in_force is TimeInForce.GTD) is not (spec.expires_at > 0):
        said = "goes with a time in force of GTD" if spec.expires_at else "a GTD order needs a moment at which it ends"
        found.append(FieldError("expires_at", said))
    elif spec.expires_at and spec.expires_at <= max(state.time, spec.not_before):
        found.append(FieldError("expires_at", "a moment that is still to come, after the order begins"))
    return found


def _trigger_faults(state: State, spec: OrderSpec, *, trigger: Trigger) -> list[FieldError]:
    if spec.kind not in (OrderKind.MARKET, OrderKind.LIMIT):
        return [FieldError("trigger_price", f"goes with market and limit orders: a {spec.kind} order has its own")]
    instrument = state.instruments.get(spec.instrument_id)
    if instrument is None:
        return []
    if not (is_bookable(trigger.price) and trigger.price > 0 and is_multiple(trigger.price, instrument.tick_size)):
        return [FieldError("trigger_price", f"a positive multiple of the tick size {instrument.tick_size}")]
    mark = state.mark(spec.instrument_id)
    if trigger.rises is None and mark is None:
        return [FieldError("trigger_price", f"no price of {instrument.symbol} has been seen from which to reach it")]
    if trigger.rises is None and mark == trigger.price:
        return [FieldError("trigger_price", f"the last price is {mark} already")]
    return []


def stop_of(spec: OrderSpec, kept: Kept | None) -> Decimal | None:
    """Where an order's stop stands at first: one that trails, where that has put it."""
    return spec.stop_price if kept is None or kept.trail is None else kept.level


def limit_of(spec: OrderSpec, kept: Kept | None) -> Decimal | None:
    """The limit of an order: of one whose stop trails, beyond where that stands."""
    return spec.limit_price if kept is None or kept.trail is None else kept.trail.limit_at(spec.side, kept.level)


def note(state: State, order: Order, *, at: int) -> None:
    """Keeps in view what is held, whose price is watched, and when something is due.

    The cancel by which an order is to end at its venue is asked again, ever later, until it has ended.
    """
    kept, account = order.kept, state.accounts[order.spec.account_id]
    assert kept is not None
    is_here = order.state is OrderState.HELD
    if is_here:
        account.held[order.id] = order
    else:
        account.held.pop(order.id, None)
    follows = (kept.trail is not None or kept.day) and order.is_open
    _index(state.watched, order, is_in=not kept.begins and (is_here or follows))
    _index(state.reducing, order, is_in=kept.reduces and order.is_working)
    moments = [kept.begins, kept.again] if is_here else []
    moment = min((one for one in (*moments, kept.until) if one), default=0)
    if not is_here and 0 < moment <= at:
        moment = at + max(AGAIN, at - moment)
    if not moment or not order.is_open:
        state.timers.drop(KIND, order.id)
    elif state.timers.get((KIND, order.id)) != moment:
        state.timers.set(KIND, order.id, moment)


def _index(index: dict[str, dict[str, Order]], order: Order, *, is_in: bool) -> None:
    """Has an order in an index by instrument, or not."""
    name = order.spec.instrument_id
    known = index.get(name, {})
    if is_in:
        index.setdefault(name, known)[order.id] = order
    elif known.pop(order.id, None) is not None and not known:
        del index[name]


def kept(state: State, record: OrderKept) -> None:
    """Folds what is kept of an order from now on; a stop that follows is shown where it stands, if it stands here."""
    order = state.orders[record.order_id]
    order.kept, order.updated_at = record.kept, record.at
    if record.kept.trail is not None and order.state is OrderState.HELD:
        order.stop_price, order.limit_price = record.kept.level, limit_of(order.spec, record.kept)
    note(state, order, at=record.at)


def released(state: State, record: OrderReleased) -> None:
    """Folds the end of an order's rest here, from which on it counts as a trade of its day.

    An id of the venue's, by which it may still speak of an earlier attempt, goes on naming it.
    """
    order, account = state.orders[record.order_id], state.accounts[state.orders[record.order_id].spec.account_id]
    order.kept, order.quantity, order.send_by = record.kept, record.quantity, record.send_by
    order.venue_client_id, order.since, order.updated_at = record.venue_client_id, record.since, record.at
    order.triggered, order.session_date = order.triggered or record.triggered, record.session_date
    state.venue_client_ids[order.venue_client_id] = order.id
    order.state = OrderState.SUBMITTED if record.approved else OrderState.REFUSED
    if record.kept.trail is not None:
        order.stop_price, order.limit_price = record.kept.level, limit_of(order.spec, record.kept)
    if record.approved:
        account.working.keep(order)
        if record.session_date == account.day and not order.spec.is_exit:
            account.trades_today += 1
            layers.decided(account, order.spec)
    else:
        check = record.checks[-1]
        order.reason, order.rule, order.limit, order.value = check.reason, check.rule, check.limit, check.value
        order.layer = check.layer
        layers.rejected(account, order.spec.book, at=record.at, rule=check.rule)
        guarding.forget(account, order, OrderState.HELD)
        if order.spec.parent:
            standing.settled(state, order, before=OrderState.HELD)
    note(state, order, at=record.at)


def taken_back(account: AccountState, order: Order) -> None:
    """Notes that an order which was let out is to be held again: it was no trade of the day."""
    if order.session_date == account.day and account.trades_today and not order.spec.is_exit:
        account.trades_today -= 1
        layers.undecided(account, order.spec)


def asked(order: Order, quantity: Decimal) -> None:
    """Notes the quantity of a change that a venue is asked for, so that a stop that follows does not take it back, and
    a cut is asked once."""
    if order.kept is not None and minds_change(order.kept) and order.state is not OrderState.HELD:
        order.kept = msgspec.structs.replace(order.kept, asked=quantity)


def minds_change(kept: Kept) -> bool:
    """Whether the quantity of a change under way is kept in mind."""
    return kept.trail is not None or kept.reduces


def changed(order: Order) -> None:
    """Notes that the venue has answered a change."""
    if order.kept is not None and order.kept.asked is not None:
        order.kept = msgspec.structs.replace(order.kept, asked=None)


def is_out(order: Order) -> bool:
    """Whether a price has set off an order that was held here, so that it is about to fill."""
    return order.kept is not None and order.triggered and order.is_working


def ends_here(order: Order) -> bool:
    """Whether the engine has the end of a GTD order; else its venue has."""
    kept = order.kept
    if kept is None or order.spec.time_in_force is not TimeInForce.GTD:
        return False
    return order.state is OrderState.HELD or kept.time_in_force is not None or kept.until > 0


def is_over(order: Order, at: int) -> bool:
    """Whether the time that an order was good for, as far as the engine counts it, has passed."""
    return order.kept is not None and 0 < order.kept.until <= at
