"""Profit and loss: rows by instrument, strategy, account and user that add up to the account, digit for digit."""

import asyncio
from decimal import Decimal
from typing import Any, get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.desk import booked
from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.permissions import person
from evenkeel.desk.ports import User
from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import Financing, LedgerKind
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import Dividend, MarketSlice, Split
from evenkeel.domain.orders import Product, Side
from evenkeel.server import pnl
from evenkeel.server.scope import Tenant
from tests.desk.account_memory import MemoryDetails
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, order
from tests.server.world import World as Desk
from tests.trading.engine.world import ACME, BOLT, OPEN, START, WHO, D, World, at, bar, fold

USER = User("u", "anna", "trader", "")
PNL = "/api/v2/trading/pnl"


def reported(world: World, **query: Any) -> pnl.PnlReport:
    asked = pnl.PnlQuery(**query)
    fifo = pnl.Fifo() if asked.cost == "fifo" else None
    if fifo is not None:
        asyncio.run(fifo.follow(world.state))
    return pnl.report(Tenant(person(USER), world.state), AccountDirectory(MemoryDetails()), asked, fifo=fifo)


def assert_adds_up(world: World) -> None:
    """Every view of it, at either cost, is equity less what was paid in; both costs agree row by row on the total."""
    for account_id, account in world.state.accounts.items():
        made = world.state.equity(account) - account.contributed
        for by in get_args(pnl.By):
            rows = [reported(world, by=by, cost=cost, account_id=account_id) for cost in get_args(pnl.Cost)]
            for one in rows:
                assert sum(Decimal(row.total) for row in one.items) == made
                assert sum(Decimal(row.total) for row in one.totals) == made
            average, fifo = ({row.id: (row.total, row.charges, row.other) for row in one.items} for one in rows)
            assert {row: tuple(map(D, figures)) for row, figures in average.items()} == {
                row: tuple(map(D, figures)) for row, figures in fifo.items()
            }
        for by in ("strategy", "user"):
            whole = reported(world, by=by)
            held = [world.state.equity(one) - one.contributed for one in world.state.accounts.values()]
            assert sum(Decimal(row.total) for row in whole.items) == sum(held)


def desk(**more: Any) -> World:
    world = World()
    world.account(**more)
    world.account("B", costs="us-per-share")
    world.deploy(("A", "0.5"))
    world.price(ACME, 10.0)
    world.price(BOLT, 5.0)
    return world


def test_average_and_fifo_say_when_it_was_made_and_agree_on_how_much() -> None:
    world = desk()
    world.holding("10", "5")
    world.holding("10", "7")
    world.fill(world.resting(Side.SELL, "10"), "10", "8", charges=(Charge("fee", D("1.50")),))
    (average,), (fifo,) = reported(world).items, reported(world, cost="fifo").items
    assert (average.name, average.realised, average.unrealised, average.charges) == ("ACME", "20", "40", "1.5")
    assert (fifo.realised, fifo.unrealised, fifo.charges) == ("30", "30", "1.5")
    assert D(average.total) == D(fifo.total) == D("58.50")
    assert_adds_up(world)


def test_rows_are_by_what_was_asked_for() -> None:
    world = desk()
    world.holding("10", "5")
    world.holding("-4", "7", book="trend", instrument_id=BOLT.id)
    world.holding("2", "9", account_id="B")
    assert [(row.id, row.name) for row in reported(world).items] == [(ACME.id, "ACME"), (BOLT.id, "BOLT")]
    assert [row.name for row in reported(world, by="strategy").items] == ["manual", "trend"]
    assert [row.name for row in reported(world, by="account").items] == ["A", "B"]
    assert [row.name for row in reported(world, by="user").items] == ["anna"]
    assert [row.name for row in reported(world, by="account", account_id="B").items] == ["B"]
    assert_adds_up(world)


