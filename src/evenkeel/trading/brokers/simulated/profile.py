"""The simulated venue as data."""

from evenkeel.domain.clock import SECOND
from evenkeel.trading.brokers.profiles import PLAIN_KINDS, PLAIN_TIMES, BrokerProfile, LookupKind

IN_PROCESS = BrokerProfile(
    name="simulated",
    title="Simulated (in this process)",
    is_simulated=True,
    order_kinds=PLAIN_KINDS,
    times_in_force=PLAIN_TIMES,
    dedupes_client_id=True,
    lookup=LookupKind.EXACT,
    settle_time=0,
    most_at_once=4_096,
    history_window=100 * 365 * 24 * 3600 * SECOND,
    reconcile_every=0,
    reconcile_after=0,
)
OWN_PROCESS = BrokerProfile(
    name="simulated-process",
    title="Simulated (its own process)",
    is_simulated=True,
    order_kinds=PLAIN_KINDS,
    times_in_force=PLAIN_TIMES,
    dedupes_client_id=True,
    lookup=LookupKind.EXACT,
    settle_time=2 * SECOND,
    history_window=100 * 365 * 24 * 3600 * SECOND,
)
