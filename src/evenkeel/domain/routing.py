"""Smart routing: which of several accounts an order goes to, and at which venue, by a rule that was declared for it."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record


class RouteRule(StrEnum):
    """`cheapest`: least to pay (or most to receive) with all charges; `first`: in the order given; `most-cash`: where
    most is free; `least-exposed`: where the instrument is the smallest share of equity afterwards.
    """

    CHEAPEST = "cheapest"
    FIRST = "first"
    MOST_CASH = "most-cash"
    LEAST_EXPOSED = "least-exposed"


class Route(Struct, frozen=True, omit_defaults=True):
    """A user's named way to choose: the accounts an order may go to, and how one is preferred to another.

    `venues` are those it may trade at, any where there is none; they matter for symbols that are listed at several.
    """

    user_id: str
    name: str
    account_ids: tuple[str, ...]
    rule: RouteRule = RouteRule.CHEAPEST
    venues: tuple[str, ...] = ()


class Candidate(Struct, frozen=True, omit_defaults=True):
    """One place an order could have gone: what the rule made of it, or why it could not.

    `cost` is what is paid in all, negative where something is received, in the account's currency; `rank` is what the
    rule compared, the smallest wins. `reduces`: there the order would only close what the account holds, which comes
    before any rank.
    """

    account_id: str
    instrument_id: str
    cost: Decimal | None = None
    rank: Decimal | None = None
    refused: str | None = None
    reason: str | None = None
    reduces: bool = False


class RouteSet(Record, frozen=True, tag="route.set/1"):
    route: Route
    provenance: Provenance


class RouteRemoved(Record, frozen=True, tag="route.removed/1"):
    user_id: str
    name: str
    provenance: Provenance


class OrderRouted(Record, frozen=True, tag="order.routed/1"):
    """Why an order went where it went: every place that its route leads to, and what was made of each."""

    order_id: str
    route: str
    rule: RouteRule
    candidates: tuple[Candidate, ...]


AnyRouteRecord = RouteSet | RouteRemoved | OrderRouted
