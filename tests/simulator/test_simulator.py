"""Seeds of the simulator, its own determinism, and whether it notices what it is there to notice."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from evenkeel.domain import events as e
from evenkeel.domain.records import Batch
from evenkeel.trading.engine import engine, protection, venue
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.live import runner
from evenkeel.trading.live.runner import Runner
from evenkeel.trading.risk.view import RiskView
from tests.services import ROOT
from tests.simulator.door import Door
from tests.simulator.faults import CHANCES, Fault, Weather
from tests.simulator.running import many, quietly, run
from tests.simulator.timeline import Stuck, Timeline
from tests.simulator.world import Failed, World

SEEDS, EACH = 240, 40


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quietly():
        yield


@pytest.mark.parametrize("first", range(0, SEEDS, EACH))
def test_the_invariants_hold_in_every_world(first: int) -> None:
    """I1, I2, I3, I4, I5, I6, I7, I8, I10, I11 and I12, in every kind of weather: see `invariants` and `observer`."""
    done = many(range(first, first + EACH))
    assert done["failures"] == []
    assert done["fills"] > EACH


def test_every_fault_strikes_sooner_or_later() -> None:
    """So that none of them is there in name only."""
    struck = set(many(range(SEEDS, SEEDS + 2 * EACH))["faults"])
    for fault in CHANCES:
        likely = (seed for seed in range(1_000) if Weather(seed).chances.get(fault, 0.0) > CHANCES[fault] / 2)
        while fault not in struck:
            struck |= run(next(likely)).faults.keys()


def test_a_seed_tells_the_same_story_in_every_process() -> None:
    """Whatever order the interpreter gives to sets: two processes with other hash seeds end in the same hash."""
    said = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulator", "--seed", "16"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": number, "PATH": ""},
        ).stdout
        for number in ("1", "2")
    }
    assert len(said) == 1
    assert "KILLED" in said.pop()


def test_a_fault_can_be_left_out_and_moves_little_of_the_rest() -> None:
    chances, without = Weather(7).chances, Weather(7, [Fault.KILLED, Fault.SPLIT]).chances
    assert without == {fault: chance for fault, chance in chances.items() if fault not in (Fault.KILLED, Fault.SPLIT)}


def test_a_failure_names_its_seed_and_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(world: World, _life: object) -> None:
        raise AssertionError("the moon is full")

    monkeypatch.setattr("tests.simulator.invariants.check", wrong)
    with pytest.raises(Failed, match=r"seed 3: the moon is full\n(.|\n)*python -m tests.simulator --seed 3"):
        run(3)


def test_a_world_in_which_nothing_will_ever_happen_is_no_endless_loop() -> None:
    with pytest.raises(Stuck):
        Timeline(0).step(None)


Spoil = Callable[[pytest.MonkeyPatch], None]


def sends_again_after_a_timeout(patch: pytest.MonkeyPatch) -> None:
    place = Door.place

    async def insist(self: Door, ticket: Any) -> None:
        try:
            await place(self, ticket)
        except Exception:  # noqa: BLE001 - that is the fault
            await place(self, ticket)

    patch.setattr(Door, "place", insist)


def acts_before_the_journal_has_it(patch: pytest.MonkeyPatch) -> None:
    commit = Runner._commit

    async def hasty(self: Runner, records: Any) -> Batch:
        seq, late = self.state.seq, asyncio.ensure_future(commit(self, records))
        await asyncio.sleep(0)
        late.add_done_callback(lambda done: done.cancelled() or done.exception())
        return Batch("user", self.journal.epoch, seq - len(records) + 1, seq, b"", b"")

    patch.setattr(Runner, "_commit", hasty)


def books_by_the_message(patch: pytest.MonkeyPatch) -> None:
    def filled(turn: Turn, event: e.VenueFilled) -> None:
        again = f"{event.execution_id}:{turn.state.seq}"
        venue.filled(turn, msgspec.structs.replace(event, execution_id=again))

    patch.setitem(engine._HANDLERS, e.VenueFilled, filled)


def trades_on_an_unread_link(patch: pytest.MonkeyPatch) -> None:
    def trusting(turn: Turn, event: e.BrokerLink) -> None:
        if event.connected:
            turn.effects.append(WantReconcile(event.account_id, "connected"))

    patch.setitem(engine._HANDLERS, e.BrokerLink, trusting)


def leaves_exits_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(protection, "_adjust", lambda *_args, **_more: None)
    patch.setattr(protection, "_withdraw", lambda *_args: None)


def holds_reductions_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RiskView, "reduces", property(lambda _view: False))


def forgets_what_it_missed(patch: pytest.MonkeyPatch) -> None:
    snapshot = engine._HANDLERS[e.BrokerSnapshot]

    def blind(turn: Turn, event: e.BrokerSnapshot) -> None:
        snapshot(turn, msgspec.structs.replace(event, executions=()))

    patch.setitem(engine._HANDLERS, e.BrokerSnapshot, blind)


def writes_numbers_that_are_not_exact(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runner, "encode", msgspec.msgpack.Encoder(decimal_format="number").encode)


@pytest.mark.parametrize(
    ("spoil", "rules"),
    [
        (sends_again_after_a_timeout, {"I1"}),
        (acts_before_the_journal_has_it, {"I2"}),
        (books_by_the_message, {"I3"}),
        (forgets_what_it_missed, {"I1", "I3", "I5"}),
        (trades_on_an_unread_link, {"I4"}),
        (leaves_exits_alone, {"I6"}),
        (holds_reductions_back, {"I8"}),
        (writes_numbers_that_are_not_exact, {"I11"}),
    ],
)
def test_a_broken_desk_is_found_out(spoil: Spoil, rules: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these faults of a desk breaks the invariant it should, within a few seeds."""
    spoil(monkeypatch)
    for seed in range(60):
        try:
            run(seed)
        except Failed as failed:
            words = str(failed).splitlines()[0]
            assert words.removeprefix(f"seed {seed}: ").split(":")[0] in rules, words
            return
    raise AssertionError("nobody noticed")
