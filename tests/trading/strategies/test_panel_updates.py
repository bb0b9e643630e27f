"""`update` of strategies of several instruments: what it decides moment by moment is what all moments together tell."""

from itertools import chain
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import DeployRequest, HostFault, Parameter, Params, Registry, StrategyHost, whole
from evenkeel.trading.strategies.base import PanelStrategy
from evenkeel.trading.strategies.checks import examine
from evenkeel.trading.strategies.evaluate import decided, lookback_of, rebalances_of, stepped
from evenkeel.trading.strategies.panel_runner import PanelRunner
from tests.trading.strategies.panels import Strongest, gappy
from tests.trading.strategies.test_panel_live import deployment, slices_of

SHARES = st.floats(0.01, 1.0)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, int, dict[str, Scalar]]:
    """(template, number of instruments, parameters)."""
    name = draw(st.sampled_from(["pairs", "cross-sectional-momentum", "rebalanced-weights"]))
    if name == "pairs":
        entry = draw(st.floats(0.6, 2.0))
        leave, stop = draw(st.floats(0.0, 0.5)), entry + draw(st.floats(0.1, 2.0))
        return name, 2, {"window": draw(st.integers(3, 40)), "entry": entry, "exit": leave, "stop": stop}
    count = draw(st.integers(2, 5))
    if name == "rebalanced-weights":
        every = draw(st.sampled_from(["day", "week", "month", "quarter", "year", "never"]))
        return name, count, {"every": every, "band": draw(st.sampled_from([0.0, 0.003, 0.02, 0.1]))}
    lookback = draw(st.integers(2, 40))
    ranked: dict[str, Scalar] = {
        "lookback": lookback,
        "skip": draw(st.integers(0, lookback - 1)),
        "every": draw(st.integers(1, 30)),
    }
    return name, count, ranked | {"top": draw(SHARES), "bottom": draw(SHARES), "allow_short": draw(st.booleans())}


@settings(max_examples=120, deadline=None)
@given(case=cases(), seed=st.integers(0, 10_000), length=st.integers(1, 160), missing=st.floats(0.0, 0.6), at=st.data())
def test_step_by_step_it_decides_what_all_moments_tell(
    case: tuple[str, int, dict[str, Scalar]], seed: int, length: int, missing: float, at: Any
) -> None:
    """Begun at any moment, with all before it, and gone on from there with the warm-up alone."""
    name, count, values = case
    strategy, params = Registry().create(name), Registry().resolve(name, values)
    assert isinstance(strategy, PanelStrategy)
    panel = Panel.of(gappy(length, count, seed, missing=missing))
    begin = at.draw(st.integers(0, len(panel) - 1))
    state, found = None, []
    later = panel.windows(lookback_of(strategy, params, "1d") + 1, begin + 1)
    for recent in chain((panel.rows(0, begin + 1),), later):
        state, targets, is_due = stepped(strategy, state, recent, params)
        found.append((*targets, is_due))
    whole_of = decided(strategy, panel, params)
    told = np.array(found, dtype=np.float64)[:, : whole_of.shape[1]]
    np.testing.assert_allclose(told, whole_of[begin:], rtol=0, atol=1e-9)
    if rebalances_of(strategy, panel, params) is None:
        assert not any(row[-1] for row in found)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 30), start=st.integers(0, 50), missing=st.floats(0.0, 0.8))
def test_windows_are_the_rows_of_a_panel(seed: int, count: int, start: int, missing: float) -> None:
    panel = Panel.of(gappy(40, 3, seed, missing=missing)).rows(3)
    found = list(panel.windows(count, start))
    assert len(found) == max(0, len(panel) - start)
    for row, part in enumerate(found, start):
        same = panel.rows(max(0, row + 1 - count), row + 1)
        for name in ("close_ts", "opened", "close", "volume", "before"):
            np.testing.assert_array_equal(getattr(part, name), getattr(same, name))
        np.testing.assert_array_equal(part.last_close(), same.last_close())


class CountsOn(Strongest):
    """Decides at every seventh moment, by what it counts."""

    name = "counts-on"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("back", 5, 1, 100),)

    def signals(self, bars: Panel, params: Params) -> Floats:
        return np.where(np.arange(len(bars))[:, None] % 7 == 0, super().signals(bars, params), np.nan)

    def update(self, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
        row = len(recent) - 1 if state is None else int(state) + 1
        told = super().signals(recent, params)[-1]
        return str(row).encode(), told if row % 7 == 0 else np.full_like(told, np.nan), False


class CountsFromItsCall(CountsOn):
    """Right from the first moment on, and wrong where it is first asked in the middle of a history."""

    name = "counts-from-its-call"

    def update(self, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
        return super().update(b"-1" if state is None else state, recent, params)


class Answers(CountsOn):
    name = "answers"
    answer: ClassVar[tuple[Any, Any]] = (b"", 0.0)

    def update(self, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
        return (*self.answer, False)


def test_the_check_proves_it() -> None:
    params = Params(back=5)
    good = examine(CountsOn(), params)
    assert (good.path_dependent, good.faults) == (True, ())
    wrong = examine(CountsFromItsCall(), params)
    assert wrong.first_wrong_update_bar is not None
    assert "`update` and `signals` disagree" in wrong.faults[0]


@pytest.mark.parametrize("answer", [("text", np.zeros(3)), (b"", np.zeros(2)), (b"", 0.0), (b"", np.array(["a"] * 3))])
def test_what_is_no_answer_is_refused(answer: tuple[Any, Any]) -> None:
    strategy = type("Answering", (Answers,), {"answer": answer})()
    with pytest.raises(InvalidInput, match=r"answers.update answered .*expected bytes and 3 numbers or NaN"):
        stepped(strategy, None, Panel.of(gappy(20)), Params(back=5))


def test_a_target_out_of_range_is_refused() -> None:
    strategy = type("Answering", (Answers,), {"answer": (b"", np.array([0.0, 1.5, 0.0]))})()
    with pytest.raises(InvalidInput, match="targets lie in -1 to 1"):
        stepped(strategy, None, Panel.of(gappy(20)), Params(back=5))


def test_live_it_keeps_what_it_looks_at() -> None:
    lines = gappy(400, 3)
    host = StrategyHost(Registry((CountsOn,)))
    assert host.deploy(DeployRequest(deployment("counts-on", lines, {"back": 5}))) == []
    outputs = [output for one in slices_of(lines) for output in host.on_slice(one)]
    assert not any(isinstance(one, HostFault) for one in outputs)
    runner = host._runners["d"]
    assert isinstance(runner, PanelRunner)
    assert {len(window) for window in runner._windows.values()} == {7}
