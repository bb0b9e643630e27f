"""What somebody may not do is not offered to them: a viewer's desk, and one that an account was lent to."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.desks import Api, Demo, until
from tests.e2e.pages import FIRST_VISIT, Screen

pytestmark = pytest.mark.browser
NEW_PASSWORD = "looks-on-without-touching"


@pytest.fixture(scope="module")
def demo(make_demo: Callable[..., Demo]) -> Demo:
    made = make_demo("--speed", "10")
    api = made.api()
    until(lambda: api.get("/trading/positions")["items"], "first positions")
    api.steer("pause")
    return made


@pytest.fixture(scope="module")
def api(demo: Demo) -> Api:
    return demo.api()


def invited(api: Api, role: str) -> str:
    """The link that makes somebody."""
    made = api.client.post("/users/invitations", json={"role": role}).raise_for_status().json()
    return str(made["link"]["address"])


def lend_all(api: Api, username: str, permission: str) -> None:
    for account in api.get("/accounts")["items"]:
        body = {"account_id": account["id"], "username": username, "permission": permission}
        api.client.post("/shares", json=body).raise_for_status()


def join(screen: Screen, link: str, username: str) -> None:
    screen.watch.expect(FIRST_VISIT)
    screen.page.goto(link)
    screen.page.get_by_label("User name").fill(username)
    screen.page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    screen.page.get_by_role("button", name="Join").click()
    expect(screen.at("connection-state")).to_have_attribute("data-kind", "live")


def resting(api: Api) -> None:
    """An order that works."""
    account = api.account("Trading")
    order = {"account_id": account["id"], "symbol": "MSFT", "side": "BUY", "quantity": "3", "kind": "LIMIT",
             "limit_price": "1", "time_in_force": "GTC"}  # fmt: skip
    api.client.post("/trading/orders", json=order).raise_for_status()


def test_a_link_that_is_not_whole_is_said_to_be(make_screen: Callable[..., Screen], demo: Demo, api: Api) -> None:
    screen = make_screen(demo)
    for page in ("welcome", "reset"):
        screen.page.goto(f"{demo.url}/{page}/")
        expect(screen.at("no-token")).to_contain_text("Open the whole link")
        expect(screen.page.get_by_label("Password", exact=True)).to_have_count(0)


def test_a_viewer_is_offered_nothing_that_changes_anything(
    make_screen: Callable[..., Screen], demo: Demo, api: Api
) -> None:
    resting(api)
    screen = make_screen(demo)
    join(screen, invited(api, "viewer"), "vera")
    expect(screen.page.get_by_text("One that somebody lends you")).to_be_visible()
    lend_all(api, "vera", "read")
    screen.is_live()
    expect(screen.at("view-only")).to_be_visible()
    expect(screen.at("order-row").first).to_be_visible()
    expect(screen.at("position-row").first).to_be_visible()
    for name in ("ticket-open", "order-cancel", "feed-toggle", "feed-speed", "feed-restart", "strategy-allocation"):
        expect(screen.at(name)).to_have_count(0)
    expect(screen.page.get_by_role("button", name="New order for")).to_have_count(0)
    expect(screen.at("strategy-toggle").first).to_be_disabled()
    screen.page.keyboard.press("n")
    expect(screen.page.get_by_role("dialog")).to_have_count(0)
    screen.page.keyboard.press("?")
    expect(screen.page.get_by_role("dialog")).not_to_contain_text("New order")
    screen.page.keyboard.press("Escape")
    screen.at("to-backtests").click()
    expect(screen.page.get_by_text("No backtests yet.", exact=True)).to_be_visible()
    expect(screen.at("run-new")).to_have_count(0)
    screen.page.keyboard.press("n")
    expect(screen.page.get_by_role("dialog")).to_have_count(0)


def test_who_was_lent_accounts_is_offered_what_they_were_lent_for(
    make_screen: Callable[..., Screen], demo: Demo, api: Api
) -> None:
    screen = make_screen(demo)
    join(screen, invited(api, "trader"), "tom")
    lend_all(api, "tom", "reduce")
    screen.is_live()
    expect(screen.at("order-cancel").first).to_be_visible()
    expect(screen.page.get_by_role("button", name="New order for")).to_have_count(0)
    expect(screen.at("feed-toggle")).to_have_count(0)
    screen.at("ticket-open").click()
    expect(screen.page.get_by_text("There is no account that you may trade in yet.")).to_be_visible()
    screen.page.keyboard.press("Escape")
    lend_all(api, "tom", "trade")
    expect(screen.page.get_by_role("button", name="New order for").first).to_be_visible()
    expect(screen.at("strategy-toggle").first).to_be_enabled()


def test_nobody_may_do_more_than_the_desk_offers(demo: Demo, api: Api) -> None:
    with httpx.Client(base_url=f"{demo.url}/api/v2", trust_env=False) as client:
        answer = client.post("/auth/login", json={"username": "vera", "password": NEW_PASSWORD}).raise_for_status()
        assert answer.json()["user"]["permissions"] == ["read", "self"]
        client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        assert client.post("/system/feed", json={"action": "pause"}).status_code == 403
