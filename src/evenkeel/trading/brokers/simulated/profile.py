"""The simulated venue as data."""

from evenkeel.domain.clock import SECOND
from evenkeel.domain.orders import OrderKind, TimeInForce
from evenkeel.trading.brokers.profiles import BrokerProfile, LookupKind

IN_PROCESS = BrokerProfile(
    name="simulated",
    title="Simulated (in this process)",
    is_simulated=True,
    order_kinds=frozenset(OrderKind),
    times_in_force=frozenset(TimeInForce),
    dedupes_client_id=True,
    lookup=LookupKind.EXACT,
    settle_time=0,
    history_window=100 * 365 * 24 * 3600 * SECOND,
)
OWN_PROCESS = BrokerProfile(
    name="simulated-process",
    title="Simulated (its own process)",
    is_simulated=True,
    order_kinds=frozenset(OrderKind),
    times_in_force=frozenset(TimeInForce),
    dedupes_client_id=True,
    lookup=LookupKind.EXACT,
    settle_time=2 * SECOND,
    history_window=100 * 365 * 24 * 3600 * SECOND,
)
