"""Sweeps and walk-forwards over HTTP and the stream: asked for, watched, looked at row by row, compared, cancelled."""

import asyncio
from typing import Any

import httpx
import pytest

from evenkeel.research.search.searching import search
from evenkeel.research.walkforward import walk_forward
from tests.server.backtests import BACKTEST
from tests.server.test_backtesting import PATH, SECONDS, get, until
from tests.server.test_streams import hear, open_stream, served, subscribe
from tests.server.world import World, stored_bars
from tests.trading.live.desk import STOCK

SPACE: dict[str, Any] = {"fast": [2, 3, 4], "slow": {"low": 5, "high": 9, "step": 2, "log": False}}
BODY: dict[str, Any] = {
    "strategy": "sma-crossover", "symbols": ["STK"], "space": SPACE, "parameters": {"allow_short": True},
}  # fmt: skip
WALK: dict[str, Any] = {"train": 12, "test": 6, "objective": "total_return"}
STUCK: dict[str, Any] = {"strategy": "stuck", "symbols": ["STK"], "space": {"seconds": [600]}, "parameters": {}}


async def ask(client: httpx.AsyncClient, kind: str = "sweeps", **changes: Any) -> str:
    answer = await client.post(f"{PATH}/{kind}", json=BODY | changes)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["id"]
    assert answer.headers["location"] == f"{PATH}/{found}"
    return found


def terms(desk: World) -> dict[str, Any]:
    return {
        "splits": desk.parts.bars.splits(STOCK.id),
        "params": {"allow_short": True},
        "fees": "zero",
        "slippage": 0.0,
    }


def space() -> dict[str, Any]:
    return {"fast": [2, 3, 4], "slow": [5, 7, 9]}


async def every(client: httpx.AsyncClient, path: str) -> list[Any]:
    """All rows, four at a time."""
    items: list[Any] = []
    cursor = ""
    while True:
        found = await get(client, f"{path}{'&' if '?' in path else '?'}limit=4{cursor}")
        items += found["items"]
        if found["next_cursor"] is None:
            return items
        cursor = f"&cursor={found['next_cursor']}"


async def test_a_sweep_is_what_the_library_finds(desk: World, owner: httpx.AsyncClient) -> None:
    found = await until(owner, await ask(owner), "done", "failed")
    assert found["error"] is None
    expected = search("sma-crossover", stored_bars().of_instrument(STOCK), space=space(), method="grid", **terms(desk))
    rows = await every(owner, f"/{found['id']}/combinations")
    told = [{**one["parameters"], **one["figures"], "feasible": one["feasible"]} for one in rows]
    assert told == expected.ranked().to_dicts()
    assert sorted(int(one["id"]) for one in rows) == list(range(9))
    assert {(one["feasible"], one["front"]) for one in rows} == {(True, None), (False, None)}  # some are ruined
    assert found["parameters"] == {**(expected.best or {}), "allow_short": True}
    assert found["kind"] == "sweep"
    summary = found["summary"]["search"]
    assert (summary["combinations"], summary["refused"], summary["best"]) == (9, 0, expected.best)
    assert found["summary"]["metrics"] == expected.result.metrics
    assert float(found["final_equity"]) == pytest.approx(expected.result.final_equity)
    assert summary["verdict"] is None
    assert "expected 32 periods or more" in summary["unjudged"]
    fills = await every(owner, f"/{found['id']}/fills")
    assert len(fills) == len(expected.result.fills)
    page = await owner.get(f"{PATH}/{found['id']}/report")
    assert "the best of a search" in page.text


async def test_rows_are_sorted_by_any_column(owner: httpx.AsyncClient) -> None:
    found = (await until(owner, await ask(owner), "done"))["id"]
    for sort, name, down in (("slow", "slow", False), ("-fast", "fast", True)):
        rows = [one["parameters"][name] for one in await every(owner, f"/{found}/combinations?sort={sort}")]
        assert rows == sorted(rows, reverse=down)
    fees = [one["figures"]["fees"] for one in await every(owner, f"/{found}/combinations?sort=-fees")]
    assert fees == sorted(fees, reverse=True)
    fault = await get(owner, f"/{found}/combinations?sort=luck", 422)
    assert fault["errors"][0]["field"] == "sort"
    for cursor in ("x", "10"):
        assert (await get(owner, f"/{found}/combinations?cursor={cursor}", 422))["errors"][0]["field"] == "cursor"


