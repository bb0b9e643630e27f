"""What our journal says stands at a venue. One that lives in this process is rebuilt from it; others have their own."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.accounts import Account
from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.orders import Order
from evenkeel.domain.positions import Position


class Standing(Struct, frozen=True, kw_only=True):
    """The accounts of one broker and, for a simulated one, all that its book is made of.

    `orders` and `fills` may be all there are: an order without a venue event never reached the venue.
    `positions` of several books add up. `cash` is by account and currency. `last_seen`: the last bar close or
    quote per instrument (ns); `last_prices`: its last raw price; `splits`: those applied already.
    """

    accounts: Iterable[Account] = ()
    instruments: Iterable[Instrument] = ()
    orders: Iterable[Order] = ()
    fills: Iterable[Fill] = ()
    positions: Iterable[Position] = ()
    cash: Mapping[str, Mapping[str, Decimal]] = {}
    last_seen: Mapping[str, int] = {}
    last_prices: Mapping[str, float] = {}
    splits: Iterable[tuple[str, date]] = ()
