"""The rows of the audit log and their chain: each holds the hash of the one before it.

So a row altered, removed or put elsewhere no longer fits; a tail that was cut off is missed by where the log ended,
which is kept apart. What the log does not go on from is a break: it is kept apart as well, and stays a fault until a
person accepts it with a reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from evenkeel.domain.clock import iso

GENESIS = "0" * 64
ASKED = "asked"
BROKEN, ACCEPTED = "audit.broken", "audit.accept"


class Entry(Struct, frozen=True, kw_only=True):
    """What a row says. `at` is wall-clock ns; `door` how the actor came in; `before` and `after` are JSON.

    `outcome` is `asked` for what is about to be tried, then the HTTP status it was answered with, or `done`.
    """

    at: int
    actor: str
    action: str
    door: str = "home"
    key_id: str = ""
    address: str = ""
    agent: str = ""
    request_id: str = ""
    subject: str = ""
    outcome: str = "done"
    before: str = ""
    after: str = ""


class Row(Entry, frozen=True, kw_only=True):
    """An entry in its place: `seq` counts from 1 without gaps, `hash` is over all of it and `previous`."""

    seq: int
    previous: str
    hash: str


class Head(Struct, frozen=True):
    """Where a log ends: the last row's number and hash; of an empty one, 0 and zeros."""

    seq: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


class Break(Struct, frozen=True, omit_defaults=True):
    """A log that did not go on from where it had ended: `kept` is the end that was kept apart (empty where that was
    gone), `found` the one in its place when `at` (ns) a row was to be added; `accepted` is the reason why it is none.
    """

    at: int
    kept: str
    found: str
    accepted: str = ""

    def __str__(self) -> str:
        if not self.kept:
            return f"by {iso(self.at)} what is kept of the log's end was gone; the log ended with {self.found}"
        return (
            f"by {iso(self.at)} the log no longer held its end, {self.kept}, and ended with {self.found}: rows were "
            "cut off or made anew"
        )


class Kept(Struct, frozen=True):
    """What is kept apart of a log: its end, None where there is none to be read; what stands there instead; breaks."""

    head: Head | None = None
    strange: str = ""
    breaks: tuple[Break, ...] = ()

    @property
    def open(self) -> tuple[Break, ...]:
        """The breaks that nobody has accepted."""
        return tuple(one for one in self.breaks if not one.accepted)


def broken(kept: Kept, last: Head, there: str | None, *, at: int) -> Break | None:
    """The break between what was kept and a log that ends with `last`, and whose row of the kept number has the hash
    `there` (None: it has no such row). A log that has more rows than were kept goes on: a process may die between its
    rows and what is kept of them."""
    head = kept.head
    if head is None:
        return Break(at, kept.strange, str(last)) if last.seq or kept.strange else None
    if head.seq == 0 or there == head.hash:
        return None
    return Break(at, str(head), str(last))


def chained(entry: Entry, head: Head) -> Row:
    """The row that an entry makes after `head`."""
    fields = {name: getattr(entry, name) for name in Entry.__struct_fields__}
    return Row(**fields, seq=head.seq + 1, previous=head.hash, hash=_digest(fields, head))


def _digest(fields: Mapping[str, Any], head: Head) -> str:
    """SHA-256 over the number, the hash before, and every field of the entry in order, as a JSON list."""
    told = [head.seq + 1, head.hash, *(fields[name] for name in Entry.__struct_fields__)]
    return sha256(msgspec.json.encode(told)).hexdigest()


def check(rows: Iterable[Row], anchor: Head | None) -> Iterator[str | Head]:
    """Every fault of a log in words, oldest first, then where it ends. `rows` come by number; `anchor` is the end that
    was kept apart, None where there is none to compare with."""
    head, seen = Head(), anchor is None or anchor.seq == 0
    for row in rows:
        before = Head(row.seq - 1, row.previous)
        if row.seq != head.seq + 1:
            yield _gap(head.seq, row.seq)
        elif before != head:
            yield f"row {row.seq} does not follow the row before it"
        if _digest({name: getattr(row, name) for name in Entry.__struct_fields__}, before) != row.hash:
            yield f"row {row.seq} was altered"
        head = Head(row.seq, row.hash)
        if anchor is not None and anchor.seq == row.seq:
            seen = True
            if anchor != head:
                yield f"row {row.seq} is not the one that was there when the log's end was kept"
    if anchor is not None and not seen:
        yield f"the log ends with row {head.seq}, and had {anchor.seq} rows: its end was cut off"
    yield head


def _gap(last: int, found: int) -> str:
    if found <= last:
        return f"row {found} is there twice"
    if found == last + 2:
        return f"row {last + 1} is missing"
    return f"rows {last + 1} to {found - 1} are missing"
