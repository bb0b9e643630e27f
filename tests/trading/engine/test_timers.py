"""Moments at which something is due: kept in order, run once each, and never left where they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.events import TimersDue
from evenkeel.trading.engine import timers
from evenkeel.trading.engine.timers import NEVER, Timers
from evenkeel.trading.engine.turn import Turn
from tests.trading.engine.world import World

moves = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9) | st.none()), max_size=30)


@given(moves, st.integers(0, 9))
def test_the_next_is_the_earliest_whatever_was_set_and_dropped(steps: list[tuple[str, int | None]], now: int) -> None:
    kept, plain = Timers(), dict[str, int]()
    for name, moment in steps:
        if moment is None:
            kept.drop("order", name)
            plain.pop(name, None)
        else:
            kept.set("order", name, moment)
            plain[name] = moment
    assert kept.next == min(plain.values(), default=NEVER)
    assert {name for _, name in kept.due(now)} == {name for name, moment in plain.items() if moment <= now}
    moments = [kept[key] for key in kept.due(now)]
    assert moments == sorted(moments)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a handler of kind `test` was run for; it drops each."""
    seen: list[str] = []

    def handle(turn: Turn, name: str) -> None:
        seen.append(name)
        turn.state.timers.drop("test", name)

    monkeypatch.setitem(timers.HANDLERS, "test", handle)
    return seen


def test_what_is_due_is_done_once_by_a_slice_or_a_notice(done: list[str]) -> None:
    world = World()
    world.state.timers.set("test", "late", world.now + 5)
    world.state.timers.set("test", "soon", world.now + 2)
    world.step(TimersDue(), world.now + 1)
    assert done == []
    world.step(TimersDue(), world.now + 1)
    assert done == ["soon"]
    world.price(next(iter(world.state.instruments.values())), 10.0, day=1)
    assert done == ["soon", "late"]
    assert world.state.timers.next == NEVER


def test_a_handler_that_leaves_its_moment_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setitem(timers.HANDLERS, "test", lambda turn, name: None)
    world.state.timers.set("test", "stuck", world.now)
    with pytest.raises(AssertionError, match="is due still"):
        world.step(TimersDue())
