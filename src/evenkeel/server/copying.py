"""Copy links as the doors see them: terms read from a request, and how each follower stands, for one person."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from evenkeel.domain import clock
from evenkeel.domain import copying as d
from evenkeel.domain.clock import SECOND
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import CopyKind, CopyMode, CopySide
from evenkeel.domain.instruments import AssetClass
from evenkeel.domain.money import plain, sub
from evenkeel.domain.orders import Product, Side
from evenkeel.server import views
from evenkeel.server.copy_requests import SizeBy
from evenkeel.server.limits import WindowOut
from evenkeel.server.ports import CopyRow
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine.copying.aligning import Alignment, alignments
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.state import State

NO_NAMES: Mapping[str, str] = MappingProxyType({})
LinkStatus = Literal["proposed", "active", "paused", "removed"]


class SizingOut(Struct):
    by: SizeBy
    quantity: Amount | None
    factor: Amount | None
    reference: float | None
    window: int | None


class SymbolRuleOut(Struct):
    symbol: str
    to: str
    quantity: Amount
    price: Amount


class SkipOut(Struct):
    """Why an event was not copied, or not in full."""

    at: Moment
    event: CopyKind
    symbol: str
    reason: str


class CopyLegOut(Struct):
    """One of the master's positions and its copy. `target` is the whole lots of `wanted`; `working` what is on its way,
    signed; `drift` what the follower lacks of its target, or has too much of."""

    symbol: str
    master_quantity: Amount
    follower_symbol: str
    wanted: Amount
    target: Amount
    position: Amount
    working: Amount
    carry: Amount
    drift: Amount
    in_sync: bool
    last_skip: SkipOut | None


class CopyLinkOut(Struct):
    """A copy link. Names are null of accounts that are not yours. Positions, whether they are in step, and why not, are
    told to the follower's side: for the master's, `in_sync` is null. `proposed_by` is the user name of who has made the
    link, null on the stream. `events` and `skips` are how many there have been."""

    id: Id
    status: LinkStatus
    master_id: Id
    master: str | None
    follower_id: Id
    follower: str | None
    mode: CopyMode
    symbols: list[str]
    asset_classes: list[AssetClass]
    books: list[str]
    side: CopySide
    windows: list[WindowOut]
    symbol_map: list[SymbolRuleOut]
    product: Product
    sizing: SizingOut
    risk: Amount
    max_slippage: Amount | None
    max_age: float
    in_sync: bool | None
    proposed_by: str | None
    events: int
    skips: int
    last_event_at: Moment | None
    last_skip: SkipOut | None
    legs: list[CopyLegOut]


class CopyStepOut(Struct):
    """What is ordered to bring one position in step: `close` of the other side first, then `open`."""

    symbol: str
    follower_symbol: str
    master_quantity: Amount
    position: Amount
    target: Amount
    side: Side | None
    close: Amount
    open: Amount


class UnsizedOut(Struct):
    symbol: str
    reason: str


class ResyncOut(Struct):
    """Steps of one link, whose id this is, the orders placed for them (none in a preview), and positions without a
    target, with why."""

    id: Id
    follower_id: Id
    follower: str | None
    steps: list[CopyStepOut]
    order_ids: list[str]
    unsized: list[UnsizedOut]


class CopyEventOut(Struct):
    """What a link made of one event of its master: what the master held with it, what the follower was to hold, and
    what was ordered (signed)."""

    id: Id
    at: Moment
    event: CopyKind
    symbol: str
    master_quantity: Amount
    wanted: Amount
    carry: Amount
    quantity: Amount
    master_order_id: str | None
    order_ids: list[str]
    skipped: str | None


def status_of(one: LinkState) -> LinkStatus:
    if one.link.removed:
        return "removed"
    if not one.link.accepted:
        return "proposed"
    return "paused" if one.link.paused else "active"


def sees(seen: Tenant, one: LinkState) -> bool:
    """Whether a link is from or to an account that this person may use so."""
    return seen.owns(one.link.master_id) or seen.owns(one.link.follower_id)


def links_of(seen: Tenant) -> list[LinkState]:
    """The links of this person's accounts that have not been removed."""
    return [one for one in seen.state.copying.live() if sees(seen, one)]


def link(seen: Tenant, one: LinkState, names: Mapping[str, str] = NO_NAMES) -> CopyLinkOut:
    """A link as one person may see it; `names` are people's, by id."""
    state, this = seen.state, one.link
    mine = seen.owns(this.follower_id)
    legs = [_leg(state, one, found=found) for found in standing(state, one)] if mine else []
    skip = one.last_skip if mine else None
    return CopyLinkOut(
        id=this.id,
        status=status_of(one),
        master_id=this.master_id,
        master=_name(seen, this.master_id),
        follower_id=this.follower_id,
        follower=_name(seen, this.follower_id),
        mode=this.mode,
        product=this.product,
        in_sync=all(leg.in_sync for leg in legs) if mine else None,
        proposed_by=names.get(this.proposed_by),
        events=one.events,
        skips=one.skips,
        last_event_at=None if one.last is None else clock.iso(one.last.at),
        last_skip=None if skip is None else _skip(state, skip),
        legs=legs,
        **_filter(state, this),
        **_terms(this.terms),
    )


