"""Changes of composites, judged before they are recorded: every order as it would then stand, placed or not."""

from collections.abc import Iterator
from decimal import Decimal

from evenkeel.domain import composites as d
from evenkeel.domain.money import ZERO, add
from evenkeel.domain.orders import Order, OrderSpec
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.engine import amending
from evenkeel.trading.engine.composites import bracket, children
from evenkeel.trading.engine.composites.exits import Exit
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.risk_views import risk_view
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import assess


def judge(turn: Turn, one: Composite, *, after: d.Terms) -> Verdict:
    """What risk says of the orders of a composite that its terms would change the price of."""
    seen = Approved(())
    for leg, spec in _repriced(turn.state, one, after=after):
        verdict = _judge(turn, one, leg=leg, spec=spec)
        if isinstance(verdict, Refused):
            return verdict
        seen = Approved((*seen.checks, *verdict.checks))
    return seen


def _repriced(state: State, one: Composite, *, after: d.Terms) -> Iterator[tuple[str, OrderSpec]]:
    for (leg, now), (_, then) in zip(_parts(state, one, one.terms), _parts(state, one, after), strict=True):
        if then is not None and (now is None or _prices(now) != _prices(then)):
            yield leg, then


def _prices(spec: OrderSpec) -> tuple[Decimal | None, Decimal | None]:
    return spec.limit_price, spec.stop_price


def _parts(state: State, one: Composite, terms: d.Terms) -> tuple[Exit, ...]:
    """The legs whose prices its terms name, each as it should be for its whole quantity."""
    match terms:
        case d.Bracket() | d.Cover():
            return (Exit(d.ENTRY, terms.entry), *bracket.exits_of(state, one, terms=terms))
        case d.OneCancelsOther():
            first, second = d.EXITS if one.closes else d.EITHER
            return Exit(first, terms.first), Exit(second, terms.second)
        case d.Iceberg() | d.Slices():
            return (Exit(d.SLICE, terms.order),)
        case d.Legs():
            return ()


def _judge(turn: Turn, one: Composite, *, leg: str, spec: OrderSpec) -> Verdict:
    """The verdict on one leg: on the order that is all of it, or on all that has not filled, as if it were one."""
    orders, rest = children.of_leg(turn.state, one, leg), _unplaced(turn.state, one, leg=leg, spec=spec)
    if len(orders) == 1 and not rest:
        return _judge_child(turn, one, order=orders[0], spec=spec)
    left = add(rest, children.on_the_way(turn.state, one, leg))
    if not left:
        return Approved(())
    account, source = turn.state.accounts[one.account_id], children.provenance(one).source
    ids = [order.id for order in orders]
    return assess(risk_view(turn.state, account, spec, left, without=ids, source=source, at=turn.at))


def _judge_child(turn: Turn, one: Composite, *, order: Order, spec: OrderSpec) -> Verdict:
    wanted = children.changed(order, quantity=order.remaining, limit_price=spec.limit_price, stop_price=spec.stop_price)
    return amending.judge(turn, order, wanted, children.provenance(one))


def _unplaced(state: State, one: Composite, *, leg: str, spec: OrderSpec) -> Decimal:
    """What of a leg that enters is still to be placed; exits are judged as they are placed."""
    if leg == d.SLICE:
        return children.rest_of(one, spec.quantity, state, leg)
    is_to_come = leg in (d.ENTRY, *d.EITHER) and leg not in one.legs
    return spec.quantity if is_to_come else ZERO
