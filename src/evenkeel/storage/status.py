"""The state of a home's database at a glance, read without touching it."""

from evenkeel.domain.errors import NotFound
from evenkeel.storage import schema
from evenkeel.storage.database import Database
from evenkeel.storage.homelock import is_running, owner
from evenkeel.storage.journal import open_reader, shards_of
from evenkeel.storage.migrations import HEAD


def status_of(database: Database) -> dict[str, str | int | bool | None]:
    """Facts by name. Raises EvenkeelError where the database cannot be read."""
    running = is_running(database.home)
    holder = owner(database.home) if running else None
    stored = schema.current(database)
    found: dict[str, str | int | bool | None] = {
        "database": database.shown,
        "schema": stored,
        "newest_schema": HEAD,
        "up_to_date": stored == HEAD,
        "running": running,
        "owner_pid": holder.pid if holder else None,
    }
    try:
        for shard in shards_of(database):
            with open_reader(database, shard) as reader:
                found[f"journal_of_{shard}"] = f"sequence {reader.last_seq()}, epoch {reader.epoch()}"
    except NotFound:
        found["journal"] = None
    return found
