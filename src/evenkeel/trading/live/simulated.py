"""The simulated broker in this process has no memory of its own: what stands there is what the journal says."""

from evenkeel.market.feeds.ports import Feed
from evenkeel.trading.brokers.standing import Standing
from evenkeel.trading.engine.state import Mark, State


def standing(state: State, name: str) -> Standing:
    """What the folded state says of the accounts at broker `name`.

    Every instrument counts as seen up to the feed's cursor, and beyond it where an order was touched by a bar.
    """
    ours = [held for held in state.accounts.values() if held.account.broker == name]
    cursor = state.cursor or 0
    return Standing(
        accounts=[held.account for held in ours],
        instruments=state.instruments.values(),
        orders=state.orders.values(),
        fills=state.fills.values(),
        positions=[position for held in ours for position in held.positions.values()],
        cash={held.account.id: held.cash for held in ours},
        last_seen={one: max(cursor, state.bars_seen.get(one, 0)) for one in state.instruments},
        last_prices={one: mark.price for one, mark in state.marks.items()},
        splits=state.splits_applied,
    )


def recall_marks(state: State, feed: Feed) -> None:
    """Marks are not journalled: after a recovery they are the last bars closed at the feed's cursor."""
    if state.cursor is None:
        return
    known = {one.id for one in feed.instruments} & state.instruments.keys()
    for instrument_id in known:
        bars = feed.history(instrument_id, feed.timeframes[0], before=state.cursor, count=1)
        for bar in bars:
            state.marks[instrument_id] = Mark(bar.close, bar.close_ts, bar.spread)
