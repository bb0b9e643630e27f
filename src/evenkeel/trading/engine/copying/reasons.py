"""Why a copy opens nothing. None of these keeps what closes from being copied."""

from evenkeel.domain.clock import SECOND
from evenkeel.domain.copying import CopyKind, CopyMode, CopySide, MasterFill, MasterOrder
from evenkeel.domain.money import mul, plain
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.copying.placing import worst_price
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.engine.windows import is_inside

_SIDES = {CopySide.LONG: (1, "shorts"), CopySide.SHORT: (-1, "longs")}


def not_opened(turn: Turn, one: LinkState, *, event: MasterFill | MasterOrder, side: int) -> str:
    """The first reason for which an event on a side (1 buys, -1 sells) opens nothing; empty where it may."""
    link, terms, is_fill = one.link, one.link.terms, isinstance(event, MasterFill)
    at = event.at if isinstance(event, MasterFill) else turn.state.orders[event.order_id].created_at
    if isinstance(event, MasterFill) and event.kind is CopyKind.BUST:
        return "the venue took the master's execution back, and not the follower's"
    if is_fill and link.mode is CopyMode.ORDERS:
        return "the order behind this fill has no copy"
    if link.paused:
        return "the link is paused"
    if turn.at - at > terms.max_age:
        return f"it is {(turn.at - at) / SECOND:.1f} s old, the link copies up to {terms.max_age / SECOND:g} s"
    allowed, others = _SIDES.get(link.filter.side, (side, ""))
    if side != allowed:
        return f"the link opens no {others}"
    if link.filter.windows and not is_inside(link.filter.windows, at):
        return "it is outside the link's hours"
    if event.factor is None:
        return event.unsized or "no size can be worked out"
    return _too_far(turn.state, one, event=event, side=side) if isinstance(event, MasterFill) else ""


def _too_far(state: State, one: LinkState, *, event: MasterFill, side: int) -> str:
    """Where the last price is already worse than the copy may pay."""
    rule = one.link.rule(event.instrument_id)
    bound = worst_price(state, one, instrument_id=event.instrument_id, price=event.price, side=side)
    last = state.mark(rule.instrument_id)
    if bound is None or last is None or (last <= bound if side > 0 else last >= bound):
        return ""
    theirs = plain(mul(event.price, rule.price))
    return f"the last price {plain(last)} is beyond {plain(bound)}: the master's was {theirs}"
