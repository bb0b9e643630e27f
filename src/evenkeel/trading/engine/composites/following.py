"""Commands on composites, and what follows after every turn: what is still to do is worked out from what there is.

A composite that records touched is looked at once their turn is done, and again for what that led to. Nothing here
remembers, so that a restart goes on by itself: with the records of its start, and once its account is reconciled.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import structs

from evenkeel.domain import composites as d
from evenkeel.domain import records as r
from evenkeel.domain.commands import CancelComposite, ModifyComposite, SubmitComposite
from evenkeel.domain.composite_records import CompositeMoved, CompositeStarted
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.errors import Conflict, FieldError, IdempotencyConflict, InvalidInput, NotFound
from evenkeel.domain.events import SliceDone
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.money import ZERO, add, plain
from evenkeel.domain.orders import OrderKind, OrderSpec
from evenkeel.domain.positions import key_of
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.engine import amending, halts, market, orders, timers
from evenkeel.trading.engine.composites import (
    bracket,
    changing,
    children,
    exits,
    iceberg,
    legs,
    oco,
    pacing,
    slices,
    terms,
)
from evenkeel.trading.engine.composites.standing import TIMER, Composite
from evenkeel.trading.engine.effects import Outcome, SendOrder
from evenkeel.trading.engine.risk_views import risk_view
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import RiskView, assess
from evenkeel.trading.risk.view import Seen

_MOST_ROUNDS = 100
_Seen = TypeVar("_Seen", bound=Seen)
_KINDS: dict[type, Any] = {
    d.Bracket: bracket,
    d.Cover: bracket,
    d.OneCancelsOther: oco,
    d.Iceberg: iceberg,
    d.Slices: slices,
    d.Legs: legs,
}
_CHANGEABLE: dict[type, tuple[str, ...]] = {
    d.Bracket: ("stop_loss", "take_profit", "trail", "limit_price"),
    d.Cover: ("stop_loss", "trail", "limit_price"),
    d.OneCancelsOther: ("limit_price", "stop_price"),
    d.Iceberg: ("limit_price", "displayed"),
    d.Slices: ("limit_price", "pace"),
    d.Legs: (),
}
_EVERYTHING = (r.PanicStarted, r.PanicEnded, r.DeploymentChanged)


def submit(turn: Turn, command: SubmitComposite) -> Outcome:
    """Takes a composite, or recalls the one that this client id already named. It is judged as a whole, first.

    Raises InvalidInput for terms that make no sense, and IdempotencyConflict for an id that names something else.
    """
    asked, state = command.terms, turn.state
    lead = terms.lead_of(asked)
    account = state.account(lead.account_id)
    known = _recalled(state, command, account_id=lead.account_id)
    if known is not None:
        return known
    terms.check(state, asked)
    closes = _closes(state, asked)
    market.keep_day(turn, account)
    return Outcome(begin(turn, command, closes=closes))


def begin(turn: Turn, command: SubmitComposite, *, closes: bool = False) -> str:
    """Records a composite whose terms make sense and whose name is new, with the verdict on it as a whole: its id."""
    asked, lead = command.terms, terms.lead_of(command.terms)
    composite_id = turn.new_id("composite")
    slots = pacing.slots_of(asked.pace, turn.at, seed=composite_id) if isinstance(asked, d.Slices) else ()
    verdict, by = _judge(turn, command, closes=closes, slots=slots), command.provenance
    if orders.is_late(turn.state, by):
        verdict = orders.idle(turn.state, by, verdict)
    turn.emit(
        CompositeStarted(
            at=turn.at,
            id=composite_id,
            account_id=lead.account_id,
            book=lead.book,
            client_order_id=command.client_order_id,
            terms=asked,
            approved=isinstance(verdict, Approved),
            checks=verdict.checks if isinstance(verdict, Approved) else (*verdict.passed, verdict.check),
            provenance=command.provenance,
            closes=closes,
            slots=slots,
            wake=_first_wake(asked, slots),
        )
    )
    return composite_id


def _recalled(state: State, command: SubmitComposite, *, account_id: str) -> Outcome | None:
    """What this client id has named before; None where it is new."""
    name = account_id, command.client_order_id
    if name not in state.composites.names and name not in state.client_ids:
        if 1 <= len(command.client_order_id) <= 64:
            return None
        fault = FieldError("client_order_id", "1 to 64 characters")
        raise InvalidInput("the order is not complete", errors=(fault,))
    known = state.composites.names.get(name, "")
    one = state.composites.find(known)
    if one is None or one.asked != command.terms:
        raise IdempotencyConflict(
            f"client_order_id {command.client_order_id!r} already names another order",
            hint="Send the same body again, or choose a new client_order_id.",
        )
    return Outcome(known, created=False)


def _first_wake(asked: d.Terms, slots: tuple[d.Slot, ...]) -> int:
    if slots:
        return slots[0].at
    return pacing.end_of(asked.pace) if isinstance(asked, d.Slices) else 0


def _closes(state: State, asked: d.Terms) -> bool:
    """Whether two orders are exits of what the book holds, and nothing else is to close."""
    if not isinstance(asked, d.OneCancelsOther) or not asked.shares:
        return False
    spec = asked.first
    key, side = key_of(spec), -spec.side.sign
    uncovered = exits.free(state, key, side=side)
    if uncovered < spec.quantity <= state.position(key).quantity * side:
        fault = FieldError("quantity", f"at most the {plain(uncovered)} held that no other exits cover")
        raise InvalidInput("the order is not valid", errors=(fault,))
    return spec.quantity <= uncovered


def _judge(turn: Turn, command: SubmitComposite, *, closes: bool, slots: tuple[d.Slot, ...]) -> Verdict:
    """The verdict on every order as a whole: to place it in parts is no way round a limit.

    A leg is judged as if those before it had filled, parts and slices as the last of them that is placed today.
    """
    state, source = turn.state, command.provenance.source
    seen, before = list[r.Check](), dict[str, Decimal]()
    for place, spec in enumerate(d.specs_of(command.terms)):
        wanted = exits.linked(spec, "whole", leg=d.EXITS[0]) if closes else spec
        view = risk_view(state, state.accounts[spec.account_id], wanted, spec.quantity, source=source, at=turn.at)
        if isinstance(command.terms, d.Legs):
            earlier = before.get(spec.instrument_id, ZERO)
            before[spec.instrument_id] = add(earlier, view.signed)
            view = _behind(structs.replace(view, held=add(view.held, earlier)), trades=place)
        elif isinstance(command.terms, d.Slices):
            trades, at_work = _before_the_last(state, command.terms, slots)
            view = _behind(view, trades=trades, at_work=at_work)
        verdict = assess(view)
        if isinstance(verdict, Refused):
            return verdict
        seen += verdict.checks
    return Approved(tuple(seen))


def _before_the_last(state: State, asked: d.Slices, slots: tuple[d.Slot, ...]) -> tuple[int, int]:
    """How many of its orders are placed today before the last of them, as far as is known, and work beside it."""
    order, pace = asked.order, asked.pace
    if isinstance(pace, d.Parts):
        others = -int(-order.quantity // pace.size) - 1
        return others, others
    today = sum(1 for slot in slots if slot.at < state.accounts[order.account_id].day_end)
    lots = int(order.quantity // state.instruments[order.instrument_id].lot_size)
    return max(0, min(today, lots) - 1), 0


def _behind(view: RiskView, *, trades: int, at_work: int = 0) -> RiskView:
    """The view in every layer as if so many more orders had been placed today, and worked."""
    layers = tuple(_later(seen, trades, at_work) for seen in view.layers)
    return structs.replace(_later(view, trades, at_work), layers=layers)


def _later(seen: _Seen, trades: int, at_work: int) -> _Seen:
    return structs.replace(seen, trades_today=seen.trades_today + trades, open_orders=seen.open_orders + at_work)


def cancel(turn: Turn, command: CancelComposite) -> Outcome:
    """Cancels a composite; exits of what was entered stay unless `close`. Raises Conflict where there is nothing to."""
    one = _live(turn.state, command.composite_id)
    if isinstance(one.terms, d.Bracket | d.Cover):
        fault = bracket.cancel(turn, one, close=command.close)
        if fault is not None:
            hint = "Cancel it with `close` to close what it holds, or its exits one by one to keep it unguarded."
            raise Conflict(f"there is nothing to cancel: {fault}", hint=hint)
    elif command.close:
        raise InvalidInput("only a bracket or a cover is closed", errors=(FieldError("close", "leave it out"),))
    else:
        children.stop(turn, one, ending=CompositeState.CANCELLED, reason="it was cancelled")
    return Outcome(one.id, created=False)


def to_come(state: State, one: Composite) -> list[OrderSpec]:
    """What it has yet to place to enter, each order for what is left of it; nothing where it is on its way out."""
    if one.state not in (CompositeState.ACTIVE, CompositeState.PAUSED):
        return []
    found: list[OrderSpec] = _KINDS[type(one.terms)].to_come(state, one, terms=one.terms)
    return found


def _live(state: State, composite_id: str) -> Composite:
    one = state.composites.get(composite_id)
    if one is not None:
        return one
    ended = state.composites.ended.get(composite_id)
    if ended is None:
        raise NotFound(f"there is no composite order {composite_id!r}")
    raise Conflict(f"the composite order is {ended.state}")


def modify(turn: Turn, command: ModifyComposite) -> Outcome:
    """Sets what is to be otherwise from now on. Raises InvalidInput, Conflict for one that is on its way out, and
    ChangeRefused where risk refuses what its orders would be."""
    one = _live(turn.state, command.composite_id)
    if one.state in (CompositeState.STOPPING, CompositeState.CLOSING):
        raise Conflict(f"the composite order is {one.state}, and cannot be changed")
    _check_change(one.terms, command.change)
    after = _KINDS[type(one.terms)].changed(one.terms, command.change)
    if after == one.terms:
        fault = FieldError("", "give something that it has, and otherwise than it is")
        raise InvalidInput("there is nothing to change", errors=(fault,))
    terms.check(turn.state, after)
    verdict = changing.judge(turn, one, after=after)
    if isinstance(verdict, Refused):
        raise amending.refusal(verdict)
    slots, step, wake = one.slots, one.step, one.wake
    if command.change.pace is not None and isinstance(after, d.Slices):
        slots, step = pacing.slots_of(after.pace, turn.at, seed=one.id), 0
        wake = _first_wake(after, slots)
    turn.emit(
        CompositeMoved(
            at=turn.at,
            id=one.id,
            state=one.state,
            step=step,
            wake=wake,
            reason=one.reason,
            terms=after,
            slots=slots,
            provenance=command.provenance,
        )
    )
    return Outcome(one.id, created=False)


def _check_change(standing: d.Terms, change: d.CompositeChange) -> None:
    allowed = _CHANGEABLE[type(standing)]
    faults = [
        FieldError(name, f"can be changed of it: {', '.join(allowed) or 'nothing'}")
        for name in change.__struct_fields__
        if getattr(change, name) is not None and name not in allowed
    ]
    if faults:
        raise InvalidInput("the change is not valid", errors=tuple(faults))


def due(turn: Turn, composite_id: str) -> None:
    """A slice is due, a pause is over, or its time is up. A moment at which nothing was left to do is over, too."""
    one = turn.state.composites[composite_id]
    if one.state is CompositeState.PAUSED:
        children.move(turn, one, state=CompositeState.ACTIVE, wake=0)
    _go_on(turn, one)
    if 0 < one.wake <= turn.at:
        children.move(turn, one, state=one.state, reason=one.reason, wake=0, ending=one.ending)


def slice_done(turn: Turn, event: SliceDone) -> None:
    """Behind a slice: what waited for a price goes on, stops trail, and the share of the volume is taken."""
    for one in tuple(turn.state.composites.values()):
        if not one.working:
            _go_on(turn, one)
        if one.state is not CompositeState.ACTIVE:
            continue
        if isinstance(one.terms, d.Bracket | d.Cover):
            bracket.trail(turn, one, terms=one.terms, market=event.market)
        elif isinstance(one.terms, d.Slices):
            slices.take_part(turn, one, terms=one.terms, market=event.market)


def follow(turn: Turn) -> None:
    """Goes on with every composite that the turn's records speak of, until nothing more follows."""
    given, turn.effects = turn.effects, []
    seen, touched = 0, dict[str, None]()
    for _ in range(_MOST_ROUNDS):
        touched = dict.fromkeys(name for record in turn.records[seen:] for name in _touched(turn.state, record))
        seen = len(turn.records)
        for name in touched:
            one = turn.state.composites.get(name)
            if one is not None:
                _go_on(turn, one)
        if seen == len(turn.records):
            break
    else:
        raise AssertionError(f"composites come to no end: {sorted(touched)}")
    ours, turn.effects = turn.effects, given
    turn.effects += [effect for effect in ours if not isinstance(effect, SendOrder)]
    turn.effects += [effect for effect in ours if isinstance(effect, SendOrder)]


