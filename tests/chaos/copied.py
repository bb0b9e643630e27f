"""The comparison of copying: what a master did, as a client sees it, against what each of its links made of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tests.chaos.books import KNOWN, UNSEEN, Ours
from tests.chaos.trader import Client

Json = dict[str, Any]
ZERO = Decimal()
OPEN = KNOWN - UNSEEN - {"FILLED", "CANCELLED", "REJECTED", "EXPIRED", "ANOMALY"}


class Link(Struct):
    """One link as the API shows it, and every event it has told of."""

    shown: Json
    events: list[Json]


async def links(client: Client) -> list[Link]:
    found = (await client.get("/accounts/copy"))["items"]
    return [Link(one, await client.every(f"/accounts/copy/{one['id']}/events")) for one in found]


def differences(link: Link, found: Ours) -> list[str]:
    """Every way in which a link does not do what it says, in words."""
    name = f"{link.shown['mode']} {link.shown['follower']}"
    said = [*_orders(link, found), *_events(link, found), *_positions(link, found)]
    return [f"{name}: {words}" for words in said]


def lately(link: Link, found: Ours) -> Iterator[str]:
    """The last that a link told of, and the orders of it that did not fill."""
    yield from (f"  {event}" for event in link.events[-25:])
    for order in found.orders:
        if order["book"] == link.shown["id"] and order["state"] != "FILLED":
            yield f"  not filled: {order}"


def _orders(link: Link, found: Ours) -> Iterator[str]:
    """No order twice, and none from nowhere: each is told of by the one event whose number it is named after.

    A record may concern several instruments; of each it asks for two orders at most, to close and to open.
    """
    mine = {order["id"]: order for order in found.orders if order["book"] == link.shown["id"]}
    placed = [event for event in link.events if event["event"] not in ("change", "cancel")]
    told = Counter(order_id for event in placed for order_id in event["order_ids"])
    yield from (f"order {name} comes from {count} events" for name, count in told.items() if count > 1)
    yield from (f"order {name} is told of and is not there" for name in told.keys() - mine.keys())
    for name in mine.keys() - told.keys():
        if mine[name]["state"] != "REFUSED":
            yield f"order {name} ({mine[name]['client_order_id']}) comes from no event"
    for event in placed:
        signs = [1 if mine[name]["side"] == "BUY" else -1 for name in event["order_ids"] if name in mine]
        if len(set(signs)) > 1 or len(signs) > 2:
            yield f"{event['event']} {event['id']} has led to {len(signs)} orders, on {len(set(signs))} sides"
    asked = [order for order in mine.values() if order["state"] != "REFUSED"]
    causes = Counter((order["client_order_id"].split(":")[2], order["symbol"]) for order in asked)
    yield from (f"record {name} has led to {n} orders of {symbol}" for (name, symbol), n in causes.items() if n > 2)


def _events(link: Link, found: Ours) -> Iterator[str]:
    """Nothing of the master's is left out: one event for each fill, and for each order where orders are copied."""
    master = link.shown["master_id"]
    kinds = Counter(event["event"] for event in link.events)
    fills = sum(fill["account_id"] == master for fill in found.fills)
    if kinds["fill"] != fills:
        yield f"its master has filled {fills} times, and it has taken {kinds['fill']}"
    asked = {o["id"] for o in found.orders if o["account_id"] == master and o["state"] != "REFUSED"}
    if link.shown["mode"] == "orders":
        taken = Counter(event["master_order_id"] for event in link.events if event["event"] == "order")
        yield from (f"the master's order {name} was taken {n} times" for name, n in taken.items() if n > 1)
        yield from (f"the master's order {name} was never taken" for name in asked - taken.keys())
    for event in link.events:
        has_copy = link.shown["mode"] == "orders" and event["event"] == "fill"
        does_nothing = not Decimal(event["quantity"]) and not event["skipped"] and not event["order_ids"]
        if event["event"] in ("fill", "order") and does_nothing and not has_copy:
            yield f"{event['event']} {event['id']} led to nothing, and nothing says why"


def _positions(link: Link, found: Ours) -> Iterator[str]:
    """What the master holds is what it thinks; what it shows of the follower is so, and not beyond its aim."""
    held, mine = defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
    for one in found.positions:
        if one["account_id"] == link.shown["master_id"]:
            held[one["symbol"]] += Decimal(one["quantity"])
        if one["book"] == link.shown["id"]:
            mine[one["symbol"]] += Decimal(one["quantity"])
    # What works may add up to nothing: a buy of one, and a sale of one that is held already.
    working = {o["symbol"] for o in found.orders if o["book"] == link.shown["id"] and o["state"] in OPEN}
    for leg in link.shown["legs"]:
        symbol, other = leg["symbol"], leg["follower_symbol"]
        position, target = Decimal(leg["position"]), Decimal(leg["target"])
        if Decimal(leg["master_quantity"]) != held[symbol]:
            yield f"its master holds {held[symbol]} {symbol}, and it thinks {leg['master_quantity']}"
        if position != mine[other]:
            yield f"it shows {position} {other}, and {mine[other]} is there"
        if Decimal(leg["drift"]) != target - position - Decimal(leg["working"]):
            yield f"the drift of {other} is shown as {leg['drift']}: {leg}"
        is_over = not min(target, ZERO) <= position <= max(target, ZERO) and other not in working
        if link.shown["mode"] == "fills" and is_over:
            yield f"it holds {position} {other}, more than the {target} it is to hold"
        if not leg["in_sync"] and not _explained(link, found, symbol=symbol, other=other):
            yield f"it holds {position} of {target} {other}, and nothing says why"


def _explained(link: Link, found: Ours, *, symbol: str, other: str) -> bool:
    """Whether an event says why it led to less, or a copy has not filled as it was asked, or not yet."""
    reasons = [one for one in link.events if one["symbol"] == symbol and one["skipped"]]
    unfilled = [
        order
        for order in found.orders
        if order["book"] == link.shown["id"]
        and order["symbol"] == other
        and order["filled_quantity"] != order["quantity"]
    ]
    return bool(reasons or unfilled) or link.shown["mode"] == "orders"
