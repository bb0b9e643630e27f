"""Exits by alerts: they close what is held, at most that, and what one asks for is not forgotten behind another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from evenkeel.domain.composites import CompositeState
from tests.server.composites import COMPOSITES, body
from tests.server.sending import alert, make, orders, send, store
from tests.server.world import OWN_ACCOUNT, STOCK, World


@pytest.fixture
async def sender(desk: World) -> AsyncIterator[httpx.AsyncClient]:
    """TradingView, which brings no sign-in."""
    async with desk.client() as client:
        yield client


def cancels_wait(desk: World, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The broker cancels nothing until this is set."""
    broker, release = desk.runner.brokers["simulated"], asyncio.Event()
    cancel = broker.cancel

    async def slowly(cancellation: Any) -> None:
        await release.wait()
        await cancel(cancellation)

    monkeypatch.setattr(broker, "cancel", slowly)
    return release


async def test_an_exit_closes_what_is_held_and_opens_nothing(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    out = {"signal_type": "exit", "quantity": None}
    nothing = await send(sender, hook, alert(**out, action="sell", id="before"))
    assert (nothing["decision"], nothing["order_id"]) == ("nothing", None)
    await send(sender, hook, alert(id="in", quantity="10"))
    await desk.next_bar(10.0)
    assert await send(sender, hook, alert(**out, action="sell", id="before")) == nothing, "and it stays so"
    assert (await send(sender, hook, alert(**out, action="buy", id="wrong side")))["decision"] == "nothing"
    part = await send(sender, hook, alert(signal_type="exit", action="sell", quantity="4", id="part"))
    assert part["decision"] == "ordered"
    await desk.next_bar(10.0)
    rest = await send(sender, hook, alert(signal_type="exit", action=None, quantity="400", id="rest"))
    assert rest["decision"] == "ordered"
    assert await send(sender, hook, alert(signal_type="exit", action=None, quantity="400", id="rest")) == rest
    again = await send(sender, hook, alert(**out, action=None, id="again"))
    assert again["decision"] == "nothing", "all of it is being closed already"
    await desk.next_bar(10.0)
    sides = [(str(one.spec.side), str(one.spec.quantity)) for one in orders(desk)]
    assert sides == [("BUY", "10"), ("SELL", "4"), ("SELL", "6")]
    assert desk.runner.state.accounts[OWN_ACCOUNT].net.get(STOCK.id, 0) == 0


async def test_an_exit_that_has_to_cancel_first_is_one_order_too(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await make(owner)
    await send(sender, hook, alert())
    await desk.next_bar(10.0)
    await send(sender, hook, alert(price="limit", limit_price="5"))
    await desk.runner.quiet()
    release = cancels_wait(desk, monkeypatch)
    closing = await send(sender, hook, alert(signal_type="exit", action="sell", quantity=None))
    assert closing["decision"] == "closing"
    store(desk).rows.clear()
    body = alert(signal_type="exit", action="sell", quantity=None)
    assert (await send(sender, hook, body))["decision"] == "closing"
    release.set()
    await desk.runner.quiet()
    sold = [one for one in orders(desk) if one.spec.side == "SELL"]
    assert [str(one.spec.quantity) for one in sold] == ["10"]


async def test_an_exit_stops_the_slices_that_would_buy_it_back(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    await send(sender, hook, alert(id="in"))
    await desk.next_bar(10.0)
    made = await owner.post(COMPOSITES, json=body("participation", share=0.1))
    assert made.status_code == 201, made.text
    out = await send(sender, hook, alert(signal_type="exit", action="sell", quantity=None))
    assert out["decision"] == "ordered"
    for _ in range(3):
        await desk.next_bar(10.0)
    assert desk.runner.state.accounts[OWN_ACCOUNT].net.get(STOCK.id, 0) == 0
    assert desk.runner.state.composites.ended[made.json()["id"]].state is CompositeState.CANCELLED


async def test_an_exit_that_finds_another_waiting_is_done_when_it_is_sent_again(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that waits closes a part; what is asked for beyond it would be forgotten."""
    hook = await make(owner)
    await send(sender, hook, alert(id="in"))
    await desk.next_bar(10.0)
    await send(sender, hook, alert(price="limit", limit_price="5"))
    await desk.runner.quiet()
    release = cancels_wait(desk, monkeypatch)
    out = {"signal_type": "exit", "action": "sell"}
    assert (await send(sender, hook, alert(**out, quantity="4")))["decision"] == "closing"
    rest = alert(**out, quantity=None, id="rest")
    assert "sent again" in (await send(sender, hook, rest, 503))["hint"]
    release.set()
    await desk.runner.quiet()
    assert (await send(sender, hook, rest))["decision"] == "ordered"
    sold = [str(one.spec.quantity) for one in orders(desk) if one.spec.side == "SELL"]
    assert sold == ["4", "6"]
