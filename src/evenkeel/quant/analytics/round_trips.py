"""Round trips: what was opened and closed again, from the fills of one instrument.

Quantities are counted in whole steps of a grid, so that what was sold is exactly what was bought, and flat is flat. By
"fifo" each row is a piece of one entry closed by one exit, the oldest entry first. By "average" each row is one closing
fill against the average price of what was open, entered when the position was opened. A fill through zero closes and
opens; its fee is shared by quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from evenkeel.quant.analytics.excursions import excursions
from evenkeel.quant.analytics.series import Floats, Ints, refuse, same_length

Method = Literal["fifo", "average"]
# Without a lot, the grid is this part of the largest position or fill.
_GRID = 2.0**-36
_NEARLY, _ULPS = 1e-6, 1e-15  # of a lot, and of the most held in lots: what floats make of whole ones


class PriceBars(Protocol):
    """Columns of bars: open and close times in ns, rising, and the extremes between."""

    @property
    def ts(self) -> Ints: ...
    @property
    def close_ts(self) -> Ints: ...
    @property
    def high(self) -> Floats: ...
    @property
    def low(self) -> Floats: ...


@dataclass(frozen=True, slots=True, eq=False)
class Fills:
    """Executions of one instrument in order: `ts` in ns, `quantity` (bought > 0, sold < 0), `price`, `fee` in
    currency (a rebate < 0). Build it with `of`, which checks."""

    ts: Ints
    quantity: Floats
    price: Floats
    fee: Floats

    @classmethod
    def of(
        cls, ts: npt.ArrayLike, quantity: npt.ArrayLike, *, price: npt.ArrayLike, fee: npt.ArrayLike | None = None
    ) -> Fills:
        """Fills from columns; fees are 0 where not given. Raises InvalidInput where lengths differ, times fall, a
        number is not finite or a quantity is 0."""
        times = np.asarray(ts, dtype=np.int64)
        columns = [np.asarray(values, dtype=np.float64) for values in (quantity, price)]
        columns.append(np.zeros(len(times)) if fee is None else np.asarray(fee, dtype=np.float64))
        same_length(ts=times.astype(np.float64), quantity=columns[0], price=columns[1], fee=columns[2])
        if np.any(np.diff(times) < 0):
            raise refuse("ts", "expected fills in order of time")
        if not all(np.isfinite(values).all() for values in columns) or np.any(columns[0] == 0.0):
            raise refuse("quantity", "expected finite quantities, prices and fees, and no quantity of 0")
        return cls(times, *columns)

    def __len__(self) -> int:
        return len(self.ts)


class OpenPosition(NamedTuple):
    """What is still open: signed `quantity`, average entry `price`, and the share of entry `fees` that is its own;
    `entry_ts` is when the oldest of it was entered."""

    symbol: str
    quantity: float
    price: float
    fees: float
    entry_ts: int


@dataclass(frozen=True, slots=True, eq=False)
class RoundTrips:
    """Closed trades as columns, in order of exit; money is in currency.

    `side` is 1 for long and -1 for short, `quantity` is positive. `gross` is before and `net` after `fees`. `returns`
    is net over the entry's notional. `mae` and `mfe` are the worst (<= 0) and best (>= 0) excursion while open, as
    fractions of the entry price; `bars_held` counts bars that opened in the meantime; the three are NaN without bars.
    `open` has the position left of each symbol.
    """

    symbol: npt.NDArray[np.object_]
    side: Ints
    quantity: Floats
    entry_ts: Ints
    entry_price: Floats
    exit_ts: Ints
    exit_price: Floats
    gross: Floats
    fees: Floats
    net: Floats
    returns: Floats
    mae: Floats
    mfe: Floats
    bars_held: Floats
    open: tuple[OpenPosition, ...]

    def __len__(self) -> int:
        return len(self.net)

    @property
    def holding(self) -> Ints:
        """Time from entry to exit, in ns."""
        return self.exit_ts - self.entry_ts

    def where(self, chosen: npt.NDArray[Any]) -> RoundTrips:
        """The round trips of a mask or of indices; what is open stays."""
        return _built([column[chosen] for column in _columns(self)], self.open)

    @staticmethod
    def concat(parts: Sequence[RoundTrips]) -> RoundTrips:
        """The round trips of several instruments, in order of exit. Raises InvalidInput for none."""
        if not parts:
            raise refuse("parts", "nothing to put together")
        joined = [np.concatenate(column) for column in zip(*(_columns(part) for part in parts), strict=True)]
        whole = _built(joined, tuple(position for part in parts for position in part.open))
        return whole.where(np.argsort(whole.exit_ts, kind="stable"))


def _columns(trips: RoundTrips) -> tuple[Any, ...]:
    return tuple(getattr(trips, field.name) for field in fields(trips)[:-1])


def _built(columns: Sequence[Any], left: tuple[OpenPosition, ...]) -> RoundTrips:
    return RoundTrips(*columns, left)  # type: ignore[call-arg]


class _Matches(NamedTuple):
    """Rows of closed quantity: index of the entry's and the exit's fill, quantity, entry price, entry fees."""

    entry: Ints
    exit: Ints
    quantity: Floats
    price: Floats
    fees: Floats


class _Steps(NamedTuple):
    """Each fill in whole steps of `unit`: the `change` of position, and how much of it closes and opens."""

    unit: float
    change: Ints
    closing: Ints
    opening: Ints


def round_trips(
    fills: Fills,
    bars: PriceBars | None = None,
    *,
    method: Method = "fifo",
    multiplier: float = 1.0,
    lot: float | None = None,
    symbol: str = "",
) -> RoundTrips:
    """The round trips of one instrument's fills and the position left open.

    `multiplier` is currency per price and unit; `lot` the smallest step of quantity (None: 1 where all are whole,
    else a grid so fine that money is exact to 1e-10). P&L adds up: the sum of `net` equals the fills' cash flow
    plus what is open at its entry price less its fees. Excursions take the bars that lie wholly within the trade and
    both fill prices. Raises InvalidInput.
    """
    if method not in ("fifo", "average"):
        raise refuse("method", f'expected "fifo" or "average", not {method!r}')
    steps = _in_steps(fills.quantity, lot)
    matches, left = (_first_in_first_out if method == "fifo" else _average_cost)(fills, steps)
    side = np.sign(steps.change[matches.entry])
    exit_price = fills.price[matches.exit]
    gross = side * (exit_price - matches.price) * matches.quantity * multiplier
    fees = matches.fees + _per_step(fills, steps)[matches.exit] * (matches.quantity / steps.unit)
    notional = np.abs(matches.price) * matches.quantity * multiplier
    times = fills.ts[matches.entry], fills.ts[matches.exit]
    worst, best, held = excursions(bars, side, entry=(times[0], matches.price), exit_=(times[1], exit_price))
    return RoundTrips(
        symbol=np.full(len(side), symbol, dtype=np.object_),
        side=side,
        quantity=matches.quantity,
        entry_ts=times[0],
        entry_price=matches.price,
        exit_ts=times[1],
        exit_price=exit_price,
        gross=gross,
        fees=fees,
        net=gross - fees,
        returns=np.divide(gross - fees, notional, out=np.full(len(side), np.nan), where=notional > 0.0),
        mae=worst,
        mfe=best,
        bars_held=held,
        open=(left._replace(symbol=symbol),) if left.quantity else (),
    )


def _in_steps(quantity: Floats, lot: float | None) -> _Steps:
    position = np.cumsum(quantity)
    largest = max(np.max(np.abs(values), initial=0.0) for values in (quantity, position))
    if lot is None:
        whole = bool(np.all(quantity == np.rint(quantity)))
        unit = 1.0 if whole else float(largest) * _GRID
    elif lot > 0.0:
        unit, lots = lot, np.rint(quantity / lot)
        if np.max(np.abs(quantity / lot - lots), initial=0.0) > _NEARLY + _ULPS * largest / lot:
            raise refuse("lot", f"expected quantities that are whole lots of {lot!r}")
        position = np.cumsum(lots) * lot
    else:
        raise refuse("lot", f"expected a positive quantity, not {lot!r}")
    after = np.rint(position / unit).astype(np.int64)
    change = np.diff(after, prepend=0)
    if not change.all():
        raise refuse("quantity", f"fill {int(np.argmin(change != 0))} is too small to count beside the others")
    before = after - change
    against = np.sign(before) * np.sign(change) < 0
    closing = np.where(against, np.minimum(np.abs(before), np.abs(change)), 0)
    return _Steps(unit, change, closing, np.abs(change) - closing)


def _per_step(fills: Fills, steps: _Steps) -> Floats:
    """Each fill's fee per step of its quantity."""
    return fills.fee / np.abs(steps.change)


