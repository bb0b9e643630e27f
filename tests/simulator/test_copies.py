"""Copy links in every kind of weather: what followers get of their masters; whether a broken copier is found out."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from evenkeel.desk.copytrading import factors, reading
from evenkeel.desk.copytrading.copier import Copier
from evenkeel.domain import copying as d
from evenkeel.domain.commands import TakeCopy
from evenkeel.trading.engine import engine
from evenkeel.trading.engine.copying import reasons, taking
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.turn import Turn
from tests.simulator.dying import Mortal, SmallCopied
from tests.simulator.running import many, quietly, run
from tests.simulator.world import Failed

FIRST, SEEDS, EACH, PARTS = 20_000, 120, 40, 6


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quietly():
        yield


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, EACH))
def test_random_faults_never_double_or_lose_a_copy(first: int) -> None:
    """C1 to C6 of `copywatch` and `copyrest`, and every other invariant for masters and followers beside them."""
    done = many(range(first, first + EACH), copies=True)
    assert done["failures"] == []
    assert done["copies"] > 5 * EACH


def test_a_failure_says_that_there_were_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise AssertionError("the moon is full")

    monkeypatch.setattr("tests.simulator.invariants.check", wrong)
    with pytest.raises(Failed, match=r"python -m tests.simulator --seed 3 --copies$"):
        run(3, copies=True)


def test_the_small_story_is_copied() -> None:
    """Two followers by fills, one by orders: each has taken what the master did, and is flat as that is in the end."""
    world = SmallCopied()
    world.run()
    links = world.copy_watch.links
    assert {name: len(one.copies) > 2 for name, one in links.items()} == {"AF": False, "AG": False, "AH": True}
    assert world.copy_watch.events > 12
    assert all(not leg.held and not leg.wanted for one in links.values() for leg in one.legs.values())


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_turn_while_it_copies(part: int) -> None:
    """F2: before and after every commit, every send and every answer, no copy is lost and none doubled (C1, C2)."""
    whole = SmallCopied()
    whole.run()
    for turn in range(1 + part, whole.turns + 1, PARTS):
        world = SmallCopied(killed_at=turn)
        done = world.run()
        assert done.lives == 2, turn


@pytest.mark.slow
def test_killed_a_hundred_times_in_a_row_while_it_copies() -> None:
    done = Mortal(seed=5, deaths=100, copies=True).run()
    assert done.lives == 101
    assert done.copies > 150


Spoil = Callable[[pytest.MonkeyPatch], None]


def takes_what_it_has_taken(patch: pytest.MonkeyPatch) -> None:
    take = taking.take

    def again(turn: Turn, command: TakeCopy) -> Any:
        outcome = take(turn, command)
        one = turn.state.copying.links.get(command.link_id)
        if one is not None and one.taken == command.source and isinstance(command.event, d.MasterFill):
            one.taken -= 1
            take(turn, command)
        return outcome

    patch.setitem(engine._HANDLERS, TakeCopy, again)


def forgets_what_it_missed(patch: pytest.MonkeyPatch) -> None:
    def from_now_on(self: Copier, *_args: object, **_more: object) -> None:
        self._waiting, self._is_held = [], False

    patch.setattr(Copier, "_go_on", from_now_on)


def copies_however_old(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reasons, "_too_old", lambda *_args, **_more: "")


def opens_while_it_is_paused(patch: pytest.MonkeyPatch) -> None:
    opened = reasons.not_opened

    def anyway(turn: Turn, one: LinkState, **more: Any) -> str:
        why = opened(turn, one, **more)
        return "" if why == "the link is paused" else why

    patch.setattr(taking, "not_opened", anyway)


def serves_one_after_the_other(patch: pytest.MonkeyPatch) -> None:
    def one_by_one(self: Copier, records: Any, first_seq: int) -> None:
        found = reading.commands(self.runner.state, records, first_seq=first_seq, volatility=self.volatility)
        for place, command in enumerate(found):
            self.runner.clock.timeline.after(0.02 * place, lambda one=command: self.runner.post_batch([one]))  # type: ignore[attr-defined]

    patch.setattr(Copier, "_take", one_by_one)


def lets_cancels_be(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(taking, "_changed", lambda *_args, **_more: iter(()))
    patch.setitem(taking._HANDLERS, d.MasterChange, lambda *_args, **_more: iter(()))


def sizes_by_twice_as_much(patch: pytest.MonkeyPatch) -> None:
    factor = factors.factor

    def twice(*args: Any, **more: Any) -> Any:
        size, why = factor(*args, **more)
        return (None if size is None else size * 2), why

    patch.setattr(reading, "factor", twice)


def leaves_out_carries(patch: pytest.MonkeyPatch) -> None:
    copied = d.copied

    def less(held: d.Held, **more: Any) -> d.Copied:
        due = copied(held, **more)
        lot = more["lot"]
        return msgspec.structs.replace(due, open=due.open - lot) if due.open > lot else due

    patch.setattr(d, "copied", less)


@pytest.mark.parametrize(
    ("spoil", "rules"),
    [
        (takes_what_it_has_taken, {"C1", "C2", "C3"}),
        (forgets_what_it_missed, {"C2"}),
        (copies_however_old, {"C6"}),
        (opens_while_it_is_paused, {"C6"}),
        (serves_one_after_the_other, {"C2", "C5"}),
        (lets_cancels_be, {"C2"}),
        (sizes_by_twice_as_much, {"C3"}),
        (leaves_out_carries, {"C4"}),
    ],
)
def test_a_broken_copier_is_found_out(spoil: Spoil, rules: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these faults breaks the rule it should, within some seeds."""
    spoil(monkeypatch)
    for seed in range(120):
        try:
            run(seed, copies=True)
        except Failed as failed:
            words = str(failed).splitlines()[0]
            assert words.removeprefix(f"seed {seed}: ").split(":")[0] in rules, words
            return
    raise AssertionError("nobody noticed")
