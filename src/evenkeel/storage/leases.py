"""Leases on shards in PostgreSQL: one row per shard with an epoch, renewed by a thread, fenced at the journal.

All times are the server's. A lease that ran out, was released, or whose holder is certainly gone from this machine is
taken with the next epoch; from then on inserts of the older epoch fail, whatever its holder believes.
"""

import secrets
import threading
import time
from collections.abc import Callable

import psycopg

from evenkeel.domain.errors import JournalError
from evenkeel.storage.holder import decode_holder, this_process
from evenkeel.storage.homelock import in_use
from evenkeel.storage.journal.postgres import Connection, connect, ensure_tables

OnLost = Callable[[str, str], None]
TTL = 15.0

_ROW = """
INSERT INTO leases (shard, epoch, holder, token, taken_at, expires_at)
VALUES (%s, 0, '', '', clock_timestamp(), '-infinity') ON CONFLICT (shard) DO NOTHING
"""
_LOCKED = "SELECT holder, expires_at > clock_timestamp() AND token <> %s FROM leases WHERE shard = %s FOR UPDATE"
_TAKE = """
UPDATE leases SET epoch = epoch + 1, holder = %s, token = %s, taken_at = clock_timestamp(),
  expires_at = clock_timestamp() + make_interval(secs => %s)
WHERE shard = %s RETURNING epoch
"""
_RENEW = """
UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => %s)
WHERE shard = ANY(%s) AND token = %s RETURNING shard
"""
_RELEASE = "UPDATE leases SET expires_at = '-infinity' WHERE token = %s"


class PostgresLeases:
    """The leases of one process. `on_lost(shard, reason)` is called once a shard, on the renewing thread."""

    def __init__(self, dsn: str, *, on_lost: OnLost | None = None, ttl: float = TTL) -> None:
        self._dsn = dsn
        self._on_lost = on_lost
        self._ttl = ttl
        self._token = secrets.token_hex(16)
        self._held: dict[str, float] = {}
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        with connect(dsn, "lease") as connection:
            ensure_tables(connection)

    def take(self, shard: str) -> int:
        """The next epoch of a shard, durably. Raises HomeInUse while another owner holds it, or JournalError."""
        with connect(self._dsn, "lease") as connection, connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")
            connection.execute(_ROW, (shard,))
            epoch = self._take(connection, shard)
        with self._guard:
            self._held[shard] = time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew, name="evenkeel-leases", daemon=True)
            self._thread.start()
        return epoch

    def release(self) -> None:
        """Stops renewing and lets the next owner in at once."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._guard:
            held, self._held = self._held, {}
        if held:
            try:
                with connect(self._dsn, "lease") as connection:
                    connection.execute(_RELEASE, (self._token,))
            except (JournalError, psycopg.Error) as error:
                self._tell(tuple(held), f"it could not be released and runs out by itself: {error}")

    def _take(self, connection: Connection, shard: str) -> int:
        found = connection.execute(_LOCKED, (self._token, shard)).fetchone()
        if found is not None and found[1]:
            holder = decode_holder(found[0])
            if holder is None or not holder.is_gone:
                raise in_use(f"the trading of {shard}", holder)
        taken = connection.execute(_TAKE, (this_process().encode(), self._token, self._ttl, shard)).fetchone()
        if taken is None:
            raise JournalError(f"the lease of {shard} vanished while it was being taken")
        return int(taken[0])

    def _renew(self) -> None:
        connection: Connection | None = None
        while not self._stop.wait(self._ttl / 3):
            begun = time.monotonic()
            try:
                if connection is None or connection.closed:
                    connection = connect(self._dsn, "lease")
                    connection.execute("SET synchronous_commit = off")
                    connection.execute(f"SET statement_timeout = {int(self._ttl * 300)}")
                self._renewed(connection, begun)
            except (JournalError, psycopg.Error) as error:
                connection = self._dropped(connection)
                self._expired(str(error).splitlines()[0])
        self._dropped(connection)

    def _renewed(self, connection: Connection, begun: float) -> None:
        with self._guard:
            wanted = list(self._held)
        rows = connection.execute(_RENEW, (self._ttl, wanted, self._token)).fetchall()
        kept = {row[0] for row in rows}
        with self._guard:
            self._held.update(dict.fromkeys(kept & self._held.keys(), begun))
            lost = [shard for shard in wanted if shard not in kept and self._held.pop(shard, None) is not None]
        self._tell(tuple(lost), "another owner has taken it")

    def _expired(self, reason: str) -> None:
        limit = time.monotonic() - self._ttl
        with self._guard:
            lost = tuple(shard for shard, renewed in self._held.items() if renewed < limit)
            for shard in lost:
                del self._held[shard]
        self._tell(lost, f"it could not be renewed in time: {reason}")

    def _tell(self, shards: tuple[str, ...], reason: str) -> None:
        if self._on_lost is not None:
            for shard in shards:
                self._on_lost(shard, f"the lease on {shard} is lost: {reason}")

    @staticmethod
    def _dropped(connection: Connection | None) -> None:
        if connection is not None:
            connection.close()
