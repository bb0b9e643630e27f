"""Backtests on the page: asked for by the form, followed while they run, looked at, compared, run again, removed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.desks import Api, Demo
from tests.e2e.pages import PHONE, Screen

pytestmark = pytest.mark.browser
DONE_MS = 60_000


@pytest.fixture(scope="module")
def demo(make_demo: Callable[..., Demo]) -> Demo:
    made = make_demo("--speed", "10")
    made.api().steer("pause")
    return made


@pytest.fixture(scope="module")
def api(demo: Demo) -> Api:
    return demo.api()


@pytest.fixture
def backtests(screen: Screen) -> Screen:
    """The page of backtests, reached from the desk."""
    screen.at("to-backtests").click()
    expect(screen.page.get_by_role("heading", name="Backtests", exact=True).first).to_be_attached()
    expect(screen.at("connection-state")).to_have_attribute("data-kind", "live")
    return screen


def ran(screen: Screen, kind: str, **typed: str) -> str:
    """The id of a run that the form was filled for and that is done; `typed` by test id, the strategy's default."""
    page, before = screen.page, screen.page.url
    screen.at("run-new").click()
    page.get_by_role("radiogroup", name="What to run").get_by_text(kind, exact=True).click()
    screen.at("run-strategy").select_option("sma-crossover")
    for name, text in typed.items():
        screen.at(f"run-{name.replace('__', '-')}").fill(text)
    screen.at("run-submit").click()
    expect(page).not_to_have_url(before)
    expect(screen.at("run-state")).to_have_text("Done", timeout=DONE_MS)
    return page.url.rpartition("#")[2]


def test_an_idea_becomes_a_verdict_without_leaving_the_page(backtests: Screen, api: Api, tmp_path: Path) -> None:
    page = backtests.page
    made = ran(backtests, "Single", parameter__fast="10", parameter__slow="50", fees_bps="5", size="50")
    stored = api.get(f"/backtesting/{made}")
    assert stored["parameters"] == {"fast": 10, "slow": 50, "allow_short": False}
    assert (stored["asked"]["fees_bps"], stored["asked"]["size"]["share"]) == ("5", "0.5")
    expect(page.get_by_label("Figures at a glance")).to_contain_text(f"{float(stored['summary']['final_equity']):,.2f}")
    expect(backtests.at("run-chart")).to_be_visible()
    parts = page.get_by_role("radiogroup", name="Parts of the result")
    parts.get_by_text("Trades", exact=True).click()
    expect(page.get_by_role("table", name="Closed trades").locator("tbody tr")).to_have_count(
        stored["summary"]["trades"]
    )
    parts.get_by_text("Metrics", exact=True).click()
    expect(page.get_by_text("Sortino ratio", exact=True)).to_be_visible()
    parts.get_by_text("Terms", exact=True).click()
    expect(page.get_by_text(stored["fingerprint"], exact=True)).to_be_visible()
    with page.expect_download() as download:
        backtests.at("tear-sheet").click()
    download.value.save_as(tmp_path / "sheet.html")
    assert "sma-crossover" in (tmp_path / "sheet.html").read_text()
    page.reload()
    expect(backtests.at("run-state")).to_have_text("Done")


def test_a_sweep_shows_its_map_and_says_how_much_is_luck(backtests: Screen, api: Api) -> None:
    page = backtests.page
    made = ran(backtests, "Sweep", parameter__fast="5..20 by 5", parameter__slow="30, 50, 80")
    assert api.get(f"/backtesting/{made}")["summary"]["search"]["combinations"] == 12
    expect(backtests.at("verdict")).to_contain_text("After 12 trials")
    page.get_by_text("Combinations", exact=True).click()
    expect(backtests.at("heat-map").locator("td")).to_have_count(12)
    expect(page.get_by_role("table", name="Combinations").locator("tbody tr")).to_have_count(12)
    page.get_by_label("Rows by").select_option("-slow")
    expect(page.get_by_role("table", name="Combinations").locator("tbody tr").first).to_contain_text("80")


def test_a_walk_forward_shows_its_windows(backtests: Screen, api: Api) -> None:
    made = ran(backtests, "Walk-forward", parameter__fast="5, 10", parameter__slow="50", train="400", test="200")
    backtests.page.get_by_text("Windows", exact=True).click()
    windows = api.get(f"/backtesting/{made}/windows")["items"]
    rows = backtests.page.get_by_role("table", name="Windows").locator("tbody tr")
    expect(rows).to_have_count(len(windows))
    expect(rows.first).to_contain_text("best of 2")


