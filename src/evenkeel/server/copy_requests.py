"""What requests about copy links say: a new link, its terms, a resync; and the terms read from them."""

from collections.abc import Iterable
from datetime import time
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from evenkeel.domain import copying as d
from evenkeel.domain.clock import SECOND
from evenkeel.domain.copying import CopyMode, CopySide
from evenkeel.domain.instruments import AssetClass
from evenkeel.domain.limits import Window
from evenkeel.domain.orders import Product
from evenkeel.server import wire
from evenkeel.server.limits import WindowIn
from evenkeel.server.requests import MaybePositive, PageQuery, Reference, Symbol

SizeBy = Literal["equal", "fixed", "multiplier", "equity", "free-margin", "volatility"]
_MAX_SLIPPAGE: Any = {"type": ["string", "number", "null"]}
_Reference = Annotated[float, Meta(gt=0, le=10, description="a volatility a year above 0, at most 10")]
_WINDOW = Annotated[int, Meta(ge=20, le=1000, description="20 to 1000 days")]
_Age = Annotated[float, Meta(gt=0, le=86_400, description="seconds above 0, at most 86400")]


class SizingIn(Struct, forbid_unknown_fields=True):
    """How large copies are. `quantity` goes with `fixed`, `factor` with `multiplier`; `reference` (a volatility a year)
    and `window` (days) with `volatility`."""

    by: SizeBy
    quantity: MaybePositive = field(default_factory=Raw)
    factor: MaybePositive = field(default_factory=Raw)
    reference: _Reference | None = None
    window: _WINDOW | None = None


class CopyTermsChange(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is. `risk` multiplies every size. Nothing is opened at a price worse than the
    master's by more than `max_slippage`, a fraction (null: any), nor of what is older than `max_age` seconds."""

    sizing: SizingIn | None = None
    risk: MaybePositive = field(default_factory=Raw)
    max_slippage: Annotated[Raw, Meta(extra_json_schema=_MAX_SLIPPAGE)] = field(default_factory=Raw)
    max_age: _Age | UnsetType = UNSET


class SymbolRuleIn(Struct, forbid_unknown_fields=True):
    """The follower trades `to` in the place of `symbol`: `quantity` units for one, at `price` times its price."""

    symbol: Symbol
    to: Symbol
    venue: Symbol | None = None
    to_venue: Symbol | None = None
    quantity: MaybePositive = field(default_factory=Raw)
    price: MaybePositive = field(default_factory=Raw)


class NewCopyLink(CopyTermsChange, forbid_unknown_fields=True, kw_only=True):
    """A link from a master account to a follower account, one of them yours. Lists that are empty are no filter.
    `books` are ids of strategies or portfolios, or `manual`; `windows` are the hours in which positions are opened."""

    master_id: Reference
    follower_id: Reference
    mode: CopyMode = CopyMode.FILLS
    symbols: Annotated[list[Symbol], Meta(max_length=500)] = []
    asset_classes: Annotated[list[AssetClass], Meta(max_length=10)] = []
    books: Annotated[list[Reference], Meta(max_length=100)] = []
    side: CopySide = CopySide.BOTH
    windows: Annotated[list[WindowIn], Meta(max_length=20)] = []
    symbol_map: Annotated[list[SymbolRuleIn], Meta(max_length=500)] = []
    product: Product = Product.NONE


class ResyncIn(Struct, forbid_unknown_fields=True):
    """Which of the master's positions the follower is brought to; all without `symbols`. With `preview` none yet."""

    symbols: Annotated[list[Symbol], Meta(max_length=500)] = []
    preview: bool = False


class ReplicateIn(Struct, forbid_unknown_fields=True):
    """One position of a master, to be held by its followers: those of `link_ids`, or all of yours."""

    master_id: Reference
    symbol: Symbol
    venue: Symbol | None = None
    link_ids: Annotated[list[Reference], Meta(max_length=500)] = []
    preview: bool = False


class CopiesQuery(Struct, forbid_unknown_fields=True):
    """`account_id` is a master or a follower."""

    account_id: Reference | None = None


class CopyEventsQuery(PageQuery, forbid_unknown_fields=True):
    """`skipped`: only what was not copied, or not in full."""

    skipped: bool = False


def terms(given: CopyTermsChange, known: d.CopyTerms, *, fields: wire.Fields) -> d.CopyTerms:
    """The terms of a request, with what it leaves out as it stands."""
    risk, slippage = fields.number("risk", given.risk), known.max_slippage
    if bytes(given.max_slippage):
        slippage = fields.number("max_slippage", given.max_slippage, "share")
    age = known.max_age if isinstance(given.max_age, UnsetType) else round(given.max_age * SECOND)
    sized = known.sizing if given.sizing is None else _sizing(given.sizing, fields)
    return d.CopyTerms(sizing=sized, risk=known.risk if risk is None else risk, max_slippage=slippage, max_age=age)


_TAKES = {"fixed": ("quantity",), "multiplier": ("factor",), "volatility": ("reference", "window")}


def _sizing(given: SizingIn, fields: wire.Fields) -> d.CopySizing:
    takes = _TAKES.get(given.by, ())
    has = {"quantity": bool(bytes(given.quantity)), "factor": bool(bytes(given.factor))}
    has |= {"reference": given.reference is not None, "window": given.window is not None}
    for name, is_given in has.items():
        if is_given and name not in takes:
            fields.fault(f"sizing.{name}", f"does not go with {given.by}")
    match given.by:
        case "fixed":
            return d.Fixed(fields.required("sizing.quantity", given.quantity))
        case "multiplier":
            return d.Multiplier(fields.required("sizing.factor", given.factor))
        case "volatility":
            return d.ByVolatility(given.reference, given.window or d.ByVolatility().window)
        case "equity":
            return d.ByEquity()
        case "free-margin":
            return d.ByFreeMargin()
    return d.Equal()


def windows(given: Iterable[WindowIn]) -> tuple[Window, ...]:
    return tuple(
        Window(time.fromisoformat(one.start), time.fromisoformat(one.end), one.time_zone, tuple(one.days))
        for one in given
    )
