"""Strategies by the names that a home knows: templates, the files in its folder, and its owner's configurations.

Read from the files of the home, whether its desk is running or not.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from evenkeel.cli.common import resolve_home
from evenkeel.cli.place import the_database
from evenkeel.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from evenkeel.domain.configurations import Range, Saved
    from evenkeel.domain.sizing import Sizing
    from evenkeel.domain.strategies import Scalar
    from evenkeel.trading.strategies.registry import AnyTemplate, Registry


class Named(NamedTuple):
    """What a name stands for: code (a text is a file's), and what was saved with it where it is a configuration's."""

    strategy: "str | AnyTemplate"
    parameters: "Mapping[str, Scalar]"
    size: "Sizing | None" = None
    ranges: "Mapping[str, Range]" = MappingProxyType({})


def the_registry(home: Path | None) -> "Registry":
    """Built-in templates, those of installed packages, and those in the home's folder of strategies."""
    from evenkeel.trading.strategies.registry import FOLDER, Registry

    registry = Registry()
    registry.load_entry_points()
    registry.load_folder(resolve_home(home) / FOLDER)
    return registry


def the_strategy(home: Path | None, text: str, values: "Mapping[str, Scalar]") -> Named:
    """The strategy named by `text`, with `values` of its parameters. Raises NotFound, InvalidInput."""
    if text.endswith(".py") or ".py:" in text:
        return Named(text, values)
    registry = the_registry(home)
    try:
        return Named(type(registry.create(text)), values)
    except NotFound as error:
        saved = the_configuration(home, text)
        if saved is None:
            raise
        if saved.archived_at is not None:
            raise InvalidInput(f"{saved.name} was archived", hint="Restore it first.") from error
    from evenkeel.trading.strategies.configured import choose

    chosen = choose(registry, text, values, saved=saved)
    strategy = type(registry.create(chosen.template))
    return Named(strategy, chosen.parameters, chosen.size, saved.configuration.ranges)


def the_configuration(home: Path | None, reference: str) -> "Saved | None":
    """A configuration of the home's owner: `my-trend` for its newest version, `my-trend@3` for one of them."""
    from evenkeel.domain.configurations import parsed

    name, version = parsed(reference)
    found = _asked(home, lambda stored, owner: stored.find(owner, name, version))
    return None if found is None else found[0]


def the_configurations(home: Path | None) -> "tuple[Saved, ...]":
    """The newest version of all that were not archived, by name."""
    found = _asked(home, lambda stored, owner: stored.newest(owner))
    return () if found is None else tuple(found[0])


def _asked(home: Path | None, ask: Any) -> "tuple[Any] | None":
    """What `ask` of the repository and the owner's id answers; None where the home has none yet."""
    from evenkeel.storage.schema import is_up_to_date

    where = the_database(home)
    if (where.is_sqlite and not where.file.exists()) or not is_up_to_date(where):
        return None

    async def answer() -> tuple[Any] | None:
        from evenkeel.desk.ports import User
        from evenkeel.storage.engines import async_engine
        from evenkeel.storage.repositories import StoredConfigurations, StoredUsers

        engine = async_engine(where)
        try:
            found = await StoredUsers(engine, User).by_role("super-admin")
            owners = [user for user in found if user.is_active]
            return (await ask(StoredConfigurations(engine), owners[0].id),) if owners else None
        finally:
            await engine.dispose()

    return asyncio.run(answer())
