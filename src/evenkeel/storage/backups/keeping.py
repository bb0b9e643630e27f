"""Which backups are kept: the last one of each of so many days, weeks and months that have one."""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from evenkeel.domain.errors import EvenkeelError
from evenkeel.storage.backups.making import backups_in
from evenkeel.storage.backups.manifest import Backup

SECOND = 10**9


class Policy(Struct, frozen=True):
    """How many days, ISO weeks and months keep their last backup. Periods without one are not counted."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


def kept(times: Sequence[datetime], policy: Policy) -> frozenset[datetime]:
    """Those of these moments (UTC) that are kept; the newest always is."""
    wanted: set[datetime] = set(sorted(times)[-1:])
    periods: tuple[tuple[Callable[[datetime], object], int], ...] = (
        (lambda at: at.date(), policy.daily),
        (lambda at: at.isocalendar()[:2], policy.weekly),
        (lambda at: (at.year, at.month), policy.monthly),
    )
    for period_of, count in periods:
        last: dict[object, datetime] = {}
        for at in sorted(times):
            last[period_of(at)] = at
        wanted.update(sorted(last.values())[max(0, len(last) - count) :])
    return frozenset(wanted)


def prune(folder: Path, policy: Policy) -> tuple[Path, ...]:
    """Removes the backups in a folder that the policy does not keep, and returns them; no file else is touched.

    Raises EvenkeelError where one cannot be removed.
    """
    found = {_made(one): one for one in backups_in(folder)}
    keep, gone = kept(tuple(found), policy), []
    for at, one in found.items():
        if at not in keep:
            _remove(one.path)
            gone.append(one.path)
    return tuple(gone)


def _made(one: Backup) -> datetime:
    return datetime.fromtimestamp(one.manifest.made_at / SECOND, UTC)


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise EvenkeelError(f"{path} cannot be removed: {error.strerror}") from error
