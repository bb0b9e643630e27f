"""Recovery: the state is folded from the journal; market marks, which it does not hold, may be carried over."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.records import decode
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.holdings import Marks
from evenkeel.trading.engine.state import Mark, State
from evenkeel.trading.live.ports import Journal


def recover(journal: Journal, *, marks: Mapping[str, Mark] = MappingProxyType({}), as_of: int = 0) -> State:
    """Folds every committed batch, with `marks` as they stood at record `as_of`: splits committed later move them.

    Raises JournalCorrupt where the sequence does not fit the records.
    """
    with _looking_for_no_garbage():
        return _folded(journal, marks, as_of)


@contextmanager
def _looking_for_no_garbage() -> Iterator[None]:
    """A fold makes none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _folded(journal: Journal, marks: Mapping[str, Mark], as_of: int) -> State:
    state = State()
    for batch in journal.read():
        if batch.first_seq != state.seq + 1:
            raise JournalCorrupt(f"batch {batch.first_seq} follows record {state.seq}: records are missing")
        for record in decode(batch.body):
            apply(state, record)
        if batch.last_seq != state.seq:
            raise JournalCorrupt(f"batch {batch.first_seq} says it ends at {batch.last_seq} and ends at {state.seq}")
        if state.seq == as_of:
            state.marks = Marks(marks)
    return state
