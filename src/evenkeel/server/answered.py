"""Whoever has changed something finds it in what they read next, though histories are projected behind the journal.

Remembered for each person is the last record that was committed when a change of theirs was answered; what reads a
history waits until the projections hold it. The wait is short and bounded: where it is in vain, what there is is shown.
"""

from typing import Protocol

LONGEST = 2.0
_MOST = 20_000


class Projections(Protocol):
    async def passed(self, seq: int, *, within: float) -> bool: ...


class Answered:
    """The last record by person: of those only who have changed something and not read of it since."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def note(self, user_id: str, seq: int) -> None:
        """A change of this person's has been answered, with everything committed up to `seq`."""
        self._last[user_id] = seq
        if len(self._last) > _MOST:
            self._last.pop(next(iter(self._last)))

    async def wait(self, user_id: str, projections: Projections) -> None:
        """Until the projections hold what this person has done; LONGEST seconds at most."""
        seq = self._last.get(user_id)
        if seq is not None and await projections.passed(seq, within=LONGEST) and self._last.get(user_id) == seq:
            del self._last[user_id]

    def forget(self) -> None:
        """The journal is another one now."""
        self._last.clear()
