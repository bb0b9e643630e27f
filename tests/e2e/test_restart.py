"""kill -9 while the desk is open: the page says so, comes back by itself, and nothing is lost."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.desks import Api, Demo, until
from tests.e2e.pages import PHONE, SERVER_GONE, Screen

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def demo(make_demo: Callable[..., Demo]) -> Demo:
    return make_demo("--speed", "4")


def seen(api: Api) -> dict[str, Any]:
    """What a user could have read a moment ago: ended orders and fills, whole, and where the replay stands."""
    ended = {one["id"]: one for one in api.every("/trading/orders", status="closed")}
    return {
        "orders": ended,
        "fills": {one["id"]: one for one in api.every("/trading/fills")},
        "cursor": api.feed["cursor"],
    }


def money_adds_up(api: Api) -> None:
    """Every account's cash is the sum of its ledger. Asked of a desk that holds still."""
    for account in api.get("/accounts")["items"]:
        booked = sum(Decimal(one["amount"]) for one in api.every(f"/accounts/{account['id']}/ledger"))
        assert booked == Decimal(account["cash"]), account["name"]


def test_a_killed_desk_comes_back_with_everything(screen: Screen, demo: Demo) -> None:
    screen.watch.expect(SERVER_GONE)
    api = demo.api()
    until(lambda: len(api.get("/trading/fills")["items"]) >= 9, "fills before the kill")
    screen.review("Trading", "MSFT", "21", kind="LIMIT", tif="GTC", limit_price="2")
    screen.at("ticket-submit").click()
    screen.result("ACCEPTED")
    screen.page.keyboard.press("Escape")
    before = seen(api)

    demo.kill()
    expect(screen.at("connection-state")).to_have_attribute("data-kind", "reconnecting")
    expect(screen.at("account-row")).to_have_count(3)

    demo.start()
    screen.is_live(60)
    expect(screen.at("login-username")).to_have_count(0)
    shown = screen.at("trading-clock").inner_text()
    expect(screen.at("trading-clock")).not_to_have_text(shown)

    api = demo.api()
    api.steer("pause")
    after = seen(api)
    assert after["cursor"] >= before["cursor"]
    for kind in ("orders", "fills"):
        assert before[kind].items() <= after[kind].items()
    [resting] = api.manual_orders(quantity="21")
    expect(screen.page.locator(f"[data-order-id='{resting['id']}']")).to_have_attribute("data-state", "ACCEPTED")
    money_adds_up(api)
    report = demo.doctor()
    assert report["ok"], report


def test_a_desk_that_falls_silent_is_shown_as_stale_until_it_speaks_again(
    make_screen: Callable[..., Screen], demo: Demo
) -> None:
    """A machine put to sleep keeps its connections open: silence alone must be enough, on a phone too."""
    screen = make_screen(demo, viewport=PHONE)
    screen.open()
    screen.watch.expect(SERVER_GONE)
    demo.hold()
    expect(screen.at("connection-state")).to_have_attribute("data-kind", "stale", timeout=25_000)
    expect(screen.at("connection-state")).to_contain_text("Stale")
    assert "Stale" in screen.page.title()
    screen.page.get_by_role("link", name="Events").click()
    expect(screen.page.get_by_text("figures may be old")).to_be_in_viewport()
    demo.wake()
    screen.is_live()
