"""Accounts lent to others: what was lent is theirs to use at once, and no longer when it ends."""

import pytest
from msgspec.structs import replace

from evenkeel.desk.permissions import Permission
from evenkeel.desk.ports import User
from evenkeel.desk.shares import Shares
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from tests.desk.access import MemoryShares
from tests.desk.memory import MemoryUsers


@pytest.fixture
def shares() -> Shares:
    users = MemoryUsers()
    for name in ("ann", "bob", "cyd"):
        users.rows[name] = User(name, name, "trader", "hash", is_active=name != "cyd")
    return Shares(MemoryShares(), users, wall=lambda: 1)


async def test_what_is_lent_is_there_at_once_and_gone_at_once(shares: Shares) -> None:
    told: list[str] = []
    shares.on_change = told.append
    share = await shares.lend("a", "ann", to="bob", permission=Permission.READ)
    assert shares.received("bob") == {"a": Permission.READ}
    assert shares.of("ann") == shares.of("bob") == [share]
    again = await shares.lend("a", "ann", to="BOB", permission=Permission.TRADE)
    assert again.id == share.id
    assert shares.received("bob") == {"a": Permission.TRADE}
    await shares.end("ann", share.id)
    assert (shares.received("bob"), shares.of("bob"), told) == ({}, [], ["bob"] * 3)


async def test_either_side_may_end_it_and_nobody_else(shares: Shares) -> None:
    share = await shares.lend("a", "ann", to="bob", permission=Permission.READ)
    with pytest.raises(NotFound):
        await shares.end("cyd", share.id)
    await shares.end("bob", share.id)
    with pytest.raises(NotFound):
        await shares.end("ann", share.id)


async def test_what_cannot_be_lent(shares: Shares) -> None:
    for permission in (Permission.MANAGE, Permission.SELF, Permission.ADMIN):
        with pytest.raises(InvalidInput):
            await shares.lend("a", "ann", to="bob", permission=permission)
    for name in ("nobody", "cyd", "b\0b"):
        with pytest.raises(InvalidInput):
            await shares.lend("a", "ann", to=name, permission=Permission.READ)
    with pytest.raises(Conflict):
        await shares.lend("a", "ann", to="ann", permission=Permission.READ)


async def test_a_start_reads_what_was_stored(shares: Shares) -> None:
    await shares.lend("a", "ann", to="bob", permission=Permission.REDUCE)
    started = Shares(shares.stored, shares.users)
    await started.load()
    assert started.received("bob") == {"a": Permission.REDUCE}


async def test_what_a_deactivated_owner_has_lent_is_of_no_use_until_they_are_back(shares: Shares) -> None:
    told: list[str] = []
    await shares.lend("a", "ann", to="bob", permission=Permission.TRADE)
    await shares.lend("b", "bob", to="ann", permission=Permission.READ)
    shares.on_change = told.append
    ann = await shares.users.by_id("ann")
    assert ann is not None
    away = replace(ann, is_active=False)
    await shares.users.replace(away)
    shares.person_changed(away)
    shares.person_changed(away)
    assert (dict(shares.received("bob")), dict(shares.received("ann")), told) == ({}, {"b": Permission.READ}, ["bob"])
    started = Shares(shares.stored, shares.users)
    await started.load()
    assert dict(started.received("bob")) == {}
    assert len(started.of("bob")) == 2
    for one in (shares, started):
        one.person_changed(ann)
        assert dict(one.received("bob")) == {"a": Permission.TRADE}
