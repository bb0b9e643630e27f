"""Users' order templates, each query bound to its user."""

from msgspec import convert, to_builtins
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import Conflict
from evenkeel.domain.order_templates import OrderTemplate, SavedTemplate
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.order_templates import order_templates as table


class StoredOrderTemplates:
    """One row a template. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)

    async def save(self, user_id: str, name: str, template: OrderTemplate, *, at: int) -> SavedTemplate:
        """A new template, or what a name stands for from now on; one that says the same stays as it is."""
        held = to_builtins(template)
        async with reading(self._writing) as connection:
            row = (await connection.execute(select(table).where(_of(user_id, name)))).mappings().first()
            known = _read(row) if row is not None else None
            if known is not None and known.template == template:
                return known
            saved = SavedTemplate(user_id, name, template, at if known is None else known.created_at, at)
            if known is not None:
                await connection.execute(update(table).where(_of(user_id, name)).values(template=held, updated_at=at))
                return saved
            values = {"user_id": user_id, "name": name, "template": held, "created_at": at, "updated_at": at}
            try:
                await connection.execute(insert(table).values(values))
            except IntegrityError as error:
                raise Conflict(f"{name} was saved by another request at this moment", hint="Try again.") from error
        return saved

    async def find(self, user_id: str, name: str) -> SavedTemplate | None:
        async with reading(self._engine) as connection:
            row = (await connection.execute(select(table).where(_of(user_id, name)))).mappings().first()
        return _read(row) if row is not None else None

    async def all(self, user_id: str) -> tuple[SavedTemplate, ...]:
        """A user's templates, by name."""
        query = select(table).where(table.c.user_id == user_id).order_by(table.c.name)
        async with reading(self._engine) as connection:
            return tuple(map(_read, (await connection.execute(query)).mappings().all()))

    async def remove(self, user_id: str, name: str) -> bool:
        """Whether there was one."""
        async with reading(self._writing) as connection:
            return bool((await connection.execute(delete(table).where(_of(user_id, name)))).rowcount)


def _of(user_id: str, name: str) -> ColumnElement[bool]:
    return (table.c.user_id == user_id) & (table.c.name == name)


def _read(row: RowMapping) -> SavedTemplate:
    template = convert(row["template"], OrderTemplate)
    return SavedTemplate(row["user_id"], row["name"], template, row["created_at"], row["updated_at"])
