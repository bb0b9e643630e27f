"""What an order waits for, how its stop follows and when it ends, as options say it and a request does."""

import re
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli.common import number, plain
from evenkeel.domain.orders import OrderKind, TimeInForce

KINDS = {
    (False, False): OrderKind.MARKET,
    (True, False): OrderKind.LIMIT,
    (False, True): OrderKind.STOP,
    (True, True): OrderKind.STOP_LIMIT,
}
ALIASES = {"SL": OrderKind.STOP_LIMIT, "SL-M": OrderKind.STOP, "SLM": OrderKind.STOP}
"""What Indian brokers call a stop-limit and a stop order."""
OPTIONS = {
    "trigger_price": "--trigger",
    "trail": "--trail",
    "trail_amount": "--trail",
    "trail_percent": "--trail",
    "trail_limit_offset": "--trail-limit",
    "trail_atr": "--trail",
    "trail_atr.multiple": "--trail",
    "trail_atr.period": "--trail",
    "trail_atr.timeframe": "--trail",
    "expires_at": "--expires",
    "time_in_force": "--tif",
    "kind": "--kind",
}
_RANGES = re.compile(r"(?P<multiple>[0-9.]+)\s*atr(:(?P<period>[0-9]+))?(:(?P<timeframe>[0-9]+[a-z]+))?", re.IGNORECASE)


def kind(text: str) -> OrderKind:
    """A kind of order by our name or a broker's. Raises typer.BadParameter."""
    wanted = text.upper().replace(" ", "_")
    known = ALIASES.get(wanted.replace("_", "-"))
    if known is not None:
        return known
    try:
        return OrderKind(wanted.replace("-", "_"))
    except ValueError:
        can = ", ".join([*OrderKind, *ALIASES])
        raise typer.BadParameter(f"{text!r} is not one of {can}") from None


def trail(text: str) -> dict[str, Any]:
    """How far a stop stays behind: `2.50`, `1.5%`, or `3atr`, `3atr:20`, `3atr:20:1h`. Raises typer.BadParameter."""
    ranges = _RANGES.fullmatch(text.strip())
    if ranges is not None:
        found = {name: value for name, value in ranges.groupdict().items() if value is not None}
        return {"trail_atr": found | ({"period": int(found["period"])} if "period" in found else {})}
    if text.endswith("%"):
        return {"trail_percent": f"{number(text[:-1]):f}"}
    return {"trail_amount": f"{number(text):f}"}


KindOption = Annotated[
    OrderKind | None,
    typer.Option("--kind", parser=kind, metavar="KIND", help="Follows from the prices; SL and SL-M are known, too."),
]
TriggerOption = Annotated[
    Decimal | None,
    typer.Option("--trigger", parser=number, metavar="PRICE", help="Hold it until the last price reaches this."),
]
TrailOption = Annotated[
    dict[str, Any] | None,
    typer.Option("--trail", parser=trail, metavar="DISTANCE", help="A trailing stop: 2.50, 1.5%, or 3atr:14:1d."),
]
TrailLimitOption = Annotated[
    Decimal | None,
    typer.Option(
        "--trail-limit", parser=number, metavar="OFFSET", help="With a limit so far beyond the trailing stop."
    ),
]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="Ends it then: ISO 8601 with a time zone; GTD.")
]
LaterOption = Annotated[bool, typer.Option("--after-market", help="Hold it until the exchange opens next.")]
ReduceOption = Annotated[
    bool | None,
    typer.Option(
        "--reduce-only/--may-open",
        help="Never open or add to a position; stops over no more than is held are reduce-only unless they may open.",
    ),
]
TimeOption = Annotated[
    TimeInForce | None,
    typer.Option("--tif", case_sensitive=False, help="How long it works; DAY by itself; an oco GTC."),
]


def said(order: dict[str, Any]) -> str:
    """An order in one line."""
    return f"{order['side']} {order['quantity']} {order['symbol']}: {order['state']}  {order['id']}"


def good_for(order: dict[str, Any]) -> str:
    """How long an order is good: one that waits for a price does so for as long as it takes, but for a GTD."""
    lasts = str(order["time_in_force"])
    waits = order["state"] == "HELD" and order["trigger_price"] is not None and lasts != TimeInForce.GTD
    return f"until triggered, then {lasts}" if waits else lasts


def lasting(tif: TimeInForce | None, expires: str | None, *, usual: TimeInForce = TimeInForce.DAY) -> TimeInForce:
    """How long an order works: as said, GTD where only its end is, else as is usual."""
    return tif or (usual if expires is None else TimeInForce.GTD)


def prices(*, limit: Decimal | None, stop: Decimal | None = None) -> dict[str, Any]:
    """Prices of an order, and the kind that follows from them."""
    kind = KINDS[limit is not None, stop is not None].value
    return {"kind": kind, "limit_price": plain(limit), "stop_price": plain(stop)}


def stopping(
    *,
    stop: Decimal | None,
    limit: Decimal | None = None,
    distance: dict[str, Any] | None = None,
    offset: Decimal | None = None,
) -> dict[str, Any]:
    """A stop order as a request has it: at a price, or with a trail behind the best price."""
    if distance is None:
        return prices(limit=limit, stop=stop) | _beyond(offset)
    kind = follows(has_offset=offset is not None).value
    return {**prices(limit=limit), "kind": kind, **distance, **_beyond(offset)}


def follows(*, has_offset: bool) -> OrderKind:
    """The kind of a stop that follows the price: with a limit where that has an offset."""
    return OrderKind.TRAILING_STOP_LIMIT if has_offset else OrderKind.TRAILING_STOP


def _beyond(offset: Decimal | None) -> dict[str, Any]:
    return {} if offset is None else {"trail_limit_offset": plain(offset)}


def stopped(composites: list[str]) -> str:
    """Composite orders that place nothing more, in one line."""
    return f"{len(composites)} composite orders are stopped: {', '.join(composites)}"


def terms(
    *,
    wanted: OrderKind | None,
    limit: Decimal | None,
    stop: Decimal | None,
    distance: dict[str, Any] | None,
    offset: Decimal | None = None,
    tif: TimeInForce | None,
    expires: str | None,
) -> dict[str, Any]:
    """The parts of a request that follow from one another: the kind from prices and trail, GTD from an end."""
    if distance is not None and (limit, stop) == (None, None):
        usual = stopping(stop=None, distance=distance, offset=offset)
    else:
        usual = prices(limit=limit, stop=stop) | (distance or {}) | _beyond(offset)
    return {
        **usual,
        "kind": usual["kind"] if wanted is None else wanted.value,
        "time_in_force": lasting(tif, expires).value,
        "expires_at": expires,
    }
