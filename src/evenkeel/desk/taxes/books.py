"""The lots of every book, worked out from what was booked when they are asked for, and kept up with from then on.

A book's lots are its own: what the account holds in another one is not sold by it. Terms are those of the account on
the day of each sale. A fill that the broker took back has never been, and neither have the lots that it closed.
"""

import asyncio
from collections.abc import Collection, Container, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from evenkeel.desk.booked import Booked
from evenkeel.domain.clock import session_date
from evenkeel.domain.fills import Fill
from evenkeel.domain.lots import Lots, Trade
from evenkeel.domain.money import total
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import PositionCorrected, SplitApplied, SplitPosition
from evenkeel.domain.taxes import BEGINNING, UNTOLD, LotMethod, TaxSetting, in_force
from evenkeel.trading.engine.state import State

AT_ONCE = 500
Settings = tuple[TaxSetting, ...]


class _Split(NamedTuple):
    record: SplitApplied
    part: SplitPosition


_Event = Fill | PositionCorrected | _Split


class _Fold(Struct):
    """Lots under some settings, with the number of events they are made of."""

    settings: Settings
    lots: Lots
    count: int = 0


class LotBooks(Booked):
    """Lots by position; call `follow` before they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self._events: dict[PositionKey, list[_Event]] = {}
        self._folds: dict[PositionKey, _Fold] = {}

    def keys(self, account_ids: Container[str], *, instrument_id: str | None = None) -> Iterator[PositionKey]:
        """The positions that accounts have, or had, of one instrument or of all."""
        for key in self._events:
            if key.account_id in account_ids and instrument_id in (None, key.instrument_id):
                yield key

    def traded(self, state: State, key: PositionKey, fill: Fill) -> None:
        events = self._events.setdefault(key, [])
        if fill.reverses is None or not self._take_back(key, fill.reverses):
            events.append(fill)

    def _take_back(self, key: PositionKey, fill_id: str) -> bool:
        """Removes a fill, unless a split has come between: then what undoes it is a trade of its own."""
        events = self._events[key]
        for place in range(len(events) - 1, -1, -1):
            event = events[place]
            if isinstance(event, _Split):
                return False
            if isinstance(event, Fill) and event.id == fill_id:
                del events[place]
                self._folds.pop(key, None)
                return True
        return False

    def corrected(self, state: State, record: PositionCorrected) -> None:
        self._events.setdefault(record.key, []).append(record)

    def split(self, state: State, record: SplitApplied) -> None:
        for part in record.positions:
            self._events.setdefault(part.key, []).append(_Split(record, part))

    async def ready(
        self, state: State, taxes: Mapping[str, Settings], *, instruments: Collection[str] | None = None
    ) -> None:
        """Works out the lots of accounts, of all instruments or of some, and lets others get their turn meanwhile."""
        for key in tuple(self.keys(taxes)):
            if instruments is None or key.instrument_id in instruments:
                settings = taxes[key.account_id]
                while len(self._events[key]) - self._fold(key, settings).count > AT_ONCE:
                    self._folded(state, key, self._fold(key, settings), most=AT_ONCE)
                    await asyncio.sleep(0)
                self.lots(state, key, settings)

    def lots(self, state: State, key: PositionKey, settings: Settings) -> Lots:
        """The lots of a position under an account's settings, not to be changed; `copy` them to try trades on."""
        return self._folded(state, key, self._fold(key, settings))

    def _fold(self, key: PositionKey, settings: Settings) -> _Fold:
        fold = self._folds.get(key)
        if fold is None or fold.settings != settings:
            fold = self._folds[key] = _begun(settings)
        return fold

    async def supposed(self, state: State, key: PositionKey, settings: Settings) -> Lots:
        """What the lots would be under other settings than the account's."""
        fold, known = _begun(settings), len(self._events[key])
        while fold.count < min(known, len(self._events[key])):
            self._folded(state, key, fold, most=AT_ONCE)
            await asyncio.sleep(0)
        return fold.lots

    def _folded(self, state: State, key: PositionKey, fold: _Fold, *, most: int | None = None) -> Lots:
        events, multiplier = self._events.get(key, []), state.instruments[key.instrument_id].multiplier
        account, last = state.accounts[key.account_id].account, len(events) if most is None else fold.count + most
        for event in events[fold.count : last]:
            match event:
                case Fill():
                    charges = total([charge.amount for charge in event.charges])
                    trade = Trade(event.signed, event.price, charges, event.session_date, event.order_id, event.id)
                    fold.lots.trade(trade, multiplier, undoes=event.reverses is not None)
                case PositionCorrected():
                    day = session_date(event.at, account.time_zone, account.roll)
                    fold.lots.trade(
                        Trade(event.quantity, event.price, day=day, origin=event.id, id=event.id), multiplier
                    )
                case _Split(record, part):
                    change = record.split
                    fold.lots.split(
                        change.numerator,
                        change.denominator,
                        quantity=part.quantity,
                        cash=part.cash_in_lieu,
                        day=change.ex_date,
                    )
        fold.count = min(last, len(events))
        return fold.lots


def _begun(settings: Settings) -> _Fold:
    return _Fold(settings, Lots(terms=lambda day: in_force(settings, day) or UNTOLD, closed=[]))


def by_method(settings: Settings, method: LotMethod) -> Settings:
    """The same settings with another method, from the beginning on."""
    changed = tuple(replace(one, terms=replace(one.terms, method=method)) for one in settings)
    if changed and changed[0].since == BEGINNING:
        return changed
    return (TaxSetting("", "", BEGINNING, replace(UNTOLD, method=method)), *changed)
