"""Death at every await point of a small story, one after the other, and two hundred deaths in a row in a large one."""

from collections.abc import Iterator

import pytest

from evenkeel.domain.orders import OrderState
from tests.simulator.dying import Mortal, Small
from tests.simulator.running import quietly

PARTS = 6


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quietly():
        yield


def test_the_small_story_has_one_of_each() -> None:
    """An order that fills, one that is changed and cancelled, a strategy's with its exits, and a panic that ends."""
    world = Small()
    done = world.run()
    states = [order.state for order in world.observer.orders.values()]
    assert states.count(OrderState.FILLED) >= 4
    assert states.count(OrderState.CANCELLED) >= 2
    assert world.observer.alerts["panic-done"] == 1
    assert (done.lives, done.faults) == (1, {})


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_turn_of_a_small_story(part: int) -> None:
    """F2: before and after every commit, every send and every answer, nothing is lost and nothing doubled (I1, I2)."""
    whole = Small()
    whole.run()
    assert whole.turns > 300
    for turn in range(1 + part, whole.turns + 1, PARTS):
        world = Small(killed_at=turn)
        done = world.run()
        assert done.lives == 2, turn


@pytest.mark.slow
def test_killed_two_hundred_times_in_a_row() -> None:
    """One world, one journal, a trader who never stops: each process dies at a turn that nobody knows before."""
    done = Mortal(seed=5, deaths=200).run()
    assert done.lives == 201
    assert done.records > 2_000
