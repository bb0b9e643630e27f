"""Losses and purchases of one person, all of their accounts together, in which wash sales are looked for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from evenkeel.desk.taxes.books import LotBooks, Settings
from evenkeel.domain.lots import Closing
from evenkeel.domain.money import ZERO, add
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.taxes import in_force
from evenkeel.domain.washes import Loss, Purchase
from evenkeel.trading.engine.state import State


class Past(NamedTuple):
    """What was sold at a loss where it counts, and what was bought long."""

    losses: list[Loss]
    purchases: list[Purchase]


def counts(settings: Settings, closing: Closing) -> bool:
    """Whether a closing is a loss of a long in an account that is taxed on that day; where nothing is said, it is."""
    terms = in_force(settings, closing.closed)
    return closing.quantity > 0 and closing.gain < 0 and (terms is None or terms.is_taxed)


def past(state: State, books: LotBooks, taxes: Mapping[str, Settings], *, instrument_id: str) -> Past:
    """Of an instrument, in accounts with their settings. What was bought before a split is in its units of then where
    it has been sold since."""
    found = Past([], [])
    for key in books.keys(taxes, instrument_id=instrument_id):
        lots = books.lots(state, key, taxes[key.account_id])
        assert lots.closed is not None
        found.losses.extend(Loss(key.account_id, one) for one in lots.closed if counts(taxes[key.account_id], one))
        opened = [(lot.quantity, lot.opened, lot.origin) for lot in lots.held]
        found.purchases.extend(
            _purchases(key, [*opened, *((one.quantity, one.opened, one.origin) for one in lots.closed)])
        )
    return found


def _purchases(key: PositionKey, opened: Iterable[tuple[Decimal, date, str]]) -> Iterable[Purchase]:
    """One a day and an order; what a split has left over was not bought."""
    bought: dict[tuple[date, str], Decimal] = defaultdict(lambda: ZERO)
    for quantity, day, origin in opened:
        if quantity > 0 and origin:
            bought[day, origin] = add(bought[day, origin], quantity)
    return [Purchase(key.account_id, day, quantity, origin) for (day, origin), quantity in bought.items()]
