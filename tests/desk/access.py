"""Keys, shares and the audit log in memory, for tests of whatever asks about them."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from evenkeel.desk.keys import ApiKey
from evenkeel.desk.shares import Share
from evenkeel.domain.audit import Entry, Head, Row, chained
from evenkeel.domain.errors import NotReady
from tests.desk.paging import number_of


class MemoryKeys:
    def __init__(self) -> None:
        self.rows: dict[str, ApiKey] = {}
        self.reads = 0

    async def add(self, key: ApiKey) -> None:
        self.rows[key.id] = key

    async def by_prefix(self, prefix: str) -> ApiKey | None:
        self.reads += 1
        return next((one for one in self.rows.values() if one.prefix == prefix), None)

    async def by_id(self, key_id: str) -> ApiKey | None:
        return self.rows.get(key_id)

    async def of_user(self, user_id: str) -> tuple[ApiKey, ...]:
        return tuple(one for one in reversed(self.rows.values()) if one.user_id == user_id)

    async def end(self, key_id: str, *, expires_at: int, revoked_at: int | None) -> None:
        self.rows[key_id] = replace(self.rows[key_id], expires_at=expires_at, revoked_at=revoked_at)

    async def used(self, uses: Iterable[tuple[str, int, str]]) -> None:
        for key_id, at, address in uses:
            self.rows[key_id] = replace(self.rows[key_id], last_used_at=at, last_address=address)


class MemoryShares:
    def __init__(self) -> None:
        self.rows: dict[str, Share] = {}

    async def all(self) -> tuple[Share, ...]:
        return tuple(self.rows.values())

    async def put(self, share: Share) -> None:
        self.rows[share.id] = share

    async def end(self, share_id: str, at: int) -> None:
        self.rows.pop(share_id)


class MemoryAudit:
    """`down` makes it fail as a database that does not answer would."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.down = False

    async def append(self, entries: tuple[Entry, ...]) -> None:
        if self.down:
            raise NotReady("the database does not answer")
        for entry in entries:
            head = Head(self.rows[-1].seq, self.rows[-1].hash) if self.rows else Head()
            self.rows.append(chained(entry, head))

    async def page(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Row], str | None]:
        before = number_of(cursor)
        found = [
            row
            for row in reversed(self.rows)
            if actor in (None, row.actor)
            and action in (None, row.action)
            and subject in (None, row.subject)
            and (start is None or row.at >= start)
            and (end is None or row.at < end)
            and (cursor is None or row.seq < before)
        ]
        return found[:limit], str(found[limit - 1].seq) if len(found) > limit else None
