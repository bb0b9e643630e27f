"""A made-up market without end: a geometric random walk for each instrument, on its exchange's calendar.

Everything follows from (seed, instrument, session): the walk's close-to-close steps are one stream a direction, and the
path inside a session is a bridge between its two ends drawn from the session's own stream. So any moment can be reached
directly, and a feed that resumes gives the same bars as one that never stopped.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import groupby
from math import ceil, log, sqrt
from operator import attrgetter
from pathlib import Path

import numpy as np

from evenkeel.domain.clock import from_ns
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Split
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import Session, calendar
from evenkeel.market.columns import Floats, Ints
from evenkeel.market.timeframes import timeframe as parse

_STEPS_A_BAR = 8
_SESSIONS_A_YEAR = 252
_BLOCK = 1024
_ANY_PRICE = 100.0
_DRIFT = 0.05
_DAILY_VOLUME = 1_000_000.0


class SimulatedFeed:
    """A `Feed` of one timeframe, 1d or shorter, that begins after `start` (ns) and never ends.

    `prices` gives the price at `start` by symbol (100 where absent); `volatility` is annual. Raises
    InvalidInput for a timeframe longer than a day.
    """

    end: int | None = None

    def __init__(
        self,
        seed: int,
        instruments: Sequence[Instrument],
        *,
        start: int,
        timeframe: str = "1d",
        prices: Mapping[str, float] | None = None,
        volatility: float = 0.25,
        cache: Path | None = None,
    ) -> None:
        chosen = parse(timeframe)
        if not chosen.intraday and chosen.unit != "d":
            raise InvalidInput(f"a simulated market has bars of a day or less, not {chosen.name}")
        self.instruments, self.timeframes, self.start = tuple(instruments), (chosen.name,), start
        prices = prices or {}
        self._walks = {
            one.id: _Walk(
                f"{seed}|{one.id}",
                one,
                price=prices.get(one.symbol, _ANY_PRICE),
                step=(_DRIFT / _SESSIONS_A_YEAR, volatility / sqrt(_SESSIONS_A_YEAR)),
                span=chosen.ns if chosen.intraday else None,
                origin=start,
                cache=cache,
            )
            for one in self.instruments
        }

    def slices(self, after: int | None = None) -> Iterator[MarketSlice]:
        cursor = self.start if after is None else max(after, self.start)
        runs = (self._walks[one.id].bars_after(cursor, self.timeframes[0]) for one in self.instruments)
        moment = attrgetter("close_ts")
        for at, bars in groupby(heapq.merge(*runs, key=moment), key=moment):
            yield MarketSlice(at, tuple(bars))

    def history(self, instrument_id: str, timeframe: str, *, before: int, count: int) -> Bars:
        if parse(timeframe).name != self.timeframes[0] or instrument_id not in self._walks:
            raise NotFound(f"there are no {timeframe} bars of instrument {instrument_id} in the simulated market")
        return self._walks[instrument_id].bars_before(before, count, self.timeframes[0])

    def splits(self, instrument_id: str) -> tuple[Split, ...]:
        return ()


class _Walk:
    """The path of one instrument; sessions are numbered from the one dated at or after the origin."""

    def __init__(
        self,
        key: str,
        instrument: Instrument,
        *,
        price: float,
        step: tuple[float, float],
        span: int | None,
        origin: int,
        cache: Path | None,
    ) -> None:
        self._key, self._instrument, self._span = key, instrument, span
        self._level, (self._drift, self._deviation) = log(price), step
        self._calendar = calendar(instrument.calendar, cache=cache)
        self._origin = self._calendar.local_date(origin)
        self._tick, self._lot = float(instrument.tick_size), float(instrument.lot_size)
        self._places = [_places(size) for size in (instrument.tick_size, instrument.lot_size)]
        self._sums = {direction: np.zeros(1) for direction in ("forward", "backward")}

    def bars_after(self, cursor: int, timeframe: str) -> Iterator[Bar]:
        day = max(self._origin, from_ns(cursor).date() - timedelta(days=3))
        number = len(self._calendar.sessions(self._origin, day - timedelta(days=1)))
        while True:
            for session in self._calendar.sessions(day, date(day.year, 12, 31)):
                if session.close > cursor:
                    yield from self._bars(session, number, timeframe).after(cursor)
                number += 1
            day = date(day.year + 1, 1, 1)

    def bars_before(self, before: int, count: int, timeframe: str) -> Bars:
        day = from_ns(before).date() + timedelta(days=1)
        session = self._calendar.previous_session(day + timedelta(days=1))
        number = self._number(session.date)
        parts, found = [Bars.empty(self._instrument.id, timeframe)], 0
        while found < count:
            part = self._bars(session, number, timeframe).as_of(before)
            parts.append(part)
            found += len(part)
            session, number = self._calendar.previous_session(session.date), number - 1
        return Bars.concat(reversed(parts)).tail(count)

    def _number(self, day: date) -> int:
        if day >= self._origin:
            return len(self._calendar.sessions(self._origin, day)) - 1
        return -len(self._calendar.sessions(day, self._origin - timedelta(days=1)))

    def _level_before(self, number: int) -> float:
        """The logarithm of the price at the open of session `number`."""
        direction, steps = ("forward", number) if number >= 0 else ("backward", -number)
        while len(self._sums[direction]) <= steps:
            size = len(self._sums[direction]) - 1 + _BLOCK
            moves = self._drift + self._deviation * self._random(direction).standard_normal(size)
            self._sums[direction] = np.concatenate((np.zeros(1), np.cumsum(moves)))
        moved = float(self._sums[direction][steps])
        return self._level + (moved if number >= 0 else -moved)

    def _random(self, tag: str) -> np.random.Generator:
        digest = blake2b(f"{self._key}|{tag}".encode(), digest_size=16).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))

    def _bars(self, session: Session, number: int, timeframe: str) -> Bars:
        opens = self._opens(session)
        random, bars = self._random(str(number)), len(opens)
        path = self._bridge(number, bars * _STEPS_A_BAR, random)
        inside = np.lib.stride_tricks.sliding_window_view(path, _STEPS_A_BAR + 1)[::_STEPS_A_BAR]
        volume = random.lognormal(0.0, 0.4, bars) * _DAILY_VOLUME / bars
        columns = {
            "ts": opens,
            "close_ts": opens + self._span if self._span else np.array([session.close]),
            "open": inside[:, 0],
            "high": inside.max(axis=1),
            "low": inside.min(axis=1),
            "close": inside[:, -1],
            "volume": np.round(np.rint(volume / self._lot) * self._lot, self._places[1]),
            "spread": np.full(bars, self._tick),
        }
        columns["close_ts"] = np.minimum(columns["close_ts"], session.close)
        return Bars.of(self._instrument.id, timeframe, columns)

    def _opens(self, session: Session) -> Ints:
        if self._span is None:
            return np.array([session.open], dtype=np.int64)
        count = ceil((session.close - session.open) / self._span)
        opens = session.open + self._span * np.arange(count, dtype=np.int64)
        return opens[(opens < session.break_start) | (opens >= session.break_end)]

    def _bridge(self, number: int, steps: int, random: np.random.Generator) -> Floats:
        """Prices on the tick at `steps` + 1 points, from the session's open to its close."""
        first, last = self._level_before(number), self._level_before(number + 1)
        moves = random.standard_normal(steps) * (self._deviation / sqrt(steps))
        moves += (last - first - moves.sum()) / steps
        levels = first + np.concatenate((np.zeros(1), np.cumsum(moves)))
        ticks = np.maximum(1.0, np.rint(np.exp(levels) / self._tick))
        return np.round(ticks * self._tick, self._places[0])


def _places(size: Decimal) -> int:
    return max(0, -int(size.normalize().as_tuple().exponent))