def _first_in_first_out(fills: Fills, steps: _Steps) -> tuple[_Matches, OpenPosition]:
    """Opened and closed quantity lie on one axis, and an exit meets the entry at the same place on it."""
    opened, closed = np.cumsum(steps.opening), np.cumsum(steps.closing)
    total = int(closed[-1]) if len(closed) else 0
    edges = np.unique(np.concatenate((opened[steps.opening > 0], closed[steps.closing > 0])))
    entry = np.searchsorted(opened, edges)
    pieces = np.diff(edges, prepend=0)
    fees = _per_step(fills, steps)[entry] * pieces
    quantity = pieces * steps.unit
    done = edges <= total
    gone = _Matches(entry[done], np.searchsorted(closed, edges[done]), quantity[done], fills.price[entry[done]],
                    fees[done])  # fmt: skip
    rest = quantity[~done]
    size = float(np.sum(rest))
    if not size:
        return gone, OpenPosition("", 0.0, 0.0, 0.0, 0)
    left = entry[~done]
    side = float(np.sign(steps.change[left[0]]))
    price = float(np.sum(rest * fills.price[left])) / size
    return gone, OpenPosition("", side * size, price, float(np.sum(fees[~done])), int(fills.ts[left[0]]))


def _average_cost(fills: Fills, steps: _Steps) -> tuple[_Matches, OpenPosition]:
    rates = _per_step(fills, steps).tolist()
    rows: list[tuple[int, int, float, float, float]] = []
    held, begun, price, rate, side = 0, 0, 0.0, 0.0, 0
    columns = zip(
        steps.closing.tolist(), steps.opening.tolist(), steps.change.tolist(), fills.price.tolist(), strict=True
    )
    for at, (closing, opening, change, paid) in enumerate(columns):
        if closing:
            rows.append((begun, at, closing * steps.unit, price, rate * closing))
            held -= closing
        if opening:
            begun = begun if held else at
            side = 1 if change > 0 else -1
            price = (price * held + paid * opening) / (held + opening)
            rate = (rate * held + rates[at] * opening) / (held + opening)
            held += opening
    entry, exit_, *numbers = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    matches = _Matches(entry.astype(np.int64), exit_.astype(np.int64), *(column.copy() for column in numbers))
    entered = int(fills.ts[begun]) if held else 0
    return matches, OpenPosition("", side * held * steps.unit, price, rate * held, entered)
