"""The options that commands which place orders have in common, declared once for each thing that an order can do."""

import inspect
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from decimal import Decimal
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from evenkeel.cli import order_terms
from evenkeel.cli.common import HomeOption, JsonOption, number, plain
from evenkeel.domain.accounts import MANUAL
from evenkeel.domain.orders import Product, TimeInForce

Command = Callable[..., None]
Limit = Annotated[Decimal | None, typer.Option("--limit", parser=number, metavar="PRICE", help="Limit price.")]
Stop = Annotated[Decimal | None, typer.Option("--stop", parser=number, metavar="PRICE", help="Stop price.")]
OPTIONS = order_terms.OPTIONS | {
    "limit_price": "--limit",
    "stop_price": "--stop",
    "after_market": "--after-market",
    "product": "--product",
    "venue": "--venue",
    "book": "--book",
    "client_order_id": "--client-order-id",
}


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every order takes: how long it works, where, and under which name."""

    tif: order_terms.TimeOption = None
    expires: order_terms.ExpiresOption = None
    product: Annotated[Product, typer.Option("--product", case_sensitive=False, help="Indian products.")] = Product.NONE
    venue: Annotated[str | None, typer.Option("--venue", help="For symbols listed at several venues.")] = None
    book: Annotated[
        str, typer.Option("--book", metavar="BOOK", help="manual, unassigned, or a strategy or portfolio.")
    ] = MANUAL
    client_order_id: Annotated[
        str | None,
        typer.Option("--client-order-id", metavar="ID", help="Yours, up to 64 characters: sent twice, ordered once."),
    ] = None
    home: HomeOption = None
    as_json: JsonOption = False

    def terms(self, *, usual: TimeInForce = TimeInForce.DAY) -> dict[str, Any]:
        """The part of a request that they are; `usual` is how long an order works of which nothing says so."""
        return {
            "time_in_force": order_terms.lasting(self.tif, self.expires, usual=usual).value,
            "expires_at": self.expires,
            "product": self.product.value,
            "venue": self.venue,
        }


@dataclass(frozen=True, kw_only=True)
class Later(Common):
    """Of orders that may be held for the next open, too."""

    after_market: order_terms.LaterOption = False

    def terms(self, *, usual: TimeInForce = TimeInForce.DAY) -> dict[str, Any]:
        return super().terms(usual=usual) | {"after_market": self.after_market}


@dataclass(frozen=True, kw_only=True)
class Entry(Later):
    """Of an order that may have any price, and wait for one."""

    limit: Limit = None
    stop: Stop = None
    trigger: order_terms.TriggerOption = None

    def terms(self, *, usual: TimeInForce = TimeInForce.DAY) -> dict[str, Any]:
        prices = order_terms.prices(limit=self.limit, stop=self.stop)
        return super().terms(usual=usual) | prices | {"trigger_price": plain(self.trigger)}


@dataclass(frozen=True, kw_only=True)
class Whole(Entry):
    """Of an order by itself, whose stop may follow the price, and which may be there only to close."""

    trail: order_terms.TrailOption = None
    trail_limit: order_terms.TrailLimitOption = None
    kind: order_terms.KindOption = None
    reduce_only: order_terms.ReduceOption = None

    def terms(self, *, usual: TimeInForce = TimeInForce.DAY) -> dict[str, Any]:
        own = order_terms.terms(
            wanted=self.kind,
            limit=self.limit,
            stop=self.stop,
            distance=self.trail,
            offset=self.trail_limit,
            tif=self.tif,
            expires=self.expires,
        )
        return super().terms(usual=usual) | own | {"reduce_only": self.reduce_only}


@dataclass(frozen=True, kw_only=True)
class Sliced(Common):
    """Of orders whose parts go out as they are placed: at the market, or with a limit."""

    limit: Limit = None

    def terms(self, *, usual: TimeInForce = TimeInForce.DAY) -> dict[str, Any]:
        return super().terms(usual=usual) | order_terms.prices(limit=self.limit)


def spread(command: Command) -> Command:
    """The command with the options of its parameter `shared`, one of the above, in the place of that."""
    hints = get_type_hints(command, include_extras=True)
    shared: type[Common] = hints.pop("shared")
    kinds = hints | get_type_hints(shared, include_extras=True)
    own = [one for one in inspect.signature(command).parameters.values() if one.name != "shared"]
    common = {one.name for one in fields(Common)}
    options: list[Field[Any]] = sorted(fields(shared), key=lambda one: one.name in common)

    @wraps(command)
    def run(**given: Any) -> None:
        taken = shared(**{one.name: given.pop(one.name) for one in options})
        command(**given, shared=taken)

    defaults = {one.name: one.default for one in own} | {one.name: one.default for one in options}
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kinds[name])
        for name, default in defaults.items()
    ]
    run.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    run.__annotations__ = {name: kinds[name] for name in defaults}
    return run