async def test_a_heat_map_has_a_cell_for_every_pair(owner: httpx.AsyncClient) -> None:
    found = (await until(owner, await ask(owner), "done"))["id"]
    rows = await every(owner, f"/{found}/combinations")
    shown = await get(owner, f"/{found}/heat-map")
    assert (shown["x"], shown["y"]) == ({"name": "fast", "values": [2, 3, 4]}, {"name": "slow", "values": [5, 7, 9]})
    assert (shown["value"], shown["higher_is_better"], shown["others"]) == ("sharpe", True, "median")
    sharpes = {(one["parameters"]["fast"], one["parameters"]["slow"]): one["figures"]["sharpe"] for one in rows}
    assert shown["cells"] == [[sharpes[x, y] for x in (2, 3, 4)] for y in (5, 7, 9)]
    turned = await get(owner, f"/{found}/heat-map?x=slow&y=fast&value=fees&others=max")
    assert (turned["x"]["name"], turned["higher_is_better"]) == ("slow", False)
    wrong = ("x=luck", "y=sharpe", "value=luck", "value=fast", "value=feasible", "y=fast&x=fast")
    for query in wrong:
        field = query.partition("=")[0]
        assert (await get(owner, f"/{found}/heat-map?{query}", 422))["errors"][0]["field"] == field


async def test_a_heat_map_of_one_parameter_is_one_row_and_of_three_is_folded(owner: httpx.AsyncClient) -> None:
    one = (await until(owner, await ask(owner, space={"fast": [2, 3]}, parameters={"slow": 5}), "done"))["id"]
    shown = await get(owner, f"/{one}/heat-map")
    assert (shown["x"]["values"], shown["y"], len(shown["cells"])) == ([2, 3], None, 1)
    both = {"allow_short": [False, True], **SPACE}
    three = (await until(owner, await ask(owner, space=both, parameters={}), "done"))["id"]
    rows = await every(owner, f"/{three}/combinations")
    shown = await get(owner, f"/{three}/heat-map?x=fast&y=slow&value=final_equity&others=max")
    cell = [
        one["figures"]["final_equity"]
        for one in rows
        if one["parameters"] | {"fast": 2, "slow": 5} == one["parameters"]
    ]
    assert len(cell) == 2
    assert shown["cells"][0][0] == max(cell)


async def test_a_walk_forward_is_what_the_library_finds(desk: World, owner: httpx.AsyncClient) -> None:
    found = await until(owner, await ask(owner, "walk-forwards", **WALK, anchored=True, embargo=1), "done", "failed")
    assert found["error"] is None
    expected = walk_forward(
        "sma-crossover", stored_bars().of_instrument(STOCK), grid=space(), **WALK, anchored=True, embargo=1,
        **terms(desk),
    )  # fmt: skip
    rows = await every(owner, f"/{found['id']}/windows")
    assert [one["parameters"] for one in rows] == [one.params for one in expected.windows]
    assert [one["out_of_sample"] for one in rows] == [one.out_of_sample for one in expected.windows]
    assert [one["in_sample"] for one in rows] == [one.in_sample for one in expected.windows]
    assert rows[0]["test_start"] > rows[0]["train_end"]
    summary = found["summary"]["search"]
    assert (summary["windows"], summary["efficiency"]) == (len(rows), expected.efficiency)
    assert (found["kind"], found["parameters"]) == ("walk-forward", {})
    assert found["fingerprint"] == expected.result.fingerprint
    assert found["search"]["walk"] == {"train": 12, "test": 6, "embargo": 1, "anchored": True}
    equity = await every(owner, f"/{found['id']}/equity")
    assert [float(one["equity"]) for one in equity] == pytest.approx(expected.result.equity)
    problem = await get(owner, f"/{found['id']}/combinations", 409)
    assert "has no combinations" in problem["detail"]


