"""What a home needs a person for that is not in its journal: server keys, the audit log's end, what was half made."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenkeel.storage.database import Database


def concerns(where: "Database") -> list[str]:
    """Each in words, with the way out; nothing is changed. Raises InvalidInput for settings that are not valid."""
    from evenkeel.domain.errors import EvenkeelError

    found = [*_half_made(where)]
    for look in (_keys, _log):
        try:
            found += look(where)
        except EvenkeelError as error:
            found.append(error.message)
    return found


def _half_made(where: "Database") -> Iterator[str]:
    from evenkeel.settings import load
    from evenkeel.storage.backups.making import FOLDER, half_made
    from evenkeel.storage.backups.parts import leftovers

    named, home = load(where.home)[0].backup_folder, where.home.absolute()
    for part in half_made(Path(named).expanduser() if named else home / FOLDER):
        yield f"{part} was left by a backup that was killed: the next one removes it"
    for part in leftovers(home.parent, home.name):
        yield f"{part} was left by a restore that was killed: remove it"


def _keys(where: "Database") -> Iterator[str]:
    from evenkeel.cli.server_keys import found
    from evenkeel.desk.server_keys import WAY_OUT
    from evenkeel.storage.schema import is_up_to_date

    missing = [str(one) for one in found(where) if not one.is_here] if is_up_to_date(where) else []
    if missing:
        yield f"server keys are missing: {', '.join(missing)}. {WAY_OUT}"


def _log(where: "Database") -> Iterator[str]:
    from evenkeel.storage.engines import sync_engine
    from evenkeel.storage.repositories.audit import Anchor, standing
    from evenkeel.storage.schema import is_up_to_date

    if not is_up_to_date(where):
        return
    engine = sync_engine(where, "read")
    try:
        for broken in standing(engine, Anchor(where.home)):
            yield f"the audit log is broken: {broken}. `evenkeel audit verify` says what to do"
    finally:
        engine.dispose()
