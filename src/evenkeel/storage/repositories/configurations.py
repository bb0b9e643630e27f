"""Users' configurations of templates: every version kept as it was saved, each query bound to its user."""

from msgspec import convert, to_builtins
from sqlalchemy import ColumnElement, RowMapping, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.configurations import Configuration, Saved
from evenkeel.domain.errors import Conflict
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import page, reading
from evenkeel.storage.tables.strategies import strategy_configurations as table


class StoredConfigurations:
    """One row a version. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)

    async def save(
        self, user_id: str, name: str, *, configuration: Configuration, template_version: str, at: int
    ) -> Saved:
        """The next version; the newest one where that is the same. Raises Conflict for a name that was archived."""
        async with reading(self._writing) as connection:
            found = (await connection.execute(_newest(_of(user_id, name)))).mappings().first()
            last = _read(found) if found is not None else None
            if last is not None and last.archived_at is not None:
                raise Conflict(f"{name} was archived", hint="Restore it first, or choose another name.")
            if last is not None and (last.configuration, last.template_version) == (configuration, template_version):
                return last
            version = 1 if last is None else last.version + 1
            saved = Saved(user_id, name, version, template_version, configuration, at)
            try:
                await connection.execute(insert(table).values(_row(saved)))
            except IntegrityError as error:
                raise Conflict(f"{name} was saved by another request at this moment", hint="Try again.") from error
        return saved

    async def find(self, user_id: str, name: str, version: int | None = None) -> Saved | None:
        """A version, or the newest."""
        where = _of(user_id, name)
        query = _newest(where) if version is None else select(table).where(where, table.c.version == version)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().first()
        return _read(row) if row is not None else None

    async def newest(self, user_id: str) -> tuple[Saved, ...]:
        """The newest version of every name that was not archived, by name."""
        last = table.alias()
        newest = select(func.max(last.c.version)).where(last.c.user_id == table.c.user_id, last.c.name == table.c.name)
        query = select(table).where(
            table.c.user_id == user_id, table.c.archived_at.is_(None), table.c.version == newest.scalar_subquery()
        )
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query.order_by(table.c.name))).mappings().all()
        return tuple(map(_read, rows))

    async def versions(
        self, user_id: str, name: str, *, limit: int, cursor: str | None = None
    ) -> tuple[list[Saved], str | None]:
        """All versions of a name, newest first."""
        query = select(table).where(_of(user_id, name))
        async with reading(self._engine) as connection:
            rows, after = await page(connection, query, (table.c.version, table.c.name), limit=limit, cursor=cursor)
        return [_read(row) for row in rows], after

    async def archive(self, user_id: str, name: str, at: int | None) -> bool:
        """Takes a name, with all versions, out of use, or with None back into it; whether there is such a name."""
        change = update(table).where(_of(user_id, name)).values(archived_at=at)
        async with reading(self._writing) as connection:
            return bool((await connection.execute(change)).rowcount)


def _of(user_id: str, name: str) -> ColumnElement[bool]:
    return (table.c.user_id == user_id) & (table.c.name == name)


def _newest(where: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return select(table).where(where).order_by(table.c.version.desc()).limit(1)


def _row(saved: Saved) -> dict[str, object]:
    held = saved.configuration
    same = {name: getattr(saved, name) for name in Saved.__struct_fields__}
    return same | {"template": held.template, "configuration": to_builtins(held)}


def _read(row: RowMapping) -> Saved:
    same = {name: row[name] for name in Saved.__struct_fields__ if name != "configuration"}
    return Saved(configuration=convert(row["configuration"], Configuration), **same)
