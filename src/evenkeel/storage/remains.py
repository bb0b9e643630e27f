"""What a home still says of its owner or its journal when one of the two files is gone.

People live in the tables, trading in the journal. Neither is taken for empty because it is missing: an owner made
anew gets the id that the journal is kept under, and a journal that the tables have seen does not begin again.
"""

from evenkeel.domain.errors import Conflict, NotFound
from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.journal import open_reader, shards_of
from evenkeel.storage.projector import stored_cursor


def owner_of_journal(database: Database) -> str | None:
    """The user whose journal lies here (the longest, where there are several); None where there is none.

    Raises JournalError for a journal that cannot be read.
    """
    kept = {shard: length for shard, length in _lengths(database).items() if length}
    return max(kept, key=lambda shard: kept[shard]) if kept else None


def check_journal_is_here(database: Database, shard: str) -> None:
    """Raises Conflict where the tables have seen records of a journal that holds none now."""
    engine = sync_engine(database, "read")
    try:
        with engine.connect() as connection:
            seen = stored_cursor(connection, shard)
    finally:
        engine.dispose()
    if seen is None or not seen.seq or _lengths(database).get(shard):
        return
    raise Conflict(
        f"the journal of this home is gone: {seen.seq} records were seen, and it holds none",
        hint="Restore it from a backup of the same home. To begin anew, name another folder with --home.",
    )


def _lengths(database: Database) -> dict[str, int]:
    """The last sequence of each journal that lies here."""
    try:
        shards = shards_of(database)
    except NotFound:
        return {}
    lengths = {}
    for shard in shards:
        with open_reader(database, shard) as reader:
            lengths[shard] = reader.last_seq()
    return lengths
