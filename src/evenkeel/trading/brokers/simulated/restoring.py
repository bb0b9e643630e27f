"""The book that a journal's fold stands for: what a venue in this process remembers after a restart."""

from evenkeel.trading.brokers.simulated.orders import BookState, execution_of, from_journal
from evenkeel.trading.brokers.simulated.terms import Terms
from evenkeel.trading.brokers.standing import Standing


def state_of(standing: Standing) -> BookState:
    """Accounts, cash, holdings, orders that have reached the venue, and what has been executed of them."""
    state = BookState(
        accounts={account.id: account for account in standing.accounts},
        instruments={instrument.id: instrument for instrument in standing.instruments},
        seen=dict(standing.last_seen),
        prices={name: float(price) for name, price in standing.last_prices.items()},
        splits=set(standing.splits),
    )
    state.cash.update({name: dict(standing.cash.get(name, {})) for name in state.accounts})
    clients, terms = {}, Terms(state.accounts.values())
    for order in standing.orders:
        if order.has_venue_event and order.spec.account_id in state.accounts:
            held = from_journal(order)
            held.since += terms.late(order.spec)
            state.orders[held.key] = held
            clients[order.id] = held
    for fill in standing.fills:
        if fill.order_id in clients and fill.reverses is None and not fill.synthetic:
            event = execution_of(fill, clients[fill.order_id])
            state.executions.setdefault(fill.account_id, []).append(event)
    for position in standing.positions:
        state.ledger.hold(position)
    return state
