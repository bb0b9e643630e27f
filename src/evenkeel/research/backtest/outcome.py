"""What an engine hands back: fills in columns, and equity at every bar. Numbers only; what they mean is `result`'s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Why(IntEnum):
    """What made an order fill."""

    SIGNAL = 0
    STOP_LOSS = 1
    TAKE_PROFIT = 2
    TRAILING_STOP = 3
    LIQUIDATION = 4
    ORDER = 5
    MTM = 6


class Fill(NamedTuple):
    """One execution; `bar` is the index of the bar it happened in, `at` its moment in ns, `fee` what it was charged."""

    bar: int
    at: int
    symbol: str
    side: int
    quantity: float
    price: float
    fee: float
    why: Why


@dataclass(frozen=True, slots=True, eq=False)
class Fills:
    """Executions as they happened. `instrument` indexes `symbols`; `side` is 1 or -1; `quantity` is above 0."""

    symbols: tuple[str, ...]
    bar: Ints
    at: Ints
    instrument: Ints
    side: Ints
    quantity: Floats
    price: Floats
    fee: Floats
    why: Ints

    def __len__(self) -> int:
        return len(self.bar)

    def __repr__(self) -> str:
        return f"<Fills: {len(self)} of {', '.join(self.symbols)}; to_polars() has them as a frame>"

    def __getitem__(self, index: int) -> Fill:
        return Fill(
            int(self.bar[index]),
            int(self.at[index]),
            self.symbols[self.instrument[index]],
            int(self.side[index]),
            float(self.quantity[index]),
            float(self.price[index]),
            float(self.fee[index]),
            Why(int(self.why[index])),
        )

    def __iter__(self) -> Iterator[Fill]:
        return (self[index] for index in range(len(self)))

    def to_polars(self) -> pl.DataFrame:
        """A frame: at (Datetime ns, UTC), symbol, side (BUY or SELL), quantity, price, fee, why, bar."""
        import polars as pl

        return pl.DataFrame(
            {
                "at": pl.Series(self.at).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
                "symbol": [self.symbols[i] for i in self.instrument],
                "side": ["BUY" if side > 0 else "SELL" for side in self.side],
                "quantity": self.quantity,
                "price": self.price,
                "fee": self.fee,
                "why": [Why(int(code)).name.lower().replace("_", "-") for code in self.why],
                "bar": self.bar,
            }
        )


class Carried(NamedTuple):
    """What holding earned (above 0) and cost (below) over the whole run, all booked as cash.

    `interest` is the account's; `borrow` fees and `dividends` have one amount an instrument, none where neither was
    charged.
    """

    interest: float = 0.0
    borrow: tuple[float, ...] = ()
    dividends: tuple[float, ...] = ()

    def of(self, place: int) -> float:
        """Borrow fees and dividends of the instrument in that place."""
        return sum(amounts[place] for amounts in (self.borrow, self.dividends) if amounts)

    @property
    def total(self) -> float:
        return self.interest + sum(self.borrow) + sum(self.dividends)


def borrowed(lowest: float, *, charged: bool) -> tuple[str, ...]:
    """What to say where cash fell below zero."""
    if lowest >= 0:
        return ()
    cost = "interest was charged" if charged else "no interest was charged"
    return (f"cash fell to −{-lowest:,.2f}: nothing here forbids borrowing, and {cost}",)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """`at` and `equity`: each bar's close (ns) and the equity there; `positions` the signed quantity held there.

    With several instruments the bars are the moments at which any of them closed; `positions` has one row each.
    `refused` counts orders that risk refused, `orders` those that were decided, refused ones among them.
    """

    engine: str
    at: Ints
    equity: Floats
    cash: Floats
    positions: Floats
    fills: Fills
    orders: int
    refused: int
    notes: tuple[str, ...] = ()
    carried: Carried = field(default_factory=Carried)
