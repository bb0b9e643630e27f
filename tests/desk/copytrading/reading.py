"""What makes a desk of the tests copy: after every step its records are read, as the live consumer reads them."""

from typing import Any

from evenkeel.desk.copytrading import reading
from evenkeel.trading.engine.engine import Input
from evenkeel.trading.engine.turn import Step

SECOND = 1_000_000_000


class Copies:
    """Put it before `World`, or what is made of it. `delay` seconds pass before what is recorded is copied; without
    `reads`, nothing is copied until `copy` is called. `taken` is how many records have been read."""

    volatility: dict[str, float] = {}  # noqa: RUF012 - what instruments move a year, where a test says so
    delay = 0
    reads = True
    taken = 0
    _is_reading = False
    records: Any
    state: Any
    now: int

    def step(self, event: Input, when: int | None = None) -> Step:
        step: Step = super().step(event, when)  # type: ignore[misc]
        if self.reads and not self._is_reading:
            self.copy()
        return step

    def copy(self) -> None:
        """Reads what has been recorded since it last did, and does what follows, and what follows from that."""
        self._is_reading = True
        while self.taken < len(self.records):
            first, records = self.taken + 1, self.records[self.taken :]
            self.taken = len(self.records)
            found = reading.commands(self.state, records, first_seq=first, volatility=self._volatility)
            if found:
                self.now += self.delay * SECOND
            for command in found:
                self.step(command)
        self._is_reading = False

    def _volatility(self, instrument_id: str, window: int) -> float | None:
        return self.volatility.get(instrument_id)
