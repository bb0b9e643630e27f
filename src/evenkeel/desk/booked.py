"""What a state has booked, taken in its order: fills, and the splits and corrections between them.

Whoever needs more of the past than positions keep subclasses `Booked`, is told of each once, and catches up from where
it was when it is asked again.
"""

import asyncio
from itertools import islice

from evenkeel.domain.fills import Fill
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import PositionCorrected, SplitApplied
from evenkeel.trading.engine.state import State

AT_ONCE = 5_000


class Booked:
    """Follows one state; of another one it begins anew."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._fills = self._restated = 0

    def begin(self) -> None:
        """Forgets everything."""

    def traded(self, state: State, key: PositionKey, fill: Fill) -> None:
        """A fill has been booked to a position."""

    def corrected(self, state: State, record: PositionCorrected) -> None:
        """A position was set to what its broker says."""

    def split(self, state: State, record: SplitApplied) -> None:
        """A split has restated positions."""

    async def follow(self, state: State) -> None:
        """Takes in what is new, a few thousand fills at a time, so that others get their turn."""
        if state is not self._state:
            self._state, self._fills, self._restated = state, 0, 0
            self.begin()
        for _ in range((len(state.fills) - self._fills) // AT_ONCE):
            self._take(state, AT_ONCE)
            await asyncio.sleep(0)
        self._take(state, len(state.fills))

    def _take(self, state: State, most: int) -> None:
        for fill in tuple(islice(state.fills.values(), self._fills, self._fills + most)):
            self._restate(state, self._fills)
            product = state.orders[fill.order_id].spec.product
            self.traded(state, PositionKey(fill.account_id, fill.book, fill.instrument_id, product), fill)
            self._fills += 1
        if self._fills == len(state.fills):
            self._restate(state, self._fills)

    def _restate(self, state: State, fills: int) -> None:
        """Applies the splits and corrections that came before the next fill."""
        while self._restated < len(state.restated) and state.restated[self._restated][0] <= fills:
            record = state.restated[self._restated][1]
            self._restated += 1
            if isinstance(record, PositionCorrected):
                self.corrected(state, record)
            else:
                self.split(state, record)
