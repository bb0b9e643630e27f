"""Watchlists: instruments that a person keeps an eye on, in an order of their own, each with a note."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound

MOST_ENTRIES, MOST_LISTS = 500, 100
LONGEST_NOTE = 500


class Watched(Struct, frozen=True, omit_defaults=True):
    """One instrument of a list."""

    instrument_id: str
    note: str = ""


class Watchlist(Struct, frozen=True):
    """A person's list; names are unique to a person, in whatever case."""

    id: str
    user_id: str
    name: str
    entries: tuple[Watched, ...]
    created_at: int
    updated_at: int

    def adding(self, more: Sequence[Watched], *, at: int) -> "Watchlist":
        """With more instruments at its end. Raises Conflict for one it has, InvalidInput for more than it may have."""
        known = {one.instrument_id for one in self.entries}
        for one in more:
            if one.instrument_id in known:
                raise Conflict(f"{self.name} has this instrument already")
            known.add(one.instrument_id)
        if len(known) > MOST_ENTRIES:
            message = f"at most {MOST_ENTRIES} instruments"
            raise InvalidInput("the list is full", errors=(FieldError("symbols", message),))
        return replace(self, entries=(*self.entries, *more), updated_at=at)

    def without(self, instrument_id: str, *, at: int) -> "Watchlist":
        """Without an instrument. Raises NotFound."""
        self.place_of(instrument_id)
        left = tuple(one for one in self.entries if one.instrument_id != instrument_id)
        return replace(self, entries=left, updated_at=at)

    def with_note(self, instrument_id: str, note: str, *, at: int) -> "Watchlist":
        """With another note on an instrument. Raises NotFound."""
        place = self.place_of(instrument_id)
        entries = (*self.entries[:place], Watched(instrument_id, note), *self.entries[place + 1 :])
        return replace(self, entries=entries, updated_at=at)

    def moved(self, instrument_id: str, to: int, *, at: int) -> "Watchlist":
        """With an instrument at the place `to`, 0 being the first; beyond the end it becomes the last."""
        one = self.entries[self.place_of(instrument_id)]
        rest = [other for other in self.entries if other is not one]
        return replace(self, entries=(*rest[:to], one, *rest[to:]), updated_at=at)

    def place_of(self, instrument_id: str) -> int:
        """Raises NotFound."""
        for place, one in enumerate(self.entries):
            if one.instrument_id == instrument_id:
                return place
        raise NotFound(f"{self.name} does not have this instrument")
