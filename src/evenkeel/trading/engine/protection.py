"""Exits that guard positions: a stop and a target at the venue, linked, which follow what is held until it is closed.

After every turn the positions that its records speak of are looked at: which exits should be there, for how much and at
which price, against those that are. What differs is placed, changed or withdrawn; what takes risk off goes out first.
An order that closes at the market takes the place of the exits of what it closes. Nothing here remembers: the link, the
best price since entry and the rule behind the stop are folded state, and the exits are orders like any other.

An account with a maintenance rule has a stop at the price of its liquidation for every position, whoever opened it.
"""

from collections.abc import Iterator
from decimal import Decimal
from math import isfinite, isnan, nan

import msgspec

from evenkeel.domain import records as r
from evenkeel.domain.accounts import UNASSIGNED, Readiness
from evenkeel.domain.events import SliceDone, SliceMet
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import ZERO, add, exact
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.domain.positions import Position, PositionKey, key_of
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.risk import Refused
from evenkeel.domain.strategies import Protection
from evenkeel.quant.costs.exits import LIQUIDATED, STOPPED, TRAILED, exit_levels, liquidation_price
from evenkeel.trading.engine import amending, halts, keeping, orders
from evenkeel.trading.engine.covering import uncovered
from evenkeel.trading.engine.effects import SendOrder, WantReconcile
from evenkeel.trading.engine.state import AccountState, Guard, State
from evenkeel.trading.engine.turn import Turn

