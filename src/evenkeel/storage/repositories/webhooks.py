"""People's webhooks and the log of their deliveries, each query bound to its person or its webhook."""

import unicodedata
from collections.abc import Iterable, Sequence

from msgspec import convert, to_builtins
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import Conflict
from evenkeel.domain.webhooks import TAKEN, Delivery, Webhook
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import page, reading
from evenkeel.storage.tables.webhooks import webhook_deliveries as log
from evenkeel.storage.tables.webhooks import webhooks as table

_TAKEN = tuple(str(one) for one in TAKEN)


class StoredWebhooks:
    """Implements the desk's `WebhookStore`. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)

    async def all(self, user_id: str) -> tuple[Webhook, ...]:
        """A person's webhooks, by name."""
        query = select(table).where(table.c.user_id == user_id).order_by(table.c.name_key)
        async with reading(self._engine) as connection:
            return tuple(map(_read, (await connection.execute(query)).mappings().all()))

    async def find(self, user_id: str, webhook_id: str) -> Webhook | None:
        return await self._one(_of(user_id, webhook_id))

    async def by_hash(self, token_hash: str) -> Webhook | None:
        return await self._one(table.c.token_hash == token_hash)

    async def _one(self, where: ColumnElement[bool]) -> Webhook | None:
        async with reading(self._engine) as connection:
            row = (await connection.execute(select(table).where(where))).mappings().first()
        return _read(row) if row is not None else None

    async def add(self, one: Webhook) -> None:
        """Raises Conflict for a name that is taken."""
        async with reading(self._writing) as connection:
            try:
                await connection.execute(insert(table).values(_row(one)))
            except IntegrityError as error:
                raise _taken(one.name) from error

    async def replace(self, one: Webhook, *, known: Webhook) -> None:
        """Writes a webhook over what was read of it. Raises Conflict where another request has changed it meanwhile,
        or the name is taken."""
        unchanged = table.c.updated_at == known.updated_at
        query = update(table).where(_of(one.user_id, one.id), unchanged).values(_row(one))
        async with reading(self._writing) as connection:
            try:
                done = await connection.execute(query)
            except IntegrityError as error:
                raise _taken(one.name) from error
        if not done.rowcount:
            raise Conflict(f"{one.name} was changed by another request at this moment", hint="Try again.")

    async def remove(self, user_id: str, webhook_id: str) -> bool:
        """Forgets a webhook and its log; whether there was one."""
        mine = (log.c.user_id == user_id) & (log.c.webhook_id == webhook_id)
        async with reading(self._writing) as connection:
            await connection.execute(delete(log).where(mine))
            return bool((await connection.execute(delete(table).where(_of(user_id, webhook_id)))).rowcount)

    async def log(self, one: Delivery) -> None:
        async with reading(self._writing) as connection:
            await connection.execute(insert(log).values(asdict(one)))

    async def settle(self, one: Delivery) -> None:
        """What was made of a delivery that was logged when it came."""
        names = ("client_order_id", "decision", "order_id", "reason", "answer")
        values = {name: getattr(one, name) for name in names}
        async with reading(self._writing) as connection:
            await connection.execute(update(log).where(log.c.id == one.id).values(values))

    async def prior(self, webhook_id: str, key: str, *, since: int, until: int) -> Delivery | None:
        """The last delivery of an alert that was taken, from `since` to `until` (ns)."""
        same = (log.c.webhook_id == webhook_id) & (log.c.key == key) & log.c.received_at.between(since, until)
        query = select(log).where(same, log.c.decision.in_(_TAKEN)).order_by(log.c.received_at.desc()).limit(1)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().first()
        return _delivery(row) if row is not None else None

    async def latest(self, webhook_id: str, instrument_id: str) -> int | None:
        """The newest timestamp (ns) of the alerts about an instrument that were taken."""
        about = (log.c.webhook_id == webhook_id) & (log.c.instrument_id == instrument_id)
        query = select(func.max(log.c.sent_at)).where(about, log.c.decision.in_(_TAKEN))
        async with reading(self._engine) as connection:
            found: int | None = (await connection.execute(query)).scalar_one()
        return found

    async def deliveries(
        self, webhook_id: str, *, decisions: Iterable[str] = (), limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Delivery], str | None]:
        """The newest first; of some decisions only, where those are named."""
        query = select(log).where(log.c.webhook_id == webhook_id)
        wanted = tuple(decisions)
        if wanted:
            query = query.where(log.c.decision.in_(wanted))
        async with reading(self._engine) as connection:
            rows, after = await page(connection, query, (log.c.received_at, log.c.id), limit=limit, cursor=cursor)
        return tuple(map(_delivery, rows)), after

    async def prune(self, before: int, *, untaken: int) -> int:
        """Forgets deliveries from before a moment (ns), and of those that came to nothing all but the
        newest of each webhook, so many: whoever has a token cannot fill the disk. How many there were."""
        idle = log.c.decision.not_in(_TAKEN)
        many = select(log.c.webhook_id).where(idle).group_by(log.c.webhook_id).having(func.count() > untaken)
        async with reading(self._writing) as connection:
            gone = (await connection.execute(delete(log).where(log.c.received_at < before))).rowcount
            for webhook_id in (await connection.execute(many)).scalars().all():
                these = idle & (log.c.webhook_id == webhook_id)
                last = (
                    select(log.c.received_at).where(these).order_by(log.c.received_at.desc()).offset(untaken).limit(1)
                )
                older = log.c.received_at <= last.scalar_subquery()
                gone += (await connection.execute(delete(log).where(these, older))).rowcount
        return gone


def _taken(name: str) -> Conflict:
    return Conflict(f"there is already a webhook {name!r}", hint="Choose another name.")


def _of(user_id: str, webhook_id: str) -> ColumnElement[bool]:
    return (table.c.user_id == user_id) & (table.c.id == webhook_id)


def _row(one: Webhook) -> dict[str, object]:
    key = unicodedata.normalize("NFKC", one.name).casefold()
    return asdict(one) | {"name_key": key, "terms": to_builtins(one.terms)}


def _read(row: RowMapping) -> Webhook:
    return convert({name: row[name] for name in Webhook.__struct_fields__}, Webhook)


def _delivery(row: RowMapping) -> Delivery:
    return convert({name: row[name] for name in Delivery.__struct_fields__}, Delivery)
