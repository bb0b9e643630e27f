"""The order ticket: what it says before, while and after an order is placed, and that it never places two."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.desks import Api, Demo, until
from tests.e2e.pages import Screen

pytestmark = pytest.mark.browser
ORDERS = "**/api/v2/trading/orders"


@pytest.fixture(scope="module")
def demo(make_demo: Callable[..., Demo]) -> Demo:
    """Held still after its first days, so that a test lets the market move when it wants to."""
    made = make_demo("--speed", "10")
    api = made.api()
    until(lambda: api.get("/trading/fills")["items"], "first fills")
    api.steer("pause")
    return made


@pytest.fixture(scope="module")
def api(demo: Demo) -> Api:
    return demo.api()


def quantities_of(api: Api, quantity: str) -> list[dict[str, Any]]:
    return api.manual_orders(quantity=quantity)


def test_it_says_what_is_missing_or_wrong(screen: Screen) -> None:
    screen.at("ticket-open").click()
    screen.at("ticket-review").click()
    drawer = screen.page.get_by_role("dialog")
    for words in ("Choose the account.", "Choose the symbol.", "Enter the quantity."):
        expect(drawer.get_by_text(words)).to_be_visible()

    screen.fill_ticket("Family", "MSFT", "1.5", kind="STOP_LIMIT", stop_price="-1", limit_price="10.001")
    expect(drawer.get_by_text("The quantity must be a multiple of 1 (the lot size).")).to_be_visible()
    expect(drawer.get_by_text("The stop price must be above zero.")).to_be_visible()
    expect(drawer.get_by_text("The limit price must be a multiple of 0.01 (the tick size).")).to_be_visible()
    screen.at("ticket-quantity").fill("a few")
    expect(drawer.get_by_text("The quantity must be a number, such as 10 or 12.5.")).to_be_visible()
    expect(screen.at("ticket-quantity")).to_have_attribute("aria-invalid", "true")
    expect(screen.at("ticket-submit")).to_have_count(0)


def test_a_market_order_is_taken_and_fills_at_the_next_open(screen: Screen, api: Api) -> None:
    screen.review("Family", "MSFT", "7")
    expect(screen.at("ticket-submit")).to_have_text("Place PAPER order")
    screen.at("ticket-submit").click()
    screen.result("SUBMITTED", "ACCEPTED")
    api.steer("resume")
    screen.result("FILLED")
    api.steer("pause")

    [order] = quantities_of(api, "7")
    row = screen.page.locator(f"[data-order-id='{order['id']}']")
    expect(row).to_have_attribute("data-state", "FILLED")
    expect(row).to_contain_text("manual")
    [fill] = [one for one in api.every("/trading/fills") if one["order_id"] == order["id"]]
    assert fill["quantity"] == "7"
    screen.page.keyboard.press("Escape")
    holding = screen.at("position-row").filter(has_text="MSFT").filter(has_text="Family")
    holding.get_by_role("button", name="show books").click()
    expect(screen.at("position-book-row").filter(has_text="manual")).to_contain_text("7")
    holding.get_by_role("button", name="hide books").click()


def test_a_refusal_says_reason_rule_limit_and_value(screen: Screen, api: Api) -> None:
    screen.fill_ticket("Starter", "GOOG", "5000")
    expect(screen.page.get_by_text("More than the cash in this account")).to_be_visible()
    screen.at("ticket-review").click()
    screen.at("ticket-submit").click()
    screen.result("REFUSED")
    [order] = quantities_of(api, "5000")
    assert order["limit"] is not None
    assert order["value"] is not None
    said = screen.at("ticket-result")
    expect(said).to_contain_text("Refused by risk")
    expect(said).to_contain_text(order["reason"].replace(" %", "\u00a0%"))
    expect(said.get_by_test_id("order-reason")).to_contain_text(re.compile(rf"{order['rule']}.*limit .+ value "))


def test_fifty_clicks_place_one_order(screen: Screen, api: Api) -> None:
    screen.review("Family", "IBM", "11")
    screen.at("ticket-submit").evaluate("(button) => { for (let n = 0; n < 50; n += 1) button.click(); }")
    screen.result("SUBMITTED", "ACCEPTED")
    assert len([one for one in screen.watch.requests if one.startswith("POST") and "trading/orders" in one]) == 1
    assert len(quantities_of(api, "11")) == 1


def test_a_reload_before_the_answer_finds_the_order_again(screen: Screen, api: Api) -> None:
    taken = []

    def take_and_say_nothing(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        taken.append(route.fetch().status)
        return None

    screen.review("Family", "IBM", "12")
    screen.page.route(ORDERS, take_and_say_nothing)
    screen.at("ticket-submit").click()
    expect(screen.page.get_by_role("dialog")).to_contain_text("Placing the order")
    until(lambda: screen.page.evaluate("1") and taken, "the server has taken the order")
    screen.reload()
    screen.result("SUBMITTED", "ACCEPTED")
    expect(screen.at("ticket-result")).to_contain_text("found by its id")
    screen.page.unroute_all(behavior="ignoreErrors")
    assert taken == [201]
    assert len(quantities_of(api, "12")) == 1


def test_an_order_that_never_arrived_is_sent_again_under_its_id(screen: Screen, api: Api) -> None:
    screen.watch.expect(r"net::ERR_FAILED.*/trading/orders")
    ids = []

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        ids.append((route.request.post_data_json or {})["client_order_id"])
        return route.abort()

    screen.review("Family", "IBM", "13")
    screen.page.route(ORDERS, lose)
    screen.at("ticket-submit").click()
    expect(screen.at("ticket-unanswered")).to_contain_text("no definite answer")
    screen.page.unroute_all(behavior="ignoreErrors")
    screen.reload()
    expect(screen.at("ticket-unanswered")).to_be_visible()
    assert quantities_of(api, "13") == []
    screen.at("ticket-submit").click()
    screen.result("SUBMITTED", "ACCEPTED")
    assert [order["client_order_id"] for order in quantities_of(api, "13")] == ids


def test_two_tabs_with_the_same_order_place_it_once(screen: Screen, api: Api) -> None:
    other = screen.beside()
    for tab in (screen, other):
        tab.review("Family", "IBM", "14")
    for tab in (screen, other):
        tab.at("ticket-submit").evaluate("(button) => setTimeout(() => button.click(), 200)")
    for tab in (screen, other):
        tab.result("SUBMITTED", "ACCEPTED")
    assert len(quantities_of(api, "14")) == 1


def test_a_resting_order_is_cancelled_after_asking(screen: Screen, api: Api) -> None:
    screen.review("Trading", "MSFT", "15", kind="LIMIT", tif="GTC", limit_price="1")
    screen.at("ticket-submit").click()
    screen.result("ACCEPTED")
    screen.page.get_by_role("button", name="Done").click()
    [order] = quantities_of(api, "15")
    row = screen.page.locator(f"[data-order-id='{order['id']}']")
    row.get_by_test_id("order-cancel").click()
    screen.page.get_by_role("button", name="Keep it").click()
    expect(row).to_have_attribute("data-state", "ACCEPTED")
    row.get_by_test_id("order-cancel").click()
    screen.at("order-cancel-confirm").click()
    expect(row).to_have_attribute("data-state", "CANCELLED")
    expect(row.get_by_test_id("order-cancel")).to_have_count(0)
    assert api.get(f"/trading/orders/{order['id']}")["state"] == "CANCELLED"
