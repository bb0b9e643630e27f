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
    link, is_fill = one.link, isinstance(event, MasterFill)
    at = event.at if isinstance(event, MasterFill) else turn.state.orders[event.order_id].created_at
    if isinstance(event, MasterFill) and event.kind is CopyKind.BUST:
        return "the venue took the master's execution back, and not the follower's"
    if is_fill and link.mode is CopyMode.ORDERS:
        return "the order behind this fill has no copy"
    if link.paused:
        return "the link is paused"
    if too_old := _too_old(turn, one, at=at):
        return too_old
    allowed, others = _SIDES.get(link.filter.side, (side, ""))
    if side != allowed:
        return f"the link opens no {others}"
    if link.filter.windows and not is_inside(link.filter.windows, at):
        return "it is outside the link's hours"
    if event.factor is None:
        return event.unsized or "no size can be worked out"
    return _too_far(turn.state, one, event=event, side=side) if isinstance(event, MasterFill) else ""


def _too_old(turn: Turn, one: LinkState, *, at: int) -> str:
    age, most = turn.at - at, one.link.terms.max_age
    return f"it is {age / SECOND:.1f} s old, the link copies up to {most / SECOND:g} s" if age > most else ""


def not_opened_later(turn: Turn, one: LinkState, *, at: int) -> str:
    """Why what has waited since a trade of the master's at `at` (ns) is not opened any more; empty where it is."""
    return "the link is paused" if one.link.paused else _too_old(turn, one, at=at)


def not_followed(turn: Turn, one: LinkState, *, instrument_id: str, source: int) -> str:
    """Why an event of record `source` leads to no order, not even one that closes; empty where it does.

    Quantities and prices of before a split are no longer those of the orders and positions that there are.
    """
    own = one.link.rule(instrument_id).instrument_id
    if not own:
        return "the follower trades it in another's place"
    if own not in turn.state.instruments:
        return "the instrument is not listed"
    splits = turn.state.copying.splits
    if splits and source < max(splits.get(instrument_id, 0), splits.get(own, 0)):
        return "the instrument has split since"
    return ""


def _too_far(state: State, one: LinkState, *, event: MasterFill, side: int) -> str:
    """Where the last price is already worse than the copy may pay."""
    rule = one.link.rule(event.instrument_id)
    bound = worst_price(state, one, instrument_id=event.instrument_id, price=event.price, side=side)
    last = state.mark(rule.instrument_id)
    if bound is None or last is None or (last <= bound if side > 0 else last >= bound):
        return ""
    theirs = plain(mul(event.price, rule.price))
    return f"the last price {plain(last)} is beyond {plain(bound)}: the master's was {theirs}"
