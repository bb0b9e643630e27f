"""Risk metrics through the API: scopes, what they hold, what is not known, and who may see it; and the gauges."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.domain import commands as c
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.server.risk_gauges import RiskGauges
from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, STOCK, World, order
from tests.trading.live.desk import BY, bar

PATH = "/api/v2/risk/metrics"


def know(desk: World, days: int) -> None:
    """The desk's store has this many daily bars of the stock, which swings by a seventh around 10."""
    bars = Bars.from_bars("1d", [bar(day, 10.0 + day % 7) for day in range(-days + 1, 1)])
    desk.app.state.closes = DailyCloses(MemoryStore([STOCK], [bars]))
    desk.app.state.gauges = RiskGauges(desk.parts, desk.app.state.closes)


async def hold(desk: World, client: httpx.AsyncClient, quantity: str = "1000", **more: Any) -> None:
    placed = await client.post("/api/v2/trading/orders", json=order(quantity=quantity, time_in_force="GTC", **more))
    assert placed.json()["state"] != "REFUSED", placed.text
    await desk.next_bar(10.0)


async def asked(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_account_with_one_position(desk: World, owner: httpx.AsyncClient) -> None:
    know(desk, 250)
    await hold(desk, owner)
    found = await asked(owner, scope="account", id=OWN_ACCOUNT, benchmark="STK")
    assert (found["scope"], found["id"], found["name"]) == ("account", OWN_ACCOUNT, "Main")
    (book,) = found["books"]
    assert book["exposure"] == {
        "long": "10000.00", "short": "0.00", "gross": "10000.00", "net": "10000.00",
        "gross_leverage": pytest.approx(0.1), "net_leverage": pytest.approx(0.1),
    }  # fmt: skip
    assert (book["herfindahl"], book["effective_number"], book["diversification_ratio"]) == (1, 1, pytest.approx(1))
    assert (book["beta"], book["beta_lacking"]) == (pytest.approx(0.1), None)
    (holding,) = book["holdings"]
    assert (holding["symbol"], holding["quantity"], holding["value"]) == ("STK", "1000", "10000.00")
    assert (holding["share"], holding["beta"]) == (1, pytest.approx(1))
    assert book["correlations"] == {"symbols": ["STK"], "rows": [[1]]}
    assert book["history"]["returns"] == 250
    assert len(book["tails"]) == 8, "four methods at two confidences"
    assert book["volatility"] == pytest.approx(holding["volatility"] * 0.1)
    for tail in book["tails"]:
        if tail["var"] is None:
            assert tail["method"] == "cornish-fisher"
            assert "Cornish-Fisher" in tail["lacking"]
            continue
        assert float(tail["cvar"]) >= float(tail["var"]) > 0
        assert tail["var_share"] == pytest.approx(float(tail["var"]) / float(book["capital"]), rel=1e-4)
        assert tail["parts"] == [{"symbol": "STK", "var": tail["var"], "cvar": tail["cvar"]}]


async def test_too_little_history_gives_no_numbers_and_says_why(desk: World, owner: httpx.AsyncClient) -> None:
    know(desk, 20)
    await hold(desk, owner)
    (book,) = (await asked(owner, scope="account", id=OWN_ACCOUNT, method="historical"))["books"]
    assert book["history"]["lacking"] == "STK has 21 daily closes; at least 31 are needed"
    assert [tail["lacking"] for tail in book["tails"]] == [book["history"]["lacking"]] * 2
    assert [book[name] for name in ("volatility", "diversification_ratio", "correlations", "beta")] == [None] * 4
    assert book["exposure"]["gross"] == "10000.00", "what needs no history is there"


async def test_each_question_says_what_it_lacks(desk: World, owner: httpx.AsyncClient) -> None:
    know(desk, 60)
    await hold(desk, owner)
    query = {"scope": "account", "id": OWN_ACCOUNT, "method": "historical", "confidence": "0.9,0.95,0.99,0.999"}
    (book,) = (await asked(owner, **query))["books"]
    assert [tail["lacking"] for tail in book["tails"]] == [
        None, None, "60 daily returns; this needs 100", "60 daily returns; this needs 1000",
    ]  # fmt: skip


async def test_a_strategy_is_measured_by_what_it_is_allotted(desk: World, owner: httpx.AsyncClient) -> None:
    know(desk, 250)
    await hold(desk, owner, book=DEPLOYMENT)
    await hold(desk, owner, "500")
    found = await asked(owner, scope="strategy", id=DEPLOYMENT)
    (book,) = found["books"]
    assert (found["name"], float(book["capital"]), book["drawdown"]) == ("Crossing", pytest.approx(20_000), None)
    assert book["exposure"]["gross_leverage"] == pytest.approx(0.5)
    (whole,) = (await asked(owner))["books"]
    assert whole["exposure"]["gross"] == "15000.00"


async def test_drawdown_is_the_accounts_and_of_several_together(desk: World, owner: httpx.AsyncClient) -> None:
    second = await owner.post("/api/v2/accounts", json={"name": "Second", "cash": "100000"})
    await desk.runner.quiet()
    await hold(desk, owner, "4000")
    for price in (12.0, 11.0):
        await desk.next_bar(price)
    (book,) = (await asked(owner, scope="account", id=OWN_ACCOUNT))["books"]
    assert book["drawdown"] == pytest.approx(4_000 / 108_000, rel=1e-3)
    assert book["max_drawdown"] == pytest.approx(book["drawdown"])
    (whole,) = (await asked(owner))["books"]
    assert second.json()["id"] in whole["accounts"]
    assert whole["drawdown"] == pytest.approx(4_000 / 208_000, rel=1e-3)
    assert float(whole["capital"]) == pytest.approx(204_000)


async def test_currencies_are_apart(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/accounts", json={"name": "Euros", "cash": "5000", "currency": "EUR"})
    found = (await asked(owner))["books"]
    assert [(book["currency"], book["capital"]) for book in found] == [("USD", "100000"), ("EUR", "5000")]
    assert found[1]["herfindahl"] is None, "nothing is held"
    assert {tail["var"] for tail in found[1]["tails"]} == {"0.00"}


async def test_a_benchmark_without_history_is_said(desk: World, owner: httpx.AsyncClient) -> None:
    know(desk, 250)
    other = Instrument("index", "IDX", "XNAS", AssetClass.INDEX, "USD", Decimal("0.01"), Decimal(1))
    await desk.runner.submit(c.ListInstrument(provenance=BY, instrument=other))
    await hold(desk, owner)
    (book,) = (await asked(owner, benchmark="IDX"))["books"]
    assert (book["beta"], book["benchmark"]) == (None, "IDX")
    assert book["beta_lacking"] == "IDX has 0 daily returns in common with it; 30 are needed"


async def test_the_platform_is_the_owners_and_others_are_not_there(desk: World, owner: httpx.AsyncClient) -> None:
    (whole,) = (await asked(owner, scope="platform"))["books"]
    assert set(whole["accounts"]) == {OWN_ACCOUNT, OTHER_ACCOUNT}
    async with await desk.signed_in(desk.other) as client:
        assert (await client.get(PATH, params={"scope": "platform"})).status_code == 403
        for scope, name in (("account", OWN_ACCOUNT), ("strategy", DEPLOYMENT)):
            assert (await client.get(PATH, params={"scope": scope, "id": name})).status_code == 404
        (theirs,) = (await asked(client))["books"]
        assert theirs["accounts"] == [OTHER_ACCOUNT]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"scope": "account"}, "id"),
        ({"scope": "user", "id": "x"}, "id"),
        ({"confidence": "0.5"}, "confidence"),
        ({"confidence": "0.9999"}, "confidence"),
        ({"confidence": "95"}, "confidence"),
        ({"horizon": "0"}, "horizon"),
        ({"horizon": "251"}, "horizon"),
        ({"days": "29"}, "days"),
        ({"method": "guess"}, "method"),
        ({"benchmark": "NONE"}, "benchmark"),
        ({"scope": "world"}, "scope"),
    ],
)
async def test_a_question_that_makes_no_sense_names_its_field(
    owner: httpx.AsyncClient, query: dict[str, str], field: str
) -> None:
    answer = await owner.get(PATH, params=query)
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


