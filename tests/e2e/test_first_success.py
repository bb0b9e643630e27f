"""The first half minute: from the printed link to strategies that trade, with nothing typed and nothing asked."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.desks import Demo, until
from tests.e2e.pages import Screen

pytestmark = pytest.mark.browser

FILLED = """() => {
  const pairs = [...document.querySelectorAll('[data-testid=order-row][data-state=FILLED]')].map((row) => {
    const seconds = [...row.querySelectorAll('td')].map((cell) => cell.lastElementChild?.textContent ?? '');
    return `${seconds[1]}/${seconds[3]}`;
  });
  return [...new Set(pairs)].sort();
}"""


def test_the_link_signs_in_and_every_strategy_fills_in_every_account(
    make_demo: Callable[..., Demo], make_screen: Callable[..., Screen]
) -> None:
    demo = make_demo(password=None)
    screen = make_screen(demo)
    opened = time.monotonic()
    screen.page.goto(demo.link)
    screen.is_live()
    assert screen.page.url == f"{demo.url}/"

    equity = screen.at("account-row").first.inner_text()
    expect(screen.at("account-row").first).not_to_have_text(equity)
    expect(screen.at("strategy-row")).to_have_count(4)
    expect(screen.at("mode-badge")).to_have_text("PAPER")

    wanted = {
        f"{account}/{strategy}"
        for account in ("Family", "Starter", "Trading")
        for strategy in ("Breakout", "Levels", "Reversion", "Trend")
    }
    until(lambda: wanted <= set(screen.page.evaluate(FILLED)), "fills of every strategy in every account", 30)
    assert time.monotonic() - opened < 30

    refused = screen.page.locator("[data-testid=order-row][data-state=REFUSED]").first.get_by_test_id("order-reason")
    expect(refused).to_contain_text("of equity, the limit is 10\u00a0%")
    expect(refused).to_contain_text("max-position-share · limit 0.1 · value 0.1")
    expect(screen.at("position-row").first).to_be_visible()
    expect(screen.page.get_by_test_id("equity-chart").locator("canvas").first).to_be_visible()
    expect(screen.at("event-row").first).to_be_visible()
    screen.page.locator("[data-testid=order-row][data-state=FILLED]").first.click()
    expect(screen.at("order-history").get_by_text("Filled", exact=True).first).to_be_visible()
    expect(screen.at("order-history").get_by_text("checks passed").first).to_be_visible()
    link_is_spent(make_screen(demo), demo.link)


def link_is_spent(screen: Screen, link: str) -> None:
    screen.watch.expect(r"401 .*/api/v2/auth/link")
    screen.page.goto(link)
    expect(screen.page.get_by_role("heading", name="The link did not work")).to_be_visible()
    screen.page.get_by_role("link", name="Go to sign in").click()
    expect(screen.at("login-username")).to_be_focused()