RULES = {STOPPED: "stop_loss", TRAILED: "trailing_stop", LIQUIDATED: "maintenance"}
_NO_PROTECTION = Protection()
_AS_BEFORE = 1
_RESTING = (OrderState.HELD, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


def follow(turn: Turn) -> None:
    """Brings the exits of every position that the turn's records speak of up to what stands now."""
    changed: dict[PositionKey, r.FillBooked | None] = {}
    for record in tuple(turn.records):
        for key in _keys(turn.state, record):
            changed.setdefault(key)
            if key.book == UNASSIGNED:
                changed |= {one: changed.get(one) for one in _guarded_beside(turn.state, key)}
            if isinstance(record, r.FillBooked) and not turn.state.orders[record.fill.order_id].spec.link:
                changed[key] = record
    if not changed:
        return
    given, turn.effects = turn.effects, []
    for key, fill in changed.items():
        keep(turn, key, fill=fill)
    ours, turn.effects = turn.effects, given
    opens = [effect for effect in ours if isinstance(effect, SendOrder)]
    turn.effects[:0] = [effect for effect in ours if not isinstance(effect, SendOrder)]
    turn.effects += opens


def _guarded_beside(state: State, key: PositionKey) -> list[PositionKey]:
    """The guarded positions of the same account and instrument: somebody elsewhere may have closed some of them."""
    return [one for one in state.accounts[key.account_id].guards if one.instrument_id == key.instrument_id]


def _keys(state: State, record: r.AnyRecord) -> Iterator[PositionKey]:
    match record:
        case r.FillBooked():
            yield key_of(state.orders[record.fill.order_id].spec)
        case r.OrderMoved(triggered=True):
            pass  # what has been set off is let go
        case r.OrderDecided() | r.OrderMoved():
            order = state.orders[record.order_id]
            if order.spec.link or not order.is_working or isinstance(record, r.OrderDecided):
                yield key_of(order.spec)
        case OrderReleased() if state.orders[record.order_id].spec.link:
            yield key_of(state.orders[record.order_id].spec)
        case r.AccountReconciled():
            account = state.accounts[record.account_id]
            yield from dict.fromkeys([*account.guards, *(key_of(order.spec) for order in _orphans(account))])
        case r.PositionCorrected():
            yield record.key
        case r.PanicEnded():
            yield from [key for held in state.accounts.values() for key in held.positions]
        case r.LimitsChanged():
            yield from tuple(state.accounts[record.account_id].positions)
        case r.DeploymentChanged():
            book = record.deployment.id
            yield from [key for held in state.accounts.values() for key in held.positions if key.book == book]


def slice_met(turn: Turn, event: SliceMet) -> None:
    """Before exits meet a slice: those whose price a split, a dividend or a night has moved."""
    market = event.market
    gone_ex = {one.instrument_id for one in market.splits} | {one.instrument_id for one in market.dividends}
    for account in turn.state.accounts.values():
        everything = account.limits.maintenance is not None
        for key in tuple(account.guards):
            if everything or key.instrument_id in gone_ex:
                keep(turn, key)


def slice_done(turn: Turn, event: SliceDone) -> None:
    """Behind a slice: orders that were good for its bars end, and stops trail the best price it has shown."""
    turn.state.marks.earlier = {}
    reached = dict(_extremes(event.market))
    opened = {bar.instrument_id: bar.ts for bar in reversed(event.market.bars)}
    for account in turn.state.accounts.values():
        for order_id in tuple(account.passing):
            order = turn.state.orders[order_id]
            is_over = opened.get(order.spec.instrument_id, -1) >= order.created_at
            if is_over and order.state not in (OrderState.CANCEL_PENDING, OrderState.IN_DOUBT):
                about = _provenance(turn.state, key_of(order.spec))
                orders.request_cancel(turn, order, about, reason="the bar it was good for is over")
        everything = account.limits.maintenance is not None
        for key, guard in tuple(account.guards.items()):
            since, low, high = reached.get(key.instrument_id, (-1, nan, nan))
            best = guard.best
            if since >= guard.since:
                best = max(best, high) if guard.side > 0 else min(best, low)
            if everything or (best != guard.best and _rules(turn.state, key).trailing_stop):
                keep(turn, key, best=best)


def _extremes(market: MarketSlice) -> Iterator[tuple[str, tuple[int, float, float]]]:
    """(since when, lowest, highest) by instrument: of its first bar, as the shortest come first, or of its quote."""
    for quote in market.quotes:
        price = quote.last if isfinite(quote.last) else quote.bid + (quote.ask - quote.bid) / 2
        if isfinite(price):
            yield quote.instrument_id, (quote.ts, price, price)
    for bar in reversed(market.bars):
        yield bar.instrument_id, (bar.ts, bar.low, bar.high)


def moment_of(booked: r.FillBooked) -> int:
    """When a fill happened. One inside its bar comes just before the close: nobody knows when it was."""
    at = booked.fill.executed_at
    return at - 1 if at == booked.bar else at


def keep(turn: Turn, key: PositionKey, *, fill: r.FillBooked | None = None, best: float | None = None) -> None:
    """Makes the exits of one position what they should be.

    `fill` has just changed it: what is altered works from then on. `best` is a new price to trail: what is altered for
    it works from now. Else what is altered works on as it did. What is placed works from the last fill on, or from now.
    """
    account = turn.state.accounts[key.account_id]
    position, guard = turn.state.position(key), account.guards.get(key)
    for order in tuple(_orphans(account)):
        if key_of(order.spec) == key:
            _ask_again(turn, order)
    side = (position.quantity > 0) - (position.quantity < 0)
    rules, maintenance = _rules(turn.state, key), account.limits.maintenance
    has_rules = rules != _NO_PROTECTION or maintenance is not None
    if (turn.state.halts and halts.closes(turn.state, key)) or account.is_closing:
        has_rules = False
    if guard is not None and (not has_rules or side != guard.side):
        _withdraw(turn, guard, key)
        turn.emit(r.ProtectionChanged(at=turn.at, key=key))
        guard = None
    if not side or not has_rules:
        return
    if best is None:
        first = _entry(turn.state, position) if fill is None else float(fill.fill.price)
        best, altered = first if guard is None else guard.best, _AS_BEFORE
    else:
        altered = 0
    since = guard.since if guard is not None else 0
    if fill is not None:
        since = altered = moment_of(fill)
    stop, why, goal = _levels(turn.state, account, position, rules, best=best)
    link, rule = turn.new_id("link") if guard is None else guard.link, "" if isnan(stop) else RULES[why]
    if guard is None or (best, rule, since) != (guard.best, guard.rule, guard.since):
        turn.emit(r.ProtectionChanged(at=turn.at, key=key, link=link, side=side, best=best, rule=rule, since=since))
    _arrange(turn, account, key, stop=stop, goal=goal, altered=altered)


def _levels(
    state: State, account: AccountState, position: Position, rules: Protection, *, best: float
) -> tuple[float, int, float]:
    """(stop, which rule stands behind it, target), NaN where there is none."""
    return exit_levels(
        1 if position.quantity > 0 else -1,
        _entry(state, position),
        best,
        rules.stop_loss or 0.0,
        rules.take_profit or 0.0,
        rules.trailing_stop or 0.0,
        _liquidation(state, account, position),
        float(state.instruments[position.key.instrument_id].tick_size),
    )


def _rules(state: State, key: PositionKey) -> Protection:
    held = state.deployments.get(key.book)
    return held.deployment.protection or _NO_PROTECTION if held is not None else _NO_PROTECTION


def _entry(state: State, position: Position) -> float:
    multiplier = state.instruments[position.key.instrument_id].multiplier
    return float(position.average_price or ZERO) / float(multiplier)


def _liquidation(state: State, account: AccountState, position: Position) -> float:
    """The price at which the account would be liquidated, everything else it holds staying where it is.

    While a slice is met that is where it was before: what its bars close at is not known inside them.
    """
    maintenance, name = account.limits.maintenance, position.key.instrument_id
    if maintenance is None:
        return nan
    need, free = float(maintenance), float(account.cash_in(account.account.currency))
    units = 0.0
    for other in account.positions.values():
        size = float(other.quantity) * float(state.instruments[other.key.instrument_id].multiplier)
        if other.key.instrument_id == name:
            units += size
        elif size:
            earlier = state.marks.earlier.get(other.key.instrument_id)
            tick = state.instruments[other.key.instrument_id].tick_size
            price = state.price_of(other) if earlier is None else exact(earlier, tick)
            free += (size - need * abs(size)) * float(price)
    side = 1 if position.quantity > 0 else -1
    return liquidation_price(free, units, need) if units * side > 0.0 else nan


def _arrange(turn: Turn, account: AccountState, key: PositionKey, *, stop: float, goal: float, altered: int) -> None:
    guard = account.guards[key]
    begins = guard.since if altered else 0
    quantity = uncovered(account, turn.state.position(key))
    tick = turn.state.instruments[key.instrument_id].tick_size
    for kind, level in ((OrderKind.STOP, stop), (OrderKind.LIMIT, goal)):
        price = None if isnan(level) or not quantity else exact(level, tick)
        resting = [one for one in _exits(turn.state, guard) if one.spec.kind is kind and not keeping.is_out(one)]
        if price is None or price <= 0:
            for order in resting:
                orders.request_cancel(turn, order, _provenance(turn.state, key))
        elif resting:
            _adjust(turn, resting[0], quantity=quantity, price=price, since=altered)
        elif not guard.denied and account.readiness is not Readiness.NOT_READY:
            _place(turn, account, key, kind, quantity=quantity, price=price, since=begins)


def _exits(state: State, guard: Guard) -> list[Order]:
    """The exits that work, without those on their way out."""
    known = (state.orders[order_id] for order_id in guard.exits)
    return [order for order in known if order.state is not OrderState.CANCEL_PENDING]


def _orphans(account: AccountState) -> Iterator[Order]:
    """Exits that work and guard nothing any more: their cancel was refused, or has been lost."""
    for order in account.working.values():
        if order.spec.link and not order.spec.parent and order.state in _RESTING:
            guard = account.guards.get(key_of(order.spec))
            if guard is None or guard.link != order.spec.link:
                yield order


def _ask_again(turn: Turn, order: Order) -> None:
    """Has an orphan cancelled: at once, or after a while where that has just been refused."""
    record = turn.records[-1]
    if isinstance(record, r.OrderMoved) and record.order_id == order.id:
        turn.effects.append(WantReconcile(order.spec.account_id, "an exit works that guards nothing", again=True))
    else:
        orders.request_cancel(turn, order, _provenance(turn.state, key_of(order.spec)))


def _withdraw(turn: Turn, guard: Guard, key: PositionKey) -> None:
    for order in _exits(turn.state, guard):
        orders.request_cancel(turn, order, _provenance(turn.state, key))


def _place(
    turn: Turn,
    account: AccountState,
    key: PositionKey,
    kind: OrderKind,
    *,
    quantity: Decimal,
    price: Decimal,
    since: int,
) -> None:
    guard = account.guards[key]
    spec = OrderSpec(
        account_id=key.account_id,
        book=key.book,
        instrument_id=key.instrument_id,
        side=Side.SELL if guard.side > 0 else Side.BUY,
        quantity=quantity,
        kind=kind,
        client_order_id=f"{guard.link}:{turn.state.seq}",
        limit_price=price if kind is OrderKind.LIMIT else None,
        stop_price=price if kind is OrderKind.STOP else None,
        time_in_force=TimeInForce.GTC,
        product=key.product,
        link=guard.link,
    )
    verdict = orders.place(turn, account, spec, _provenance(turn.state, key), since=since)
    if isinstance(verdict, Refused):
        symbol = turn.state.instruments[key.instrument_id].symbol
        message = f"An exit of {symbol} was refused, and the position is not guarded: {verdict.check.reason}"
        turn.alert("critical", "exit-refused", message, account_id=key.account_id)


def _adjust(turn: Turn, order: Order, *, quantity: Decimal, price: Decimal, since: int) -> None:
    """Asks for another quantity or price; one that is not acknowledged yet is asked when it is."""
    if order.state not in _RESTING:
        return
    is_stop = order.spec.kind is OrderKind.STOP
    stop_price = order.stop_price if order.triggered or not is_stop else price
    limit_price = order.limit_price if is_stop else price
    whole = add(order.filled, quantity)
    if (whole, limit_price, stop_price) != (order.quantity, order.limit_price, order.stop_price):
        spec = msgspec.structs.replace(order.spec, quantity=whole, limit_price=limit_price, stop_price=stop_price)
        amending.request_amendment(turn, order, spec, _provenance(turn.state, key_of(order.spec)), since=since)


def _provenance(state: State, key: PositionKey) -> Provenance:
    is_deployed = key.book in state.deployments
    return Provenance(key.book, Source.DEPLOYMENT if is_deployed else Source.SYSTEM)