async def test_several_objectives_have_a_front(owner: httpx.AsyncClient) -> None:
    asked: dict[str, Any] = {"objectives": ["total_return", "max_drawdown"], "method": "random", "trials": 6, "seed": 3}
    found = await until(owner, await ask(owner, **asked, constraints=["fills >= 1"]), "done")
    rows = await every(owner, f"/{found['id']}/combinations")
    assert len(rows) == found["summary"]["search"]["combinations"] == 6
    assert sum(one["front"] for one in rows) == found["summary"]["search"]["front"] >= 1
    assert found["search"] == {
        "space": SPACE, "constraints": ["fills >= 1"], "walk": None, **asked,
    }  # fmt: skip


async def test_what_was_asked_can_be_sent_again(owner: httpx.AsyncClient) -> None:
    first = await until(owner, await ask(owner, fees_bps="5", size="10"), "done")
    given = {name: value for name, value in first["search"].items() if name != "walk"}
    again = await until(owner, await ask(owner, **first["asked"], **given), "done")
    assert again["fingerprint"] == first["fingerprint"]


async def test_results_of_all_kinds_stand_side_by_side(desk: World, owner: httpx.AsyncClient) -> None:
    sweep = (await until(owner, await ask(owner), "done"))["id"]
    walk = (await until(owner, await ask(owner, "walk-forwards", **WALK), "done"))["id"]
    found = await get(owner, f"/compare?ids={sweep},{BACKTEST},{walk}")
    assert [one["kind"] for one in found["backtests"]] == ["sweep", "backtest", "walk-forward"]
    for row in found["metrics"]:
        summaries = [desk.backtests.rows[one].summary or {} for one in (sweep, BACKTEST, walk)]
        assert row["values"] == [one["metrics"][row["name"]] for one in summaries]
    for kind, name in (("sweep", sweep), ("walk-forward", walk), ("backtest", BACKTEST)):
        assert [one["id"] for one in (await get(owner, f"?kind={kind}"))["items"]] == [name]
    for path in ("combinations", "windows", "heat-map"):
        assert (await get(owner, f"/{BACKTEST}/{path}", 409))["code"] == "conflict"


BAD = [
    ({"strategy": "nothing"}, ["strategy"]),
    ({"space": {}}, ["space"]),
    ({"space": {"fast": []}}, ["space.fast"]),
    ({"space": {"quick": [1]}}, ["space.quick"]),
    ({"space": {"fast": [0, 2]}}, ["space.fast"]),
    ({"space": {"fast": {"low": 5, "high": 2}}}, ["space.fast"]),
    ({"space": {"fast": {"low": 1, "high": 5, "step": 0}}}, ["space.fast"]),
    ({"space": {"fast": {"low": 1, "high": 1e300}}}, ["space.fast"]),
    ({"space": {"fast": {"low": -1e308, "high": 1e308, "step": 1e-300}}}, ["space.fast"]),
    ({"space": {"fast": {"low": 0, "high": 5, "log": True}}}, ["space.fast"]),
    ({"space": {"fast": {"low": 1, "high": 400}, "slow": {"low": 2, "high": 900}}}, ["space"]),
    ({"parameters": {"quick": 3}}, ["parameters.quick"]),
    ({"parameters": {"allow_short": "maybe"}}, ["parameters.allow_short"]),
    (
        {"strategy": "rebalanced-weights", "space": {"band": [0.1]}, "parameters": {"weights": "1\0"}},
        ["parameters.weights"],
    ),
    ({"strategy": "rebalanced-weights", "space": {"weights": ["1", "1\0"]}, "parameters": {}}, ["space.weights"]),
    ({"constraints": ["fast is 3"]}, ["constraints"]),
    ({"constraints": ["luck > 3"]}, ["constraints"]),
    ({"objectives": ["luck"]}, ["objectives"]),
    ({"objectives": []}, ["objectives"]),
    ({"method": "guess"}, ["method"]),
    ({"trials": 0}, ["trials"]),
    ({"train": 5}, ["train"]),
    ({"symbols": ["NONE"], "cash": "-1"}, ["cash", "symbols.0"]),
]


