"""Pages of the lists that tests keep in memory, by how many rows are over."""

from collections.abc import Sequence
from typing import TypeVar

from evenkeel.domain.errors import FieldError, InvalidInput

T = TypeVar("T")


def number_of(cursor: str | None) -> int:
    """What a cursor stands for. Raises InvalidInput for one that no list here gave."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
        raise InvalidInput("no such page", errors=(FieldError("cursor", "is not one this list gave"),))
    return int(cursor or 0)


def page(rows: Sequence[T], limit: int, cursor: str | None) -> tuple[Sequence[T], str | None]:
    """The rows after the cursor, of `rows` as they are to be shown, and where the next page begins."""
    start = number_of(cursor)
    return rows[start : start + limit], str(start + limit) if start + limit < len(rows) else None
