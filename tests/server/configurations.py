"""Configurations for the tests of this room: versions in a dictionary, and one of the owner's."""

from collections.abc import Sequence

import msgspec

from evenkeel.desk.ports import User
from evenkeel.domain.configurations import Configuration, Range, Saved
from evenkeel.domain.errors import Conflict
from tests.desk.paging import page

CONFIGURATION = "own-trend"
TREND = Configuration(
    "sma-crossover",
    {"fast": 5, "slow": 20, "allow_short": False},
    {"fast": Range(2, 10, 2)},
    description="My own trend",
)


class MemoryConfigurations:
    """As the table would have them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], list[Saved]] = {}

    async def save(
        self, user_id: str, name: str, *, configuration: Configuration, template_version: str, at: int
    ) -> Saved:
        rows = self.rows.setdefault((user_id, name), [])
        if rows and rows[-1].archived_at is not None:
            raise Conflict(f"{name} was archived")
        if rows and (rows[-1].configuration, rows[-1].template_version) == (configuration, template_version):
            return rows[-1]
        rows.append(Saved(user_id, name, len(rows) + 1, template_version, configuration, at))
        return rows[-1]

    async def find(self, user_id: str, name: str, version: int | None = None) -> Saved | None:
        rows = self.rows.get((user_id, name), [])
        found = rows[-1:] if version is None else [one for one in rows if one.version == version]
        return found[0] if found else None

    async def newest(self, user_id: str) -> Sequence[Saved]:
        held = (rows[-1] for (user, _), rows in sorted(self.rows.items()) if user == user_id and rows)
        return [one for one in held if one.archived_at is None]

    async def versions(
        self, user_id: str, name: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Saved], str | None]:
        return page(self.rows.get((user_id, name), [])[::-1], limit, cursor)

    async def archive(self, user_id: str, name: str, at: int | None) -> bool:
        rows = self.rows.get((user_id, name), [])
        rows[:] = [msgspec.structs.replace(one, archived_at=at) for one in rows]
        return bool(rows)


async def made(owner: User) -> MemoryConfigurations:
    """One configuration of the owner's, in one version."""
    stored = MemoryConfigurations()
    await stored.save(owner.id, CONFIGURATION, configuration=TREND, template_version="1", at=1_700_000_000_000_000_000)
    return stored
