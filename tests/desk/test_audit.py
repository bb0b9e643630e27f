"""The trail: written before what is administrative, after the rest; never with a secret; lost to nobody's knowledge."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from evenkeel.desk.audit import Trail, clean
from evenkeel.domain.audit import Entry
from evenkeel.domain.errors import NotReady
from tests.desk.access import MemoryAudit

ENTRY = Entry(at=1, actor="ann", action="change_limits", door="session", request_id="r", subject="a")


@dataclass
class World:
    rows: MemoryAudit
    trail: Trail


@pytest.fixture
def world() -> World:
    rows = MemoryAudit()
    return World(rows, Trail(rows, wall=lambda: 5))


def told(world: World) -> list[tuple[str, str, str]]:
    return [(row.action, row.outcome, row.after) for row in world.rows.rows]


async def test_what_is_administrative_is_written_before_and_after(world: World) -> None:
    async with world.trail.under(ENTRY, firm=True) as asked:
        assert told(world) == [("change_limits", "asked", "")]
        await world.trail.note("ann", "limits.change", subject="a", after={"daily_loss": "0.02"})
        asked.entry = replace(ENTRY, outcome="200")
    assert told(world)[1:] == [("limits.change", "200", '{"daily_loss":"0.02"}')]
    assert world.rows.rows[1].request_id == "r"


async def test_what_cannot_be_written_is_not_done(world: World) -> None:
    world.rows.down, done = True, False
    with pytest.raises(NotReady):
        async with world.trail.under(ENTRY, firm=True):
            done = True
    assert not done
    with pytest.raises(NotReady):
        await world.trail.note("home", "password.set", subject="ann")


async def test_what_reduces_risk_is_done_all_the_same_and_written_soon(world: World) -> None:
    world.rows.down, done = True, False
    async with world.trail.under(ENTRY, firm=False) as asked:
        done = True
        asked.entry = replace(ENTRY, outcome="202")
    await world.trail.settled()
    assert done
    world.rows.down = False
    async with world.trail.under(ENTRY, firm=False) as asked:
        asked.entry = replace(ENTRY, outcome="202")
    await world.trail.settled()
    assert told(world) == [("change_limits", "202", "")]


async def test_a_request_that_fails_says_so(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with world.trail.under(replace(ENTRY, outcome="500"), firm=True):
            raise ZeroDivisionError
    assert [row.outcome for row in world.rows.rows] == ["asked", "500"]


async def test_a_note_without_a_request_is_a_row_of_its_own(world: World) -> None:
    await world.trail.note("home", "password.set", subject="ann", before=None, after={"by": "home"}, address="x")
    [row] = world.rows.rows
    assert (row.actor, row.outcome, row.at, row.door, row.after) == ("home", "done", 5, "home", '{"by":"home"}')


def test_secrets_are_left_out_by_name_and_by_look() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
    given = {
        "password": "hunter2", "new_password": "hunter2", "totp": "hunter2", "api_key": "hunter2", "Secret": "hunter2",
        "nested": [{"access_token": "hunter2", "name": "fine"}], "recovery_codes": ["hunter2"], "code": "hunter2",
        "words": f"evk_0123456789ab_hunter2 and {token} and evs_hunter2hunter2, evw_hunter2hunter2", "passphrase": None,
    }  # fmt: skip
    text = clean(given)
    assert "hunter2" not in text
    assert token not in text
    assert '"name":"fine"' in text
    assert '"passphrase":null' in text
    assert clean(None) == clean({}) == ""


def test_what_is_long_is_cut() -> None:
    assert len(clean({"reason": "x" * 100_000})) < 5_000