async def test_the_metrics_have_each_accounts_exposure_and_tail(desk: World, owner: httpx.AsyncClient) -> None:
    know(desk, 250)
    await hold(desk, owner)
    text = (await owner.get("/metrics")).text
    labels = f'account="Main",account_id="{OWN_ACCOUNT}"'
    assert f"portfolio_gross_exposure{{{labels}}} 10000.0" in text
    (book,) = (await asked(owner, scope="account", id=OWN_ACCOUNT, method="historical"))["books"]
    for tail in book["tails"]:
        line = f'portfolio_value_at_risk{{{labels},confidence="{tail["confidence"]}"}} '
        (shown,) = [row.removeprefix(line) for row in text.splitlines() if row.startswith(line)]
        assert float(shown) == pytest.approx(float(tail["var"]), abs=0.005)
    await hold(desk, owner)
    assert "portfolio_gross_exposure{" + labels + "} 10000.0" in (await owner.get("/metrics")).text, "for 15 seconds"
    desk.app.state.gauges._due = 0.0
    assert "portfolio_gross_exposure{" + labels + "} 20000.0" in (await owner.get("/metrics")).text


async def test_what_cannot_be_measured_hides_no_other_metric(
    desk: World, owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no such device")

    await hold(desk, owner)
    monkeypatch.setattr(desk.app.state.closes, "closes", broken)
    with capture_logs() as lines:
        answer = await owner.get("/metrics")
    assert answer.status_code == 200
    assert "portfolio_total_value{" in answer.text
    assert "portfolio_gross_exposure{" not in answer.text
    assert [line["log_level"] for line in lines if "risk of accounts" in line["event"]] == ["error"]