def _touched(state: State, record: r.AnyRecord) -> Iterator[str]:
    match record:
        case r.FillBooked():
            spec = state.orders[record.fill.order_id].spec
            yield spec.parent
            if not _is_of_guards(state, spec):
                yield from tuple(state.composites.guards.get(key_of(spec), ()))
        case r.OrderDecided() | r.OrderMoved():
            order = state.orders[record.order_id]
            spec = order.spec
            yield spec.parent
            if (order.kind is OrderKind.MARKET or order.triggered) and not _is_of_guards(state, spec):
                yield from tuple(state.composites.guards.get(key_of(spec), ()))
        case r.PositionCorrected():
            yield from tuple(state.composites.guards.get(record.key, ()))
        case OrderReleased():
            yield state.orders[record.order_id].spec.parent
        case CompositeStarted() | CompositeMoved():
            yield record.id
        case r.AccountReconciled() | r.ReadinessChanged():
            yield from [one.id for one in state.composites.values() if one.account_id == record.account_id]
        case _ if isinstance(record, _EVERYTHING):
            yield from tuple(state.composites)


def _is_of_guards(state: State, spec: OrderSpec) -> bool:
    """Whether an order is of a composite with exits: what it changes of a position, it changes of its own share."""
    one = state.composites.get(spec.parent)
    return one is not None and one.guards


