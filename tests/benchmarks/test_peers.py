"""What other programs found on the same bars and rule, recorded with version and day, is what ours finds."""

import json
import tomllib
from typing import Any

import pytest

import evenkeel as ek
from benchmarks.own import OwnByBar
from benchmarks.peers import compare
from benchmarks.peers.compare import PINS, Side, agreeing, figures, peers, ratios
from benchmarks.peers.recorded import RECORDED, Recorded
from benchmarks.workload import Found, agreed, cross, reference, terms, walk
from tests.services import ROOT

SHORT = [one for one in RECORDED if one.bars <= 50_000 and one.peer == "backtesting"]


def label(one: Recorded) -> str:
    return f"{one.peer}-{one.version}-{one.date}-seed-{one.seed}-bars-{one.bars}"


@pytest.mark.parametrize("one", RECORDED, ids=label)
def test_the_compiled_engine_finds_what_the_peer_found(one: Recorded) -> None:
    bars, expected = walk(one.bars, one.seed), Found(one.final_equity, one.fills)
    agreed(cross().run(bars), expected)
    agreed(cross().run(bars, own=True), expected)


@pytest.mark.parametrize("one", SHORT, ids=label)
def test_the_event_driven_engine_finds_what_the_peer_found(one: Recorded) -> None:
    bars, expected = walk(one.bars, one.seed), Found(one.final_equity, one.fills)
    agreed(ek.backtest(OwnByBar, bars, **terms() | {"engine": "event"}), expected)


@pytest.mark.parametrize("one", SHORT, ids=label)
def test_the_plain_reference_finds_what_the_peer_found(one: Recorded) -> None:
    found = reference(cross(), walk(one.bars, one.seed))
    assert (round(found.final_equity, 2), found.fills) == (round(one.final_equity, 2), one.fills)


def test_what_is_recorded_is_of_the_pinned_versions() -> None:
    pinned = dict(pin.replace("[rust]", "").split("==") for pin in PINS)
    assert {(one.peer, one.version) for one in RECORDED} == {
        (name, pinned[name]) for name in ("vectorbt", "backtesting")
    }


def test_no_peer_is_a_requirement_of_ours() -> None:
    locks = [*ROOT.glob("requirements/*"), ROOT / "pyproject.toml"]
    named = [
        lock.name for lock in locks if any(peer in lock.read_text().lower() for peer in ("vectorbt", "backtesting"))
    ]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"] == "evenkeel"
    assert named == []


def test_without_peers_ours_run_against_what_is_recorded() -> None:
    found = peers(bars=20_000, repeat=1, rounds=1)
    assert found["result"]["all_sides_equal"]
    assert found["recorded_and_equal"] == ["vectorbt 1.2.0 on 2026-11-26", "backtesting 0.6.6 on 2026-11-26"]
    assert set(found["sides"]) == {"evenkeel built_in", "evenkeel own", "evenkeel by_bar"}
    assert found["times_ours"] == {}
    json.dumps(found)


def test_a_record_that_differs_is_said() -> None:
    one = RECORDED[0]
    with pytest.raises(RuntimeError, match=f"ours, against {one.peer} {one.version}"):
        agreeing(one.seed, one.bars, Found(one.final_equity + 0.01, one.fills))
    with pytest.raises(RuntimeError, match="expected"):
        agreeing(one.seed, one.bars, Found(one.final_equity, one.fills + 1))


def test_a_side_that_fails_says_why(tmp_path: Any) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)evenkeel built_in failed.*FileNotFoundError"):
        compare.run(Side("evenkeel", "built_in"), None, tmp_path / "missing.npz", repeat=1)


def runs(*medians: float) -> list[dict[str, Any]]:
    said = {"version": "1", "final_equity": 1.0, "fills": 2, "import_s": 0.5, "first_s": 1.0}
    return [said | {"min_ms": ms / 2, "median_ms": ms, "cpu_min_ms": ms / 4, "cpu_median_ms": ms / 2} for ms in medians]


def test_ratios_compare_round_with_round() -> None:
    theirs, ours = Side("slow", "", "evenkeel"), Side("evenkeel")
    found = ratios({ours: runs(1.0, 2.0, 4.0), theirs: runs(10.0, 10.0, 12.0)})
    assert found == {
        "slow / evenkeel": {
            "min_ms": 10.0,
            "median_ms": 5.0,
            "cpu_min_ms": 10.0,
            "cpu_median_ms_lowest_round": 3.0,
            "cpu_median_ms_highest_round": 10.0,
        }
    }
    assert figures(runs(1.0, 2.0, 4.0))["median_ms"] == 2.0
