"""The journal of every release still decodes, still chains, and still folds to the figures it folded to then."""

import typing
from pathlib import Path

import msgspec
import pytest

from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.records import GENESIS, AnyRecord, Batch, OrderMoved, chain_hash, decode
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.state import State
from tests.trading.engine.make_journal import HERE, figures, life, main
from tests.trading.engine.world import assert_sound

JOURNALS = sorted(HERE.glob("*.journal"))


def read(path: Path) -> list[Batch]:
    return msgspec.msgpack.decode(path.read_bytes(), type=list[Batch])


def folded(batches: list[Batch]) -> State:
    state = State()
    for batch in batches:
        assert batch.first_seq == state.seq + 1
        for record in decode(batch.body):
            apply(state, record)
        assert batch.last_seq == state.seq
    return state


def test_the_first_release_left_one() -> None:
    assert [path.stem for path in JOURNALS][:1] == ["0.1.0"]


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_it_folds_to_its_figures(path: Path) -> None:
    pinned = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    found = msgspec.json.decode(msgspec.json.encode(figures(folded(read(path)))))
    assert found == pinned


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_its_chain_holds(path: Path) -> None:
    prev = GENESIS
    for batch in read(path):
        assert batch.prev_hash == prev
        prev = chain_hash(batch)


def test_the_first_release_wrote_every_type_of_record_there_was() -> None:
    types = {type(record) for batch in read(HERE / "0.1.0.journal") for record in decode(batch.body)}
    assert len(types) == 20
    assert types <= set(typing.get_args(AnyRecord))


def test_the_script_writes_every_type_of_record_there_is() -> None:
    world = life()
    assert {type(record) for record in world.records} == set(typing.get_args(AnyRecord))
    assert_sound(world)


def test_the_figures_say_something() -> None:
    pinned = msgspec.json.decode((HERE / "0.1.0.json").read_bytes())
    main_account = pinned["accounts"]["A"]
    assert main_account["positions"]["trend ACME"][0] == "468"
    assert main_account["positions"]["unassigned ACME"][0] == "-71"
    assert len(pinned["orders"]) == 10


def test_what_exists_is_not_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    before = (HERE / "0.1.0.journal").read_bytes()
    assert main(["0.1.0"]) == 1
    assert "not written again" in capsys.readouterr().err
    assert (HERE / "0.1.0.journal").read_bytes() == before


def test_a_record_that_does_not_fit_is_a_corrupt_journal() -> None:
    stray = OrderMoved(at=1, order_id="nobody", event="ACCEPT", state="ACCEPTED")  # type: ignore[arg-type]
    with pytest.raises(JournalCorrupt, match=r"record 1 .*nobody"):
        apply(State(), stray)
