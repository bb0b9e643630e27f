"""Backups of a home: where they lie, what is kept of them, and when they are made while the desk runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evenkeel import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evenkeel.desk.backups import Backups, Summary
    from evenkeel.domain.events import Noticed
    from evenkeel.settings import Settings
    from evenkeel.storage.backups.manifest import Backup
    from evenkeel.storage.database import Database


class HomeShelf:
    """Implements the desk's `Shelf` on a folder. `server_keys` are the fingerprints that a backup needs."""

    def __init__(self, database: Database, settings: Settings, server_keys: tuple[str, ...]) -> None:
        from evenkeel.storage.backups.keeping import Policy
        from evenkeel.storage.backups.making import FOLDER

        self.folder = Path(settings.backup_folder or database.home / FOLDER)
        self._database, self._keys = database, server_keys
        self._policy = Policy(settings.backup_daily, settings.backup_weekly, settings.backup_monthly)

    def make(self) -> Summary:
        from evenkeel.storage.backups.making import make

        return _shown(make(self._database, self.folder, version=__version__, server_keys=self._keys))

    def all(self) -> Sequence[Summary]:
        from evenkeel.storage.backups.making import backups_in

        return tuple(map(_shown, backups_in(self.folder)))

    def prune(self) -> int:
        from evenkeel.storage.backups.keeping import prune

        return len(prune(self.folder, self._policy))


def backups_of(
    database: Database,
    settings: Settings,
    server_keys: tuple[str, ...],
    post: Callable[[Noticed], None],
    *,
    scheduled: bool,
) -> Backups:
    """`post` tells of one that failed. `scheduled`: made by themselves at the settings' time, else only when asked."""
    from evenkeel.desk.backups import Backups

    hour, _, minute = settings.backup_time.partition(":")
    at = (int(hour), int(minute)) if scheduled and settings.backup_time else None
    return Backups(HomeShelf(database, settings, server_keys), post, at=at)


def _shown(backup: Backup) -> Summary:
    from evenkeel.desk.backups import Summary

    told = backup.manifest
    return Summary(backup.path.name, told.made_at, told.size, told.records, told.server_keys, told.has_keys)
