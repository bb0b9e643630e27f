"""The simulated broker inside this process: its book is what the journal says it did."""

from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.standing import Standing
from evenkeel.trading.engine.state import State


def restored(state: State, name: str) -> SimulatedBroker:
    """The in-process broker `name`, with the book that the folded state stands for.

    Every instrument counts as seen up to the feed's cursor, and beyond it where an order was touched by a bar.
    """
    ours = [held for held in state.accounts.values() if held.account.broker == name]
    cursor = state.cursor or 0
    standing = Standing(
        accounts=[held.account for held in ours],
        instruments=state.instruments.values(),
        orders=state.orders.values(),
        fills=state.fills.values(),
        positions=[position for held in ours for position in held.positions.values()],
        cash={held.account.id: held.cash for held in ours},
        last_seen={name: max(cursor, state.bars_seen.get(name, 0)) for name in state.instruments},
        last_prices={name: mark.price for name, mark in state.marks.items()},
        splits=state.splits_applied,
    )
    return SimulatedBroker(Book.restore(standing))
