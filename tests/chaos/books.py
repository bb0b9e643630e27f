"""The comparison that counts: the venue's own book, Evenkeel's as a client sees it, and what the client was told."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from msgspec import Struct

from evenkeel.domain.orders import OrderState
from evenkeel.trading.brokers.simulated.orders import BookState, VenueOrder
from tests.chaos.trader import Client, Placed

Json = dict[str, Any]
KNOWN = frozenset(map(str, OrderState))
UNSEEN = frozenset({"REFUSED", "EXPIRED_UNSENT"})
UNSETTLED = frozenset({"SUBMITTED", "IN_DOUBT", "CANCEL_PENDING"})


class Ours(Struct):
    """What the API shows."""

    orders: list[Json]
    fills: list[Json]
    positions: list[Json]
    accounts: list[Json]


async def ours(client: Client) -> Ours:
    return Ours(
        await client.every("/trading/orders"),
        await client.every("/trading/fills"),
        (await client.get("/trading/positions"))["items"],
        (await client.get("/accounts"))["items"],
    )


def differences(book: BookState, found: Ours, sent: Counter[tuple[str, str]]) -> list[str]:
    """Every way in which the two books do not agree, in words. `sent` counts what was ever sent, by client id."""
    return [
        *_twice(book, sent),
        *_orders(book, found),
        *_executions(book, found),
        *_positions(book, found),
        *_cash(book, found),
    ]


def _twice(book: BookState, sent: Counter[tuple[str, str]]) -> Iterator[str]:
    yield from (f"{key} was sent {count} times" for key, count in sent.items() if count > 1)
    for what in ("order_id", "venue_order_id"):
        counts = Counter(getattr(order, what) for order in book.orders.values())
        yield from (f"{what} {name} is at the venue {count} times" for name, count in counts.items() if count > 1)
    asked = Counter((order.spec.account_id, order.spec.client_order_id) for order in book.orders.values())
    yield from (f"client order {name} is at the venue {count} times" for name, count in asked.items() if count > 1)


def _orders(book: BookState, found: Ours) -> Iterator[str]:
    theirs = {order.order_id: order for order in book.orders.values()}
    mine = {order["id"]: order for order in found.orders}
    names = Counter((order["account_id"], order["client_order_id"]) for order in found.orders)
    yield from (f"client order {name} names {count} orders of ours" for name, count in names.items() if count > 1)
    yield from (f"the venue has {theirs[name]}, and we do not" for name in theirs.keys() - mine.keys())
    for name, order in mine.items():
        there = theirs.get(name)
        if order["state"] not in KNOWN:
            yield f"{name} has the unknown state {order['state']}"
        elif there is None:
            if order["state"] not in UNSEEN:
                yield f"{_told(order)}, and the venue has never seen it"
        elif not _same(order, there):
            yield f"{_told(order)}; the venue: {there.state} {there.filled} of {there.quantity}, {there.venue_order_id}"


def _same(order: Json, there: VenueOrder) -> bool:
    return (
        order["state"] == there.state
        and Decimal(order["filled_quantity"]) == there.filled
        and Decimal(order["quantity"]) == there.quantity
        and order["venue_order_id"] == there.venue_order_id
        and _money(order["stop_price"]) == there.stop_price
        and _money(order["limit_price"]) == there.limit_price
    )


def _told(order: Json) -> str:
    filled = f"{order['filled_quantity']} of {order['quantity']}"
    return f"our {order['id']} ({order['client_order_id']}) is {order['state']} {filled} ({order['reason']})"


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _executions(book: BookState, found: Ours) -> Iterator[str]:
    theirs = {
        (one.account_id, one.execution_id): (one.side, one.quantity, one.price)
        for executions in book.executions.values()
        for one in executions
    }
    count = sum(map(len, book.executions.values()))
    mine = {
        (one["account_id"], one["venue_execution_id"]): (one["side"], Decimal(one["quantity"]), Decimal(one["price"]))
        for one in found.fills
    }
    if (count, len(found.fills)) != (len(theirs), len(mine)):
        yield f"executions doubled: {count} for {len(theirs)} ids there, {len(found.fills)} for {len(mine)} here"
    yield from (f"execution {key} {theirs[key]} is not booked" for key in theirs.keys() - mine.keys())
    yield from (f"fill {key} {mine[key]} never happened" for key in mine.keys() - theirs.keys())
    yield from (
        f"{key}: {theirs[key]} there, {mine[key]} here"
        for key in theirs.keys() & mine.keys()
        if theirs[key] != mine[key]
    )


def _positions(book: BookState, found: Ours) -> Iterator[str]:
    held: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for position in found.positions:
        key = position["account_id"], position["instrument_id"], position["product"]
        held[key] += Decimal(position["quantity"])
        if position["book"] == "unassigned":
            yield f"a position was booked to nobody: {position}"
    there = {
        (account, instrument, str(product)): position.quantity
        for (account, instrument, product), position in book.positions.items()
    }
    for key in sorted(held.keys() | there.keys()):
        if held.get(key, Decimal()) != there.get(key, Decimal()):
            yield f"position {key}: {there.get(key)} there, {held.get(key)} here"


def _cash(book: BookState, found: Ours) -> Iterator[str]:
    for account in found.accounts:
        there = book.cash.get(account["id"], {}).get(account["currency"])
        if there is not None and there != Decimal(account["cash"]):
            yield f"cash of {account['name']}: {there} there, {account['cash']} here"
        if account["readiness"] != "READY":
            yield f"account {account['name']} is {account['readiness']}: {account['readiness_reason']}"


def broken_promises(orders: dict[str, Placed], found: Ours) -> list[str]:
    """What a client was told and does not hold: an acknowledged order is there for good, with the id it was given."""
    mine = {(order["account_id"], order["client_order_id"]): order for order in found.orders}
    said = []
    for name, placed in orders.items():
        order = mine.get((placed.body["account_id"], name))
        if placed.answer is None:
            continue
        if order is None or order["id"] != placed.answer["id"]:
            said.append(f"acknowledged order {name} ({placed.answer['id']}) is gone: {order}")
        elif order["state"] in UNSETTLED | {OrderState.ANOMALY}:
            said.append(_told(order))
    return said
