"""Splits and dividends that became effective while nothing ran: they come first when it runs again.

A feed hands over what it has in time; without one, the store's recorded actions say what has happened since the last
record. What was bought since cannot be among it, for nothing was running.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Protocol

from evenkeel.domain.clock import from_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, MarketSlice, Split
from evenkeel.market.calendars import calendar
from evenkeel.trading.engine.state import State


class Actions(Protocol):
    """The part of a store of bars that is needed."""

    def splits(self, instrument_id: str) -> Iterable[Split]: ...

    def dividends(self, instrument_id: str) -> Iterable[Dividend]: ...


def missed_actions(state: State, store: Actions, *, at: int) -> Sequence[MarketSlice]:
    """One slice a day on which anything held or worked went ex between the last record and `at` (ns), in order."""
    splits, dividends = defaultdict[date, list[Split]](list), defaultdict[date, list[Dividend]](list)
    for name in sorted(_concerned(state)):
        last, today = (_date(state.instruments[name], moment) for moment in (state.time, at))
        for split in store.splits(name):
            if last < split.ex_date <= today and (name, split.ex_date) not in state.splits_applied:
                splits[split.ex_date].append(split)
        for dividend in store.dividends(name):
            if last < dividend.ex_date <= today and (name, dividend.ex_date) not in state.dividends_paid:
                dividends[dividend.ex_date].append(dividend)
    return [
        MarketSlice(at, splits=tuple(splits[day]), dividends=tuple(dividends[day]))
        for day in sorted(splits.keys() | dividends.keys())
    ]


def _concerned(state: State) -> set[str]:
    """What is held, and what is ordered."""
    found = set[str]()
    for held in state.accounts.values():
        found |= {key.instrument_id for key, position in held.positions.items() if position.quantity}
        found |= {order.spec.instrument_id for order in held.open_orders()}
    return found


def _date(instrument: Instrument, moment: int) -> date:
    """The date at the instrument's exchange; in UTC where nobody knows its calendar."""
    try:
        return calendar(instrument.calendar).local_date(moment)
    except InvalidInput:
        return from_ns(moment).date()