def test_what_no_trade_has_made_is_shown_apart() -> None:
    world = desk(financing=Financing(debit=0.07, credit=0.01, borrow=0.03))
    world.holding("10", "5")
    world.step(MarketSlice(at(1), dividends=(Dividend(ACME.id, (START).date().replace(day=5), D("0.35")),)))
    world.price(ACME, 11.0, 2)
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(500)))
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(-3), kind=LedgerKind.FEE, component="data"))
    rows = {row.name: row for row in reported(world, account_id="A").items}
    assert rows["ACME"].other == "3.5"
    assert D(rows["no instrument"].other) == D(world.state.accounts["A"].earned["manual", ""]) + sum(
        (value for key, value in world.state.accounts["A"].earned.items() if key[0] != "manual" and not key[1]), D(0)
    )
    assert_adds_up(world)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            ["buy", "sell", "sell", "short", "bar", "split", "odd split", "dividend", "pay", "fee", "bust"]
        ),
        st.integers(1, 90),
        st.sampled_from([("A", "manual"), ("A", "trend"), ("B", "manual")]),
        st.sampled_from([ACME, BOLT]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_whatever_happens_it_adds_up(moves: list[tuple[str, int, tuple[str, str], Any]]) -> None:
    world = desk(limits=OPEN, financing=Financing(debit=0.07, borrow=0.03))
    for day, (move, size, (account_id, book), of) in enumerate(moves, 1):
        _move(world, move, day, size=size, account_id=account_id, book=book, of=of)
    assert_adds_up(world)
    again = fold(world.records)
    assert again.restated == world.state.restated
    assert {name: held.earned for name, held in again.accounts.items()} == {
        name: held.earned for name, held in world.state.accounts.items()
    }


def _move(world: World, move: str, day: int, *, size: int, account_id: str, book: str, of: Any) -> None:
    when = at(day)
    ex_date = world.state.accounts["A"].day.replace(year=2020 + day)
    match move:
        case "buy" | "sell" | "short":
            side = Side.BUY if move == "buy" else Side.SELL
            order_ = world.resting(side, str(size), account_id=account_id, book=book, instrument_id=of.id)
            if order_.is_working:
                world.fill(order_, str(size), f"{size / 7 + 1:.2f}", charges=(Charge("fee", D("0.07")),))
        case "bar":
            world.step(MarketSlice(when, bars=(bar(of, day, size / 3 + 1),)), when)
        case "split" | "odd split":
            ratio = (D(2), D(1)) if move == "split" else (D(3), D(7))
            world.step(MarketSlice(when, splits=(Split(of.id, ex_date, *ratio),)), when)
        case "dividend":
            world.step(MarketSlice(when, dividends=(Dividend(of.id, ex_date, D("0.37")),)), when)
        case "pay":
            world.step(c.MoveCash(provenance=WHO, account_id=account_id, amount=D(size)))
        case "fee":
            world.step(
                c.MoveCash(provenance=WHO, account_id=account_id, amount=D(-size), kind=LedgerKind.FEE, component="x")
            )
        case "bust":
            booked = [one for one in world.state.fills.values() if one.reverses is None]
            if booked:
                fill = booked[size % len(booked)]
                of_it = world.state.orders[fill.order_id]
                world.step(world.said(e.VenueBusted, of_it, execution_id=fill.venue_execution_id, reason="error"))


def test_a_position_found_at_the_broker_counts_as_what_it_was_worth() -> None:
    world = desk()
    held = e.BrokerPosition(account_id="A", instrument_id=ACME.id, product=Product.NONE, quantity=D(30))
    world.step(world.snapshot(positions=(held,)))
    world.price(ACME, 12.0, 1)
    (row,) = reported(world, account_id="A").items
    assert (D(row.other), D(row.unrealised)) == (D(300), D(60))
    assert_adds_up(world)


async def test_the_api_shows_what_was_made(desk: Desk, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/trading/orders", json=order(time_in_force="GTC"))
    await desk.next_bar(10.0)
    await desk.next_bar(12.0)
    for query in (
        {},
        {"by": "strategy"},
        {"by": "account"},
        {"by": "user"},
        {"cost": "fifo"},
        {"account_id": OWN_ACCOUNT},
    ):
        found = (await owner.get(PNL, params=query)).json()
        assert (found["by"], found["cost"]) == (query.get("by", "instrument"), query.get("cost", "average"))
        (row,) = found["items"]
        assert (row["unrealised"], row["total"], row["currency"]) == ("20", "20", "USD")
        assert [one["total"] for one in found["totals"]] == ["20"]
    account = (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}")).json()
    assert D(account["equity"]) - D(account["initial_balance"]) == D(20)
    await owner.post("/api/v2/trading/orders", json=order(side="SELL", time_in_force="GTC"))
    await desk.next_bar(13.0)
    assert (await owner.get(PNL, params={"cost": "fifo"})).json()["items"][0]["unrealised"] == "0"


async def test_another_users_results_are_not_there(desk: Desk, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/trading/orders", json=order(time_in_force="GTC"))
    await desk.next_bar(10.0)
    async with await desk.signed_in(desk.other) as client:
        assert (await client.get(PNL)).json()["items"] == []
        assert (await client.get(PNL, params={"account_id": OWN_ACCOUNT})).status_code == 404
    assert (await owner.get(PNL, params={"account_id": OTHER_ACCOUNT})).status_code == 404


@pytest.mark.parametrize("query", [{"by": "month"}, {"cost": "lifo"}, {"account": "x"}, {"by": ""}])
async def test_a_query_that_makes_no_sense_names_its_parameter(owner: httpx.AsyncClient, query: dict[str, str]) -> None:
    answer = await owner.get(PNL, params=query)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == list(query)


def test_lots_follow_a_state_that_was_exchanged_and_a_great_many_fills() -> None:
    world, other, fifo = desk(), desk(), pnl.Fifo()
    order_ = world.resting(quantity="12000")
    for _ in range(3):
        world.fill(order_, "1", "9")
    at_once, booked.AT_ONCE = booked.AT_ONCE, 2
    try:
        asyncio.run(fifo.follow(world.state))
        assert [lots.quantity for lots in fifo.lots.values()] == [3]
        other.holding("5")
        asyncio.run(fifo.follow(other.state))
    finally:
        booked.AT_ONCE = at_once
    assert [lots.quantity for lots in fifo.lots.values()] == [5]
