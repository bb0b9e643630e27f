"""Recovery: the state is folded from the journal, and from nothing else."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.records import decode
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.ports import Journal


def recover(journal: Journal) -> State:
    """Folds every committed batch. Raises JournalCorrupt where the sequence does not fit the records."""
    with _keeping_all():
        return _folded(journal)


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Whatever the fold makes stays: looking through it for garbage, now or later, would only hold trading up."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _folded(journal: Journal) -> State:
    state = State()
    for batch in journal.read():
        if batch.first_seq != state.seq + 1:
            raise JournalCorrupt(f"batch {batch.first_seq} follows record {state.seq}: records are missing")
        for record in decode(batch.body):
            apply(state, record)
        if batch.last_seq != state.seq:
            raise JournalCorrupt(f"batch {batch.first_seq} says it ends at {batch.last_seq} and ends at {state.seq}")
    return state
