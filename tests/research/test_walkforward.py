"""A walk-forward chooses on what lies before, trades what follows, and its record is one backtest of just that."""

from datetime import timedelta
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.search.space import Range
from evenkeel.research.walkforward import WalkForwardResult, walk_forward
from evenkeel.trading.strategies.evaluate import evaluate, fold
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from tests.research.searched import HOW, Every, Peeking, Waiting
from tests.research.worlds import MINUTE, D, walk

BARS = walk(1_000, seed=3, minutes=60)
GRID: dict[str, Any] = {"fast": [2, 4], "slow": [9, 20]}
PLAN: dict[str, Any] = {"train": 300, "test": 100, "grid": GRID}


def edges(result: WalkForwardResult, bars: Bars = BARS) -> list[tuple[int, ...]]:
    ends = np.append(bars.ts, bars.close_ts[-1])
    return [tuple(int(np.searchsorted(ends, at)) for at in (*one.train, *one.test)) for one in result.windows]


def test_windows_roll() -> None:
    result = walk_forward("sma-crossover", BARS, **PLAN, **HOW)
    starts = range(300, 1_000, 100)
    assert edges(result) == [(start - 300, start, start, start + 100) for start in starts]


def test_windows_may_be_anchored_and_keep_a_distance() -> None:
    result = walk_forward("sma-crossover", BARS, anchored=True, embargo=30, **PLAN, **HOW)
    starts = range(330, 1_000, 100)
    wanted = [(0, start - 30, start, min(start + 100, 1_000)) for start in starts]
    assert edges(result) == wanted


def test_a_rest_below_half_a_window_is_left_out() -> None:
    for count, last in ((749, 700), (750, 750)):
        result = walk_forward("sma-crossover", BARS.rows(0, count), **PLAN, **HOW)
        assert edges(result, BARS.rows(0, count))[-1][3] == last


def test_windows_may_be_measured_in_time() -> None:
    days: dict[str, Any] = {"train": timedelta(days=12), "test": timedelta(days=4)}
    result = walk_forward("sma-crossover", BARS, grid=GRID, embargo=timedelta(hours=5), **days, **HOW)
    for window in result.windows:
        assert window.train.end - window.train.start == 12 * 24 * 60 * MINUTE
        assert window.test.start - window.train.end == 5 * 60 * MINUTE
        assert window.test.end - window.test.start <= 4 * 24 * 60 * MINUTE


@pytest.mark.parametrize("engine", ["compiled", "event"])
def test_each_window_has_the_best_of_its_training(engine: Any) -> None:
    """Each combination trades the training window alone, by targets that are known from all history before it."""
    result = walk_forward("sma-crossover", BARS, objective="total_return", engine=engine, **PLAN, **HOW)
    for window, (start, end, *_) in zip(result.windows, edges(result), strict=True):
        by_hand = {}
        for fast, slow in product(GRID["fast"], GRID["slow"]):
            params = Params({"allow_short": False, "fast": fast, "slow": slow})
            targets = evaluate(SmaCrossover(), BARS.rows(0, end), params)
            known = np.append(fold(targets[: start + 1])[-1], targets[start + 1 :])
            by_hand[fast, slow] = ek.backtest(_told(known), BARS.rows(start, end), check=False, **HOW)
        best = max(by_hand, key=lambda one: by_hand[one].total_return)
        assert window.params == {"fast": best[0], "slow": best[1]}
        assert window.in_sample is not None
        assert window.in_sample["total_return"] == pytest.approx(by_hand[best].total_return, abs=1e-12)
        assert window.in_sample["fills"] == len(by_hand[best].fills)
        assert window.tried == 4


@pytest.mark.parametrize("engine", ["compiled", "event"])
def test_a_long_warm_up_costs_training_no_more_than_it_costs_the_test(engine: Any) -> None:
    """On a steady drift one rule earns alike in sample and out, however much of the window its look-back is."""
    drift = np.round(100.0 * 1.0005 ** np.arange(1_300), 2)
    bars = Bars(np.arange(1_300) * 24 * 60 * MINUTE, drift, drift, drift, drift, timeframe="1d")
    how: dict[str, Any] = {**HOW, "size": ek.PercentOfEquity(D(1)), "engine": engine, "objective": "total_return"}
    result = walk_forward("sma-crossover", bars, grid={"fast": [1], "slow": [200]}, train=252, test=252, **how)
    assert result.efficiency == pytest.approx(1.0, abs=0.05)
    assert result.windows[0].params is None  # 200 of its 252 bars have no average yet, and there are none before it
    assert all(window.params is not None for window in result.windows[1:])
    said = " ".join(result.result.summary()["warnings"])
    assert "nothing was held in 1 of 4 windows" in said
    assert "in 1 of 4 windows some combinations could not be chosen" in said


