"""The strategy templates that were found, kept so that an old deployment's parameters can still be explained."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import to_builtins
from sqlalchemy import delete, insert, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.strategies import Scalar
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.strategies import strategy_templates


class Parameter(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def default(self) -> Scalar: ...

    @property
    def minimum(self) -> float | None: ...

    @property
    def maximum(self) -> float | None: ...

    @property
    def description(self) -> str: ...


class Template(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def parameters(self) -> Sequence[Parameter]: ...


class StoredTemplates:
    """One row per name and version ever seen."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._writing = engine.execution_options(**WRITING)

    async def remember(self, templates: Iterable[Template], at: int) -> None:
        """Writes the templates as they are now; those of other versions stay."""
        rows = [_row(template, at) for template in templates]
        if not rows:
            return
        key = tuple_(strategy_templates.c.name, strategy_templates.c.version)
        async with reading(self._writing) as connection:
            same = key.in_([(row["name"], row["version"]) for row in rows])
            await connection.execute(delete(strategy_templates).where(same))
            await connection.execute(insert(strategy_templates), rows)


def _row(template: Template, at: int) -> dict[str, object]:
    names = ("name", "type", "default", "minimum", "maximum", "description")
    return {
        "name": template.name,
        "version": template.version,
        "title": template.title,
        "description": template.description,
        "parameters": [{name: to_builtins(getattr(one, name)) for name in names} for one in template.parameters],
        "seen_at": at,
    }
