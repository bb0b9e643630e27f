"""Everyone can use it: on a phone, by keyboard alone, in the dark and in the light, and with a screen reader."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.desks import Demo, until
from tests.e2e.pages import PHONE, Screen

pytestmark = pytest.mark.browser
PARTS = ("Accounts", "Equity", "Positions", "Orders", "Strategies", "Events")
# Everything that can be operated says by its name what it does.
NAMELESS = """() => [...document.querySelectorAll("button, a[href], input, select, [role=button]")]
  .filter((one) => one.type !== "hidden" && one.checkVisibility?.({ visibilityProperty: true }))
  .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.title || one.labels?.length
    || document.getElementById(one.getAttribute("aria-labelledby") ?? "")))
  .map((one) => one.outerHTML.slice(0, 160))"""
TWICE = """() => [...document.querySelectorAll("[id]")].map((one) => one.id)
  .filter((id, place, all) => all.indexOf(id) !== place)"""
# WCAG 2 contrast of every text against the nearest ground that is opaque; texts below 4.5 : 1 are told.
FAINT = """() => {
  const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const over = ([r, g, b, a = 1], ground) => [r, g, b].map((c, i) => c * a + ground[i] * (1 - a));
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const layer = numbers(getComputedStyle(at).backgroundColor);
      layers.push(layer);
      if ((layer[3] ?? 1) === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = [...document.querySelectorAll("main *, header *")].filter((one) =>
    [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()) && one.checkVisibility());
  return [...new Set(texts.filter((one) => !one.closest(":disabled, [data-disabled]")).map((one) => {
    const behind = ground(one);
    const [a, b] = [light(over(numbers(getComputedStyle(one).color), behind)), light(behind)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return ratio < 4.5 ? `${ratio.toFixed(2)} ${one.className} ${one.textContent.trim().slice(0, 30)}` : null;
  }).filter(Boolean))];
}"""


@pytest.fixture(scope="module")
def demo(make_demo: Callable[..., Demo]) -> Demo:
    made = make_demo("--speed", "20")
    api = made.api()
    until(lambda: len(api.get("/trading/orders", status="REFUSED")["items"]) >= 3, "first refusals")
    api.steer("pause")
    return made


@pytest.mark.parametrize(("path", "shown"), [("/docs", ".swagger-ui .info"), ("/redoc", "h1")])
def test_the_pages_of_the_api_ask_for_nothing_that_is_not_here(
    make_screen: Callable[..., Screen], demo: Demo, path: str, shown: str
) -> None:
    screen = make_screen(demo)
    screen.page.goto(f"{demo.url}{path}", wait_until="networkidle")
    expect(screen.page.locator(shown).first).to_be_visible()


def test_it_fits_a_phone_from_signing_in_to_an_order(make_screen: Callable[..., Screen], demo: Demo) -> None:
    screen = make_screen(demo, viewport=PHONE, has_touch=True, is_mobile=True)
    screen.page.goto(demo.url)
    expect(screen.at("login-username")).to_be_visible()
    assert screen.overflows() == []
    screen.sign_in("demo", "pw-For-demo-1")
    screen.is_live()
    expect(screen.at("order-row").first).to_be_visible()
    assert screen.overflows() == []
    for name in PARTS[:1] + PARTS[2:]:
        screen.page.get_by_role("navigation", name="Parts of the desk").get_by_role("link", name=name).tap()
        expect(screen.page.locator(f"#{name.lower()}")).to_be_in_viewport()
    screen.review("Trading", "IBM", "31", kind="STOP_LIMIT", tif="GTC", stop_price="900", limit_price="901")
    assert screen.overflows() == []
    screen.at("ticket-submit").tap()
    screen.result("ACCEPTED", "REFUSED")
    assert len(demo.api().manual_orders(quantity="31")) == 1


def test_an_order_needs_no_mouse(screen: Screen, demo: Demo) -> None:
    press, focused = screen.page.keyboard.press, screen.page.locator(":focus")
    press("Tab")
    expect(focused).to_have_text("Skip to the desk")
    press("?")
    expect(screen.page.get_by_role("dialog", name="Keys")).to_be_visible()
    press("Escape")
    expect(screen.page.get_by_role("dialog")).to_have_count(0)

    press("n")
    expect(screen.at("ticket-account")).to_be_focused()
    screen.page.keyboard.type("Fam")
    press("Tab")
    press("Tab")
    expect(screen.at("ticket-symbol")).to_be_focused()
    screen.page.keyboard.type("IBM")
    press("Tab")
    screen.page.keyboard.type("32")
    press("Enter")
    expect(screen.at("ticket-submit")).to_be_focused()
    press("Enter")
    screen.result("SUBMITTED", "ACCEPTED")
    expect(screen.page.get_by_role("button", name="Done")).to_be_focused()
    press("Escape")
    expect(screen.page.get_by_role("dialog")).to_have_count(0)
    [order] = demo.api().manual_orders(quantity="32")
    assert (order["symbol"], order["side"], order["kind"]) == ("IBM", "BUY", "MARKET")


def test_the_keys_reach_every_part(screen: Screen) -> None:
    press = screen.page.keyboard.press
    for place, name in enumerate(PARTS, start=1):
        press(str(place))
        expect(screen.page.locator(f"#{name.lower()}")).to_be_focused()
    press("u")
    expect(screen.at("trading-clock")).not_to_contain_text("UTC")
    press("u")
    press("/")
    expect(screen.at("desk-filter")).to_be_focused()
    screen.page.keyboard.type("refused")
    expect(screen.page.locator("[data-testid=order-row]:not([data-state=REFUSED])")).to_have_count(0)
    press("Escape")
    expect(screen.at("desk-filter")).to_have_value("")
    expect(screen.page.locator("[data-testid=order-row][data-state=FILLED]").first).to_be_visible()
    screen.page.get_by_role("radiogroup", name="Orders shown").get_by_text("Refused").click()
    press("n")
    expect(screen.page.get_by_role("dialog", name="New order")).to_be_visible()


def test_the_tab_key_goes_round_the_desk_and_shows_where_it_is(screen: Screen) -> None:
    reached: list[str] = []
    for _ in range(24):
        screen.page.keyboard.press("Tab")
        name, outlined = screen.page.evaluate(
            """() => { const at = document.activeElement, look = getComputedStyle(at);
              const ring = getComputedStyle(at.labels?.[0] ?? at);
              return [at.dataset.testid || at.getAttribute("aria-label") || at.textContent,
                look.outlineStyle !== "none" || look.boxShadow !== "none" || ring.outlineStyle !== "none"
                || look.borderColor !== "rgba(0, 0, 0, 0)"]; }"""
        )
        reached.append(name)
        assert outlined, f"nothing shows that {name!r} has the focus"
    wanted = ["Skip to the desk", "trading-clock", "feed-toggle", "feed-speed", "account-filter", "desk-filter"]
    wanted += ["ticket-open", "connection-state"]
    assert [name for name in reached if name in wanted] == wanted


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_reads_well_in_the_dark_and_in_the_light(screen: Screen, scheme: str) -> None:
    root = screen.page.locator("html")
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")
    if scheme == "light":
        screen.page.get_by_role("button", name="Light theme").click()
        expect(root).to_have_attribute("data-mantine-color-scheme", "light")
        screen.reload()
        expect(root).to_have_attribute("data-mantine-color-scheme", "light")
    assert screen.page.evaluate(FAINT) == []


def test_every_part_has_a_name_and_a_role(screen: Screen) -> None:
    for name in PARTS:
        expect(screen.page.get_by_role("region", name=name)).to_be_visible()
    expect(screen.page.get_by_role("heading", level=1)).to_have_count(1)
    expect(screen.page.get_by_role("main")).to_have_count(1)
    expect(screen.page.get_by_role("banner")).to_have_count(1)
    expect(screen.page.locator("html")).to_have_attribute("lang", "en")
    for name in ("Accounts", "Orders, newest first"):
        expect(screen.page.get_by_role("table", name=name)).to_be_visible()
    expect(screen.page.get_by_role("figure", name=re.compile("Equity over time"))).to_be_visible()
    assert screen.page.evaluate(NAMELESS) == []
    assert screen.page.evaluate(TWICE) == []
    screen.at("ticket-open").click()
    expect(screen.page.get_by_role("dialog", name="New order")).to_be_visible()
    assert screen.page.evaluate(NAMELESS) == []
