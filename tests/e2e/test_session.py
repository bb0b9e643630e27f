"""Signing in and out, and what the browser is allowed: messages that help, sessions that end, one host, one policy."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.desks import PASSWORD, USER, Demo, until
from tests.e2e.pages import Screen

pytestmark = pytest.mark.browser
REFUSED_SIGN_IN = r"(401|429) .*/api/v2/auth/login"


@pytest.fixture(scope="module")
def demo(make_demo: Callable[..., Demo]) -> Demo:
    return make_demo("--speed", "1")


@pytest.fixture
def door(make_screen: Callable[..., Screen], demo: Demo) -> Screen:
    """The sign-in page, as somebody sees it who has no session."""
    opened = make_screen(demo)
    opened.watch.expect(REFUSED_SIGN_IN)
    opened.page.goto(demo.url)
    expect(opened.at("login-username")).to_be_focused()
    return opened


def test_a_wrong_password_is_told_and_the_right_one_opens(door: Screen) -> None:
    door.at("login-submit").click()
    expect(door.page.get_by_text("Enter your user name.")).to_be_visible()
    expect(door.page.get_by_text("Enter your password.")).to_be_visible()
    door.sign_in(USER, "not the password")
    expect(door.at("login-message")).to_have_text("The user name or the password is not right.")
    door.sign_in(USER, PASSWORD)
    door.is_live()


def test_whoever_guesses_is_told_to_wait(door: Screen) -> None:
    message = door.at("login-message")

    def waits() -> bool:
        door.sign_in("somebody", "a guess")
        expect(door.at("login-submit")).to_be_enabled()
        return "too many" in message.inner_text().lower()

    until(waits, "the throttle holds")
    expect(message).to_contain_text(re.compile(r"again in \d+ s"))


def test_signing_out_ends_the_session_in_every_tab(screen: Screen) -> None:
    screen.watch.expect(r"401 .*/api/v2/auth/")
    other = screen.beside()
    screen.page.get_by_role("button", name=re.compile("^Sign out")).click()
    expect(screen.at("login-username")).to_be_visible()
    expect(other.at("login-message")).to_have_text("You signed out in another tab.")
    screen.page.reload()
    expect(screen.at("login-username")).to_be_visible()
    answer = screen.page.context.request.post(f"{screen.demo.url}/api/v2/auth/refresh")
    assert answer.status == 401


def test_an_access_token_that_no_longer_counts_is_renewed_unseen(screen: Screen) -> None:
    """The server answers 401 to the old token; the page takes a new one by its cookie and asks again."""
    screen.watch.expect(r"401 .*/api/v2/strategies/")
    tried: list[str] = []

    def spoil_the_first(route: Route) -> None:
        tried.append(route.request.method)
        worn = {"authorization": "Bearer worn-out"} if len(tried) == 1 else {}
        route.continue_(headers={**route.request.headers, **worn})

    screen.page.route("**/api/v2/strategies/*/disable", spoil_the_first)
    levels = screen.at("strategy-row").filter(has_text="Levels")
    levels.get_by_test_id("strategy-toggle").click(force=True)
    expect(levels).to_have_attribute("data-status", "disabled")
    assert tried == ["POST", "POST"]
    assert screen.watch.requests.count(f"POST {screen.demo.url}/api/v2/auth/refresh") == 2
    expect(screen.at("login-username")).to_have_count(0)
    levels.get_by_test_id("strategy-toggle").click(force=True)
    expect(levels).to_have_attribute("data-status", "running")


def test_a_session_is_renewed_before_its_token_expires(make_screen: Callable[..., Screen], demo: Demo) -> None:
    """The server's word on how long a token counts is shortened on its way, so that the renewal is near."""
    screen = make_screen(demo)
    renewals = f"POST {demo.url}/api/v2/auth/refresh"

    def shorten(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "expires_in": 61})

    screen.page.route("**/api/v2/auth/login", shorten)
    screen.page.goto(demo.url)
    screen.sign_in(USER, PASSWORD)
    screen.is_live()
    until(lambda: screen.page.evaluate("1") and screen.watch.requests.count(renewals) == 2, "the renewal", 15)
    screen.is_live()


def test_every_page_states_a_strict_policy(screen: Screen) -> None:
    for address in ("/", "/link/", "/nowhere/"):
        screen.watch.expect(r"404 .*/nowhere/", r"401 .*/auth/")
        screen.page.goto(f"{screen.demo.url}{address}")
        expect(screen.page.locator("main, [role=status]").first).to_be_visible()
    assert len(screen.watch.policies) == 3
    for policy in screen.watch.policies.values():
        rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
        assert rules["default-src"] == "'self'"
        assert rules["connect-src"] == "'self'"
        assert rules["frame-ancestors"] == "'none'"
        assert "unsafe" not in rules["script-src"]
    assert "access_token" not in screen.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