def _told(known: Any) -> type[ek.SignalStrategy]:
    class Known(ek.SignalStrategy):
        name = "known"

        def warmup(self, params: Params) -> int:
            return 0

        def signals(self, bars: Bars, params: Params) -> Any:
            return known[: len(bars)]

    return Known


def reference(result: WalkForwardResult, **how: Any) -> BacktestResult:
    """The same record by hand: targets of each window from all that is known by then, run as one."""
    pieces = []
    for window, (_, _, start, end) in zip(result.windows, edges(result), strict=True):
        params = Params({"allow_short": False, **(window.params or {})})
        targets = evaluate(SmaCrossover(), BARS.rows(0, end), params)
        pieces.append(np.append(fold(targets)[start], targets[start + 1 : end]))
    first, last = edges(result)[0][2], edges(result)[-1][3]
    return ek.backtest(_told(np.concatenate(pieces)), BARS.rows(first, last), check=False, **how)


@settings(max_examples=10)
@given(
    test=st.integers(40, 300),
    fill=st.sampled_from(["next-open", "close"]),
    size=st.sampled_from([10, ek.PercentOfEquity(D("0.9"))]),
)
def test_the_record_is_one_backtest_of_all_windows(test: int, fill: str, size: Any) -> None:
    how = {**HOW, "fill": fill, "size": size, "fees": ek.PercentFee("0.0005")}
    result = walk_forward("sma-crossover", BARS, grid=GRID, train=300, test=test, **how)
    by_hand = reference(result, **how)
    assert result.result.equity.tolist() == pytest.approx(by_hand.equity.tolist(), abs=0.005)
    assert result.result.fills.to_polars().equals(by_hand.fills.to_polars())
    assert result.result.metrics == by_hand.metrics
    assert (result.result.strategy, result.result.params) == ("sma-crossover", {})


def test_the_future_changes_nothing_before_it() -> None:
    """Other prices from bar 800 on leave the windows before it, and the record up to it, as they were."""
    factor = np.where(np.arange(len(BARS)) < 800, 1.0, 3.0)
    prices = {name: getattr(BARS, name) * factor for name in ("open", "high", "low", "close")}
    one, other = (walk_forward("sma-crossover", bars, **PLAN, **HOW) for bars in (BARS, BARS.replaced(**prices)))
    assert one.windows[:5] == other.windows[:5]
    assert one.result.equity[:500].tolist() == other.result.equity[:500].tolist()
    assert one.result.equity[-1] != other.result.equity[-1]


def test_the_event_engine_gives_the_same_record() -> None:
    how = {**HOW, "size": 10}
    one, other = (walk_forward("sma-crossover", BARS, engine=engine, **PLAN, **how) for engine in ("compiled", "event"))
    assert [window.params for window in one.windows] == [window.params for window in other.windows]
    assert one.result.equity.tolist() == pytest.approx(other.result.equity.tolist(), abs=0.005)
    assert other.result.engine == "event"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_and_workers_change_nothing(tmp_path: Path, workers: int) -> None:
    whole = walk_forward("sma-crossover", BARS, **PLAN, **HOW)
    study = tmp_path / "study.jsonl"
    for kept in (None, 12):
        if kept is not None:
            study.write_text("".join(study.read_text().splitlines(keepends=True)[:kept]))
        again = walk_forward("sma-crossover", BARS, study=study, workers=workers, **PLAN, **HOW)
        assert again.windows == whole.windows
        assert len(study.read_text().splitlines()) == 1 + 7 * 4


@pytest.mark.parametrize(
    "method",
    [
        "random",
        pytest.param("tpe", marks=pytest.mark.skipif(find_spec("optuna") is None, reason="Optuna is not installed")),
    ],
)
def test_windows_may_be_searched(method: Any) -> None:
    space = {"fast": Range(2, 8), "slow": Range(9, 30)}
    told: list[tuple[int, int]] = []
    result = walk_forward(
        "sma-crossover", BARS, space=space, method=method, trials=10, train=400, test=300,
        progress=lambda done, total, _: told.append((done, total)), **HOW,
    )  # fmt: skip
    assert [one.tried <= 10 for one in result.windows] == [True, True]
    assert told[-1] == (20, 20)


