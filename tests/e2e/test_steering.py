"""Strategies and the replay steered from the desk: what is set holds over a reload, and an ended replay starts over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from evenkeel.market.exporting import encode
from evenkeel.market.sample import sample_market
from tests.e2e.desks import Demo, until
from tests.e2e.pages import Screen

pytestmark = pytest.mark.browser
DAYS = 80


@pytest.fixture(scope="module")
def demo(make_demo: Callable[..., Demo]) -> Demo:
    return make_demo("--speed", "5")


@pytest.fixture(scope="module")
def short_replay(make_demo: Callable[..., Demo], tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A replay of a few real months, so that its end is near."""
    instruments, bars, _ = sample_market()
    file: Path = tmp_path_factory.mktemp("data") / "IBM_1d.csv"
    ibm = next(one for one in instruments if one.symbol == "IBM")
    file.write_bytes(encode(bars[ibm.id].rows(0, DAYS), ibm))
    return make_demo("--speed", "20", "--data", str(file))


def test_a_strategy_is_switched_off_and_on_and_stays_so(screen: Screen, demo: Demo) -> None:
    api = demo.api()

    def row_is(status: str) -> None:
        expect(screen.at("strategy-row").filter(has_text="Levels")).to_have_attribute("data-status", status)

    def switch() -> None:
        screen.at("strategy-row").filter(has_text="Levels").get_by_test_id("strategy-toggle").click(force=True)

    row_is("running")
    switch()
    row_is("disabled")
    screen.reload()
    row_is("disabled")
    deployments = {one["name"]: one for one in api.get("/strategies")["items"]}
    assert [name for name, one in deployments.items() if not one["enabled"]] == ["Levels"]
    switch()
    row_is("running")
    screen.reload()
    row_is("running")


def test_an_allocation_is_changed_with_validation_and_stays(screen: Screen, demo: Demo) -> None:
    trend = screen.at("strategy-row").filter(has_text="Trend")
    trend.get_by_test_id("strategy-allocation").click()
    inputs = screen.at("allocation-input")
    expect(inputs).to_have_count(3)
    inputs.nth(0).fill("many")
    screen.at("allocation-save").click()
    expect(inputs.nth(0)).to_have_attribute("aria-invalid", "true")
    for place, share in enumerate(("12.5", "15", "20")):
        inputs.nth(place).fill(share)
    screen.at("allocation-save").click()
    expect(inputs).to_have_count(0)
    screen.reload()
    expect(trend.get_by_test_id("strategy-allocation")).to_have_text("12.5–20 %")
    found = next(one for one in demo.api().get("/strategies")["items"] if one["name"] == "Trend")
    assert sorted(float(one["allocation"]) for one in found["accounts"]) == [0.125, 0.15, 0.2]


def test_the_replay_is_paused_resumed_and_sped_up(screen: Screen, demo: Demo) -> None:
    api = demo.api()
    screen.at("feed-toggle").click()
    expect(screen.page.get_by_role("button", name="Resume the feed")).to_be_visible()
    assert api.feed["state"] == "paused"
    held = api.feed["cursor"]
    screen.at("feed-speed").select_option("50")
    until(lambda: api.feed["speed"] == "50", "the speed is taken")
    assert api.feed["cursor"] == held
    screen.reload()
    expect(screen.at("feed-speed")).to_have_value("50")
    shown = screen.at("trading-clock").inner_text()
    screen.page.get_by_role("button", name="Resume the feed").click()
    expect(screen.at("trading-clock")).not_to_have_text(shown)
    until(lambda: api.feed["cursor"] > held, "the replay goes on")
    screen.at("feed-speed").select_option("0.5")
    until(lambda: api.feed["speed"] == "0.5", "the speed is taken")
    screen.at("feed-speed").select_option("0")
    until(lambda: api.feed["speed"] == "0", "the speed is taken")
    after = api.feed["cursor"]
    until(lambda: goes_beyond(api.feed, after), "the replay runs flat out", about=lambda: api.feed)
    screen.at("feed-speed").select_option("2")
    until(lambda: api.feed["speed"] == "2", "the speed is taken")


def goes_beyond(feed: dict[str, Any], cursor: str) -> bool:
    """Flat out, a replay may be at its end before it can be looked at."""
    return bool(feed["cursor"] > cursor) or feed["state"] == "ended"


def test_an_ended_replay_says_so_and_starts_over(make_screen: Callable[..., Screen], short_replay: Demo) -> None:
    screen = make_screen(short_replay)
    screen.open()
    expect(screen.at("feed-ended")).to_contain_text("The replay has ended on 2000-", timeout=30_000)
    expect(screen.at("feed-toggle")).to_have_count(0)
    api = short_replay.api()
    last = api.feed["cursor"]
    screen.at("feed-restart").click()
    expect(screen.page.get_by_role("dialog")).to_contain_text("begin again at the first day")
    screen.page.get_by_role("button", name="Not now").click()
    assert api.feed["state"] == "ended"
    screen.at("feed-restart").click()
    screen.at("confirm-action").click()
    expect(screen.at("feed-ended")).to_have_count(0, timeout=30_000)
    screen.is_live()
    until(lambda: api.feed["state"] == "running", "the replay runs again")
    assert api.feed["cursor"] is None or api.feed["cursor"] < last
    shown = screen.at("trading-clock").inner_text()
    expect(screen.at("trading-clock")).not_to_have_text(shown)
    first_day = (
        max(one["created_at"] for one in api.every("/trading/orders")) if api.get("/trading/orders")["items"] else ""
    )
    assert first_day <= (api.feed["cursor"] or last)
    expect(screen.at("account-total")).to_contain_text("3 accounts")