@pytest.mark.parametrize(("changes", "fields"), BAD, ids=lambda value: str(value)[:60])
async def test_every_field_at_fault_is_named(
    desk: World, owner: httpx.AsyncClient, changes: dict[str, Any], fields: list[str]
) -> None:
    answer = await owner.post(f"{PATH}/sweeps", json=BODY | changes)
    assert answer.status_code == 422, answer.text
    assert sorted({fault["field"] for fault in answer.json()["errors"]}) == sorted(fields)
    assert list(desk.backtests.rows) == [BACKTEST]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [({}, ["test", "train"]), ({**WALK, "objective": "luck"}, ["objective"]), ({**WALK, "test": 0}, ["test"])],
)
async def test_a_walk_forward_names_its_own(
    owner: httpx.AsyncClient, changes: dict[str, Any], fields: list[str]
) -> None:
    answer = await owner.post(f"{PATH}/walk-forwards", json=BODY | changes)
    assert answer.status_code == 422, answer.text
    assert sorted({fault["field"] for fault in answer.json()["errors"]}) == fields


async def test_what_only_the_search_can_show_ends_as_failed(owner: httpx.AsyncClient) -> None:
    none = await until(owner, await ask(owner, constraints=["trades >= 1000"]), "failed")
    assert "none of 9 combinations qualifies" in none["error"]
    short = await until(owner, await ask(owner, "walk-forwards", train=5000, test=50), "failed")
    assert "too few for one window" in short["error"]


async def test_a_search_that_failed_is_resumed_by_its_id(desk: World, owner: httpx.AsyncClient) -> None:
    none = await until(owner, await ask(owner, constraints=["trades >= 1000"]), "failed")
    assert (desk.research / f"{none['id']}.jsonl").exists()
    again = await owner.post(f"{PATH}/{none['id']}/resume")
    assert (again.status_code, again.json()["id"]) == (202, none["id"])
    assert (again.json()["state"], again.json()["error"], again.json()["finished_at"]) == ("queued", None, None)
    failed = await until(owner, none["id"], "failed")
    assert failed["finished_at"] > none["finished_at"]
    assert (await owner.post(f"{PATH}/{BACKTEST}/resume")).status_code == 409
    assert (await owner.delete(f"{PATH}/{none['id']}")).status_code == 204
    assert not (desk.research / f"{none['id']}.jsonl").exists()
    assert (await owner.post(f"{PATH}/{none['id']}/resume")).status_code == 404


async def test_a_long_search_holds_no_single_backtest_up(desk: World, owner: httpx.AsyncClient) -> None:
    long = await ask(owner, **STUCK)
    await until(owner, long, "running")
    single = await owner.post(PATH, json={"strategy": "buy-and-hold", "symbols": ["STK"]})
    await until(owner, single.json()["id"], "done")
    assert (await get(owner, f"/{long}"))["state"] == "running"
    study = desk.research / f"{long}.jsonl"
    study.touch()
    assert (await owner.delete(f"{PATH}/{long}")).json()["state"] == "cancelled"
    assert not study.exists()


async def test_the_stream_counts_the_combinations(desk: World) -> None:
    async with (
        served(desk) as address,
        await desk.signed_in() as owner,
        await open_stream(desk, address) as stream,
    ):
        await subscribe(stream, "backtests")
        made = await ask(owner)
        told: list[Any] = []
        async with asyncio.timeout(SECONDS):
            while not told or told[-1]["state"] not in ("done", "failed"):
                told.append((await hear(stream, "delta"))["item"])
    assert {one["id"] for one in told} == {made}
    assert list(dict.fromkeys(one["stage"] for one in told)) == [
        None,
        "starting",
        "reading",
        "running",
        "judging",
        "report",
    ]
    counted = [one for one in told if one["stage"] == "running" and one["done"] is not None]
    assert (counted[0]["done"], counted[0]["total"], counted[0]["progress"]) == (0, 9, 0.0)
    assert (counted[-1]["done"], counted[-1]["total"], counted[-1]["progress"]) == (9, 9, 1.0)
    assert counted[-1]["best"].keys() >= {"fast", "slow", "sharpe"}