def test_a_window_where_nothing_qualifies_stays_flat() -> None:
    result = walk_forward("sma-crossover", BARS, constraints=["trades >= 1000"], **PLAN, **HOW)
    assert {one.params for one in result.windows} == {None}
    assert len(result.result.fills) == 0
    assert result.efficiency is None
    assert result.consistency == 0.0
    mixed = walk_forward(Waiting, BARS, grid={"period": [1, 2]}, train=300, test=300, **HOW)
    assert [one.params for one in mixed.windows] == [{"period": 1}] * 2


def test_strategies_that_place_orders_run_window_by_window() -> None:
    how = {**HOW, "fees": ek.PercentFee("0.001"), "size": 1}
    result = walk_forward(Every, BARS, grid={"n": [3, 7]}, objective="total_return", train=300, test=100, **how)
    record = result.result
    assert len(record.equity) == 700
    assert record.outcome.positions[0, 99::100].tolist() == [0.0] * 7
    assert record.equity[-1] == record.outcome.cash[-1]
    cash = 1_000_000.0
    for window, end in zip(result.windows, range(100, 701, 100), strict=True):
        bars = BARS.between(*window.test)
        alone = ek.backtest(Every, bars, params=window.params, **{**how, "cash": cash})
        held = float(alone.outcome.positions[0, -1])
        cash = alone.final_equity - held * float(bars.close[-1]) * 0.001
        assert record.equity[end - 1] == pytest.approx(cash, abs=1e-6)
    fills = record.fills
    paid = np.sum(fills.side * fills.quantity * fills.price) + np.sum(fills.fee)
    assert record.final_equity == pytest.approx(1_000_000.0 - paid, abs=1e-6)
    assert "every window began flat" in record.outcome.notes[0]


def test_several_instruments_walk_together() -> None:
    both = {"A": walk(400, seed=1, name="A"), "B": walk(400, seed=2, name="B")}
    result = walk_forward("sma-crossover", both, grid=GRID, train=150, test=100, **HOW)
    assert result.result.outcome.positions.shape == (2, 250)


def test_efficiency_is_the_rate_outside_over_the_rate_inside() -> None:
    rise = np.linspace(1.0, 2.0, len(BARS))
    rising = BARS.replaced(**{name: getattr(BARS, name) * rise for name in ("open", "high", "low", "close")})
    result = walk_forward("sma-crossover", rising, objective="total_return", **PLAN, **HOW)
    inside = sum(one.in_sample["total_return"] or 0.0 for one in result.windows if one.in_sample) / 300
    outside = sum(one.out_of_sample["total_return"] or 0.0 for one in result.windows) / 100
    assert inside > 0
    assert result.efficiency == pytest.approx(outside / inside)
    gains = [(one.out_of_sample["total_return"] or 0.0) > 0 for one in result.windows]
    assert result.consistency == sum(gains) / 7


def test_a_frame_has_a_row_a_window() -> None:
    result = walk_forward("sma-crossover", BARS, metrics=["sharpe"], **PLAN, **HOW)
    frame = result.to_frame()
    assert frame.columns == [
        "train_start", "train_end", "test_start", "test_end", "fast", "slow", "tried",
        "in_sharpe", "in_total_return", "out_sharpe", "out_total_return",
    ]  # fmt: skip
    assert frame.schema["train_start"] == pl.Datetime("ns", "UTC")
    assert frame["train_start"].dt.timestamp("ns").to_list()[0] == BARS.ts[0]
    assert "7 windows" in repr(result)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"train": 0}, "train: expected"),
        ({"test": 1.5}, "test: expected"),
        ({"embargo": -1}, "embargo: expected"),
        ({"train": 990}, "too few for one window"),
        ({"train": timedelta(days=400)}, "too few for one window"),
        ({"space": GRID}, "either a grid"),
        ({"grid": None}, "either a grid"),
        ({"objective": "fills"}, "neither more nor less"),
        ({"anchord": True}, "no option 'anchord'"),
    ],
)
def test_what_cannot_be_walked_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        walk_forward("sma-crossover", BARS, **{**PLAN, **HOW, **more})


def test_a_strategy_that_looks_ahead_is_refused() -> None:
    with pytest.raises(InvalidInput, match="looks ahead"):
        walk_forward(Peeking, BARS, grid={"period": [1, 2]}, train=300, test=100, **HOW)