def _filter(state: State, this: d.CopyLink) -> dict[str, Any]:
    """What is followed, and what is traded in its place."""
    return {
        "symbols": [_symbol(state, name) for name in this.filter.instrument_ids],
        "asset_classes": list(this.filter.asset_classes),
        "books": list(this.filter.books),
        "side": this.filter.side,
        "windows": [
            WindowOut(f"{one.start:%H:%M}", f"{one.end:%H:%M}", one.time_zone, list(one.days))
            for one in this.filter.windows
        ],
        "symbol_map": [
            SymbolRuleOut(
                _symbol(state, name),
                _symbol(state, rule.instrument_id),
                views.text(rule.quantity),
                views.text(rule.price),
            )
            for name, rule in this.symbols.items()
        ],
    }


def _terms(terms: d.CopyTerms) -> dict[str, Any]:
    return {
        "sizing": _sizing_out(terms.sizing),
        "risk": views.text(terms.risk),
        "max_slippage": None if terms.max_slippage is None else views.text(terms.max_slippage),
        "max_age": terms.max_age / SECOND,
    }


def standing(state: State, one: LinkState) -> list[Alignment]:
    """Where each of a link's positions stands beside what it is to be."""
    listed = [name for name in one.legs if one.link.rule(name).instrument_id in state.instruments]
    return alignments(state, one, targets=[d.CopyTarget(name, one.legs[name].wanted) for name in listed])


def _name(seen: Tenant, account_id: str) -> str | None:
    return seen.state.accounts[account_id].account.name if seen.owns(account_id) else None


def _symbol(state: State, instrument_id: str) -> str:
    found = state.instruments.get(instrument_id)
    return instrument_id if found is None else found.symbol


def _sizing_out(sizing: d.CopySizing) -> SizingOut:
    by: Any = sizing.__struct_config__.tag
    quantity, factor = getattr(sizing, "quantity", None), getattr(sizing, "factor", None)
    return SizingOut(
        by,
        None if quantity is None else views.text(quantity),
        None if factor is None else views.text(factor),
        getattr(sizing, "reference", None),
        getattr(sizing, "window", None),
    )


def _skip(state: State, record: CopyTaken) -> SkipOut:
    return SkipOut(clock.iso(record.at), record.kind, _symbol(state, record.instrument_id), record.skipped)


def _leg(state: State, one: LinkState, *, found: Alignment) -> CopyLegOut:
    leg, held = one.legs[found.instrument_id], found.held
    skip = one.skipped.get(found.instrument_id)
    drift = sub(found.aim, held.expected)
    return CopyLegOut(
        symbol=_symbol(state, found.instrument_id),
        master_quantity=views.text(found.master),
        follower_symbol=_symbol(state, found.follower_instrument_id),
        wanted=plain(leg.wanted),
        target=views.text(found.aim),
        position=views.text(held.quantity),
        working=views.text(sub(held.buys, held.sells)),
        carry=plain(leg.carry),
        drift=views.text(drift),
        in_sync=sub(held.expected, leg.wanted).copy_abs() < state.instruments[found.follower_instrument_id].lot_size,
        last_skip=None if skip is None else _skip(state, skip),
    )


def step(state: State, found: Alignment) -> CopyStepOut:
    """One step of a resync."""
    has_any = bool(found.close or found.open)
    side = Side.BUY if found.side > 0 else Side.SELL
    return CopyStepOut(
        symbol=_symbol(state, found.instrument_id),
        follower_symbol=_symbol(state, found.follower_instrument_id),
        master_quantity=views.text(found.master),
        position=views.text(found.held.quantity),
        target=views.text(found.aim),
        side=side if has_any else None,
        close=views.text(found.close),
        open=views.text(found.open),
    )


def resync(
    seen: Tenant,
    one: LinkState,
    *,
    found: Iterable[Alignment],
    order_ids: Iterable[str],
    unsized: dict[str, str],
) -> ResyncOut:
    return ResyncOut(
        id=one.link.id,
        follower_id=one.link.follower_id,
        follower=_name(seen, one.link.follower_id),
        steps=[step(seen.state, each) for each in found],
        order_ids=list(order_ids),
        unsized=[UnsizedOut(_symbol(seen.state, name), why) for name, why in unsized.items()],
    )


def event(state: State, row: CopyRow) -> CopyEventOut:
    """One event of a link's history."""
    return CopyEventOut(
        id=row.id,
        at=clock.iso(row.at),
        event=CopyKind(row.kind),
        symbol=_symbol(state, row.instrument_id),
        master_quantity=views.text(row.held),
        wanted=plain(row.wanted),
        carry=plain(row.carry),
        quantity=views.text(row.quantity),
        master_order_id=row.master_order_id,
        order_ids=list(row.order_ids),
        skipped=row.skipped,
    )
