"""Whom a turn concerns: orders over a holding that it has changed, and those of an account that it has compared."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from evenkeel.domain import records as r
from evenkeel.domain.orders import Order
from evenkeel.trading.engine.turn import Turn


class Concerned(NamedTuple):
    """Holdings by account and instrument in which something has filled or moved, and the accounts compared."""

    holdings: set[tuple[str, str]]
    accounts: set[str]

    def of(self, index: Mapping[str, Mapping[str, Order]]) -> Iterator[Order]:
        """Those of the orders, which are by instrument and by id."""
        names = {name for _, name in self.holdings}
        for name, known in index.items():
            for order in known.values() if self.accounts or name in names else ():
                account_id = order.spec.account_id
                if account_id in self.accounts or (account_id, name) in self.holdings:
                    yield order


def by(turn: Turn) -> Concerned:
    """Whom the records of a turn concern so far."""
    found = Concerned(set(), set())
    for record in turn.records:
        match record:
            case r.FillBooked():
                found.holdings.add((record.fill.account_id, record.fill.instrument_id))
            case r.PositionCorrected():
                found.holdings.add((record.key.account_id, record.key.instrument_id))
            case r.OrderMoved():
                spec = turn.state.orders[record.order_id].spec
                found.holdings.add((spec.account_id, spec.instrument_id))
            case r.AccountReconciled():
                found.accounts.add(record.account_id)
    return found
