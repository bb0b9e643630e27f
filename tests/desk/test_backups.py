"""The schedule of backups: at its time, caught up where it was slept through, told of where it fails; and keys."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.backups import Backups, Summary, open_keys, seal_keys, seconds_until
from evenkeel.domain.errors import Conflict, EvenkeelError, InvalidInput, SealBroken, Unauthenticated
from evenkeel.domain.events import Noticed
from tests.desk.vault.memory import QUICK

NOW = datetime(2026, 4, 12, 3, 0, tzinfo=UTC)
HOUR = 3600 * 10**9


class Shelf:
    """Counts; the first `failing` backups fail."""

    def __init__(self, *, ages: Sequence[int] = (), failing: int = 0) -> None:
        at = int(NOW.timestamp()) * 10**9
        self.found = [Summary(f"old-{age}", at - age * HOUR, 1, 1, (), has_keys=False) for age in ages]
        self.failing, self.pruned = failing, 0

    def make(self) -> Summary:
        if self.failing:
            self.failing -= 1
            raise EvenkeelError("the disk is full")
        made = Summary("new", int(NOW.timestamp()) * 10**9, 1, 1, (), has_keys=False)
        self.found.insert(0, made)
        return made

    def all(self) -> Sequence[Summary]:
        return tuple(self.found)

    def prune(self) -> int:
        self.pruned += 1
        return 0


def schedule(shelf: Shelf, told: list[Noticed], at: tuple[int, int] | None = (3, 30)) -> Backups:
    return Backups(shelf, told.append, at=at, wall=lambda: int(NOW.timestamp()) * 10**9)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.integers(0, 23), st.integers(0, 59))  # noqa: DTZ001
def test_the_next_time_is_within_a_day_and_at_its_minute(now: datetime, hour: int, minute: int) -> None:
    now = now.replace(tzinfo=UTC)
    wait = seconds_until(now, hour, minute)
    assert 0 < wait <= 86_400
    due = now + timedelta(seconds=wait)
    assert (due.hour, due.minute, due.second, due.microsecond) == (hour, minute, 0, 0)


async def test_one_is_made_at_its_time_and_old_ones_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, waits, slept = Shelf(ages=(20,)), list[float](), asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 1:
            slept.set()
            await asyncio.Event().wait()

    monkeypatch.setattr("evenkeel.desk.backups.asyncio.sleep", sleep)
    found = schedule(shelf, [])
    found.start()
    await slept.wait()
    await found.stop()
    assert waits[0] == 1800
    assert [one.name for one in shelf.found] == ["new", "old-20"]
    assert shelf.pruned == 1


@pytest.mark.parametrize(("ages", "expected"), [((), 0), ((20,), 0), ((26,), 1), ((26, 50), 1)])
async def test_what_was_slept_through_is_caught_up(ages: tuple[int, ...], expected: int) -> None:
    shelf = Shelf(ages=ages)
    found = schedule(shelf, [])
    found.start()
    await asyncio.sleep(0.2)
    await found.stop()
    assert len(shelf.found) == len(ages) + expected


async def test_a_failure_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, told, waits, done = Shelf(failing=3), list[Noticed](), list[float](), asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if shelf.found:
            done.set()
            await asyncio.Event().wait()

    monkeypatch.setattr("evenkeel.desk.backups.asyncio.sleep", sleep)
    found = schedule(shelf, told)
    found.start()
    await done.wait()
    await found.stop()
    assert [(one.level, one.kind) for one in told] == [("critical", "backup-failed")] * 3
    assert "the disk is full" in told[0].message
    assert waits[1:4] == [900, 1800, 3600]


async def test_without_a_time_none_is_made_by_itself_and_one_at_a_time() -> None:
    shelf = Shelf()
    found = schedule(shelf, [], at=None)
    found.start()
    answers = await asyncio.gather(found.make(), found.make(), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Conflict", "Summary"]
    assert any(isinstance(one, Conflict) for one in answers)
    assert len(await found.all()) == 1
    await found.stop()


def test_keys_open_with_their_passphrase_only() -> None:
    sealed = seal_keys(b'{"token_key": "canary"}', "a long passphrase", cost=QUICK)
    assert b"canary" not in sealed
    assert open_keys(sealed, "a long passphrase") == b'{"token_key": "canary"}'
    with pytest.raises(Unauthenticated, match="does not open"):
        open_keys(sealed, "another passphrase")
    for damaged in (b"", b"{}", sealed.replace(b'"salt":"', b'"salt":"zz')):
        with pytest.raises(SealBroken):
            open_keys(damaged, "a long passphrase")
    with pytest.raises(InvalidInput):
        seal_keys(b"", "short")