def _go_on(turn: Turn, one: Composite) -> None:
    if one.state is not CompositeState.STOPPING:
        why = _stopped_by(turn.state, one)
        if why:
            children.stop(turn, one, ending=CompositeState.CANCELLED, reason=why)
    if one.id not in turn.state.composites:
        return
    if one.state is CompositeState.STOPPING:
        _wind_up(turn, one)
    else:
        _KINDS[type(one.terms)].go_on(turn, one, terms=one.terms)


def _stopped_by(state: State, one: Composite) -> str:
    """Why a composite is to place nothing more: its strategy is gone, or trading is halted and it is no guard of what
    is kept."""
    held = state.deployments.get(one.book)
    if held is not None and held.deployment.removed:
        return "its strategy was removed"
    account = state.accounts[one.account_id]
    stays = one.guards and (one.closes or d.ENTRY in one.legs)
    if account.is_idle and (account.is_closing or not stays):
        return "its session does not run"
    if not state.halts or not halts.is_over(state, one.lead):
        return ""
    return "" if stays and not halts.closes(state, key_of(one.lead)) else "trading is halted"


def _wind_up(turn: Turn, one: Composite) -> None:
    """Has what still works cancelled, and ends it once nothing does."""
    children.cancel(turn, one)
    if isinstance(one.terms, d.OneCancelsOther):
        oco.take_back(turn, one, terms=one.terms)
    if not one.working:
        children.end(turn, one, ending=one.ending, reason=one.reason)


timers.HANDLERS[TIMER] = due