def test_what_cannot_be_run_is_said_beside_its_field(backtests: Screen) -> None:
    page = backtests.page
    page.keyboard.press("n")
    backtests.at("run-parameter-fast").fill("5..20")
    backtests.at("run-stop_loss").evaluate("(input) => (input.closest('details').open = true)")
    backtests.at("run-stop_loss").fill("two")
    backtests.at("run-submit").click()
    expect(page.get_by_text("To try several, choose Sweep or Walk-forward.")).to_be_visible()
    expect(page.get_by_text("The stop-loss must be a number")).to_be_visible()
    backtests.watch.expect(r"422 .*/api/v2/backtesting")
    backtests.at("run-stop_loss").fill("")
    backtests.at("run-parameter-fast").fill("900")
    backtests.at("run-submit").click()
    expect(backtests.at("run-fault")).to_contain_text("fast")
    page.keyboard.press("Escape")
    expect(backtests.at("run-fault")).to_have_count(0)


def test_several_are_compared_and_one_is_run_again_and_removed(backtests: Screen, api: Api) -> None:
    page = backtests.page
    ids = [ran(backtests, "Single", parameter__fast=fast) for fast in ("7", "21")]
    for made in ids:
        page.locator(f"[data-run='{made}']").get_by_role("checkbox").check()
    backtests.at("compare").click()
    expect(backtests.at("comparison").locator("thead th")).to_have_count(3)
    page.reload()
    expect(backtests.at("comparison").locator("tbody tr").first).to_contain_text("Total return")
    page.get_by_role("button", name="Close", exact=True).click()

    page.locator(f"[data-run='{ids[0]}']").click()
    backtests.at("run-again").click()
    expect(backtests.at("run-parameter-fast")).to_have_value("7")
    backtests.at("run-submit").click()
    expect(page).not_to_have_url(re.compile(ids[0]))
    expect(backtests.at("run-state")).to_have_text("Done", timeout=DONE_MS)
    again = page.url.rpartition("#")[2]
    assert api.get(f"/backtesting/{again}")["fingerprint"] == api.get(f"/backtesting/{ids[0]}")["fingerprint"]

    backtests.at("run-remove").click()
    backtests.at("confirm-action").click()
    expect(page.locator(f"[data-run='{again}']")).to_have_count(0)
    expect(page.get_by_text("Choose a backtest")).to_be_visible()
    assert again not in {one["id"] for one in api.every("/backtesting")}


def test_a_run_asked_for_elsewhere_appears_and_one_removed_elsewhere_goes(backtests: Screen, api: Api) -> None:
    page = backtests.page
    body = {"strategy": "rsi", "symbols": ["IBM"]}
    made = api.client.post("/backtesting", json=body).raise_for_status().json()["id"]
    row = page.locator(f"[data-run='{made}']")
    expect(row).to_have_attribute("data-state", "done", timeout=DONE_MS)
    row.click()
    expect(backtests.at("run-state")).to_have_text("Done")
    api.client.delete(f"/backtesting/{made}").raise_for_status()
    expect(row).to_have_count(0)
    expect(page.get_by_text("There is no such backtest of yours")).to_be_visible()


def test_a_long_search_is_followed_and_cancelled(backtests: Screen, api: Api) -> None:
    page = backtests.page
    space = {"fast": {"low": 2, "high": 60, "step": 1}, "slow": {"low": 61, "high": 400, "step": 1}}
    body = {"strategy": "sma-crossover", "symbols": ["AAPL", "IBM", "MSFT"], "space": space}
    made = api.client.post("/backtesting/sweeps", json=body).raise_for_status().json()["id"]
    page.locator(f"[data-run='{made}']").click()
    expect(page.get_by_role("status").get_by_text(re.compile("of 20,060"))).to_be_visible(timeout=DONE_MS)
    expect(page).to_have_title(re.compile("1 under way"))
    backtests.at("run-cancel").click()
    expect(backtests.at("run-state")).to_have_text("Cancelled", timeout=DONE_MS)
    assert api.get(f"/backtesting/{made}")["state"] == "cancelled"


def test_the_page_fits_a_phone(make_screen: Callable[..., Screen], demo: Demo) -> None:
    screen = make_screen(demo, viewport=PHONE)
    screen.open()
    screen.at("to-backtests").click()
    expect(screen.at("run-row").first).to_be_visible()
    screen.at("run-row").first.click()
    expect(screen.at("run-state")).to_be_visible()
    assert screen.overflows() == []
    screen.at("run-new").click()
    expect(screen.at("run-submit")).to_be_attached()
    assert screen.overflows() == []
