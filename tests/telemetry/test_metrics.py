"""Metrics: the names people look for, and nothing exported without a value."""

import asyncio
import time

from prometheus_client.parser import text_string_to_metric_families

from evenkeel.telemetry.loop import LoopLag
from evenkeel.telemetry.metrics import Metrics, Portfolio, Risk

MAIN = Portfolio("id-1", 'Main "A"', 105_000.0, 0.05, 0.02, 3)


def samples(metrics: Metrics) -> dict[str, float]:
    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert all(family.samples for family in families), "a metric without a sample"
    return {
        sample.name + "".join(f"|{key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_new_process_exports_only_what_has_a_value() -> None:
    found = samples(Metrics("1.2.3"))
    assert found["orders_placed_total"] == 0
    assert found["order_errors_total"] == 0
    assert found["evenkeel_build_info|version=1.2.3"] == 1
    assert found["evenkeel_uptime_seconds"] >= 0
    assert "event_loop_lag_seconds" in found
    assert any(name.startswith("process_") for name in found)
    for name in ("portfolio_total_value", "order_stage_seconds", "order_success_rate", "evenkeel_journal_seq"):
        assert not [one for one in found if one.startswith(name)]
    assert not [one for one in found if one.endswith("_created")]


def test_the_accounts_are_asked_at_each_scrape() -> None:
    metrics = Metrics("0")
    accounts = [MAIN]
    metrics.watch_portfolios(lambda: accounts)
    labels = '|account=Main "A"|account_id=id-1'
    found = samples(metrics)
    assert found[f"portfolio_total_value{labels}"] == 105_000
    assert found[f"portfolio_return{labels}"] == 0.05
    assert found[f"portfolio_drawdown{labels}"] == 0.02
    assert found[f"portfolio_positions{labels}"] == 3
    accounts[0] = MAIN._replace(value=1.0)
    assert samples(metrics)[f"portfolio_total_value{labels}"] == 1


def test_risk_is_exported_as_far_as_it_is_known() -> None:
    metrics = Metrics("0")
    risks = [Risk("id-1", "Main", 900.0, -100.0, None, {})]
    metrics.watch_risks(lambda: risks)
    labels = "|account=Main|account_id=id-1"
    found = samples(metrics)
    assert (found[f"portfolio_gross_exposure{labels}"], found[f"portfolio_net_exposure{labels}"]) == (900, -100)
    assert not [one for one in found if one.startswith(("portfolio_volatility", "portfolio_value_at_risk"))]
    risks[0] = risks[0]._replace(volatility=0.2, tails={"0.99": (30.0, 40.0)})
    found = samples(metrics)
    assert found[f"portfolio_volatility{labels}"] == 0.2
    assert found[f"portfolio_value_at_risk{labels}|confidence=0.99"] == 30
    assert found[f"portfolio_expected_shortfall{labels}|confidence=0.99"] == 40


def test_stages_are_a_cumulative_histogram() -> None:
    metrics = Metrics("0")
    for seconds in (0.0001, 0.002, 0.002, 99.0):
        metrics.observe_stage("committed", seconds)
    found = samples(metrics)
    assert found["order_stage_seconds_bucket|le=0.0001|stage=committed"] == 1
    assert found["order_stage_seconds_bucket|le=0.0025|stage=committed"] == 3
    assert found["order_stage_seconds_bucket|le=10.0|stage=committed"] == 3
    assert found["order_stage_seconds_bucket|le=+Inf|stage=committed"] == 4
    assert found["order_stage_seconds_count|stage=committed"] == 4


def test_orders_and_journal_once_they_are_known() -> None:
    metrics = Metrics("0")
    metrics.orders_placed, metrics.order_errors = 4, 1
    metrics.watch_journal(lambda: (17, 2))
    found = samples(metrics)
    assert found["order_success_rate"] == 0.75
    assert (found["evenkeel_journal_seq"], found["evenkeel_projection_lag_records"]) == (17, 2)


def test_two_processes_in_one_share_nothing() -> None:
    one, two = Metrics("1"), Metrics("2")
    one.orders_placed = 5
    assert samples(two)["orders_placed_total"] == 0


async def test_a_blocked_loop_shows_as_lag() -> None:
    told: list[float] = []
    lag = LoopLag(told.append)
    lag.start()
    await asyncio.sleep(0.05)
    time.sleep(0.4)  # noqa: ASYNC251 - the loop is blocked on purpose
    await asyncio.sleep(0.1)
    await lag.stop()
    assert max(told) >= 0.1
