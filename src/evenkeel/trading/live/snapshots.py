"""Taking an account's picture from its broker: executions around positions, then orders, then what is missing."""

import asyncio
import time
from typing import TYPE_CHECKING

from evenkeel.domain.errors import BrokerUnavailable
from evenkeel.domain.events import BrokerSnapshot, Lookup
from evenkeel.domain.orders import Order
from evenkeel.trading.brokers.ports import Broker
from evenkeel.trading.brokers.profiles import LookupKind

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

ATTEMPTS = 5


async def take_snapshot(runner: "Runner", broker: Broker, account_id: str) -> BrokerSnapshot:
    """A consistent picture: the executions read before and after the positions are the same.

    Raises BrokerError or TimeoutError; an error is never turned into an empty book.
    """
    timeout = broker.profile.query_timeout / 1e9
    booked = len(runner.state.fills)
    since = max(0, runner.clock.now() - broker.profile.history_window)
    async with asyncio.timeout(timeout):
        for _ in range(ATTEMPTS):
            before = await broker.executions(account_id, since)
            positions = await broker.positions(account_id)
            orders = await broker.open_orders(account_id)
            executions = await broker.executions(account_id, since)
            if len(before) == len(executions):
                break
        else:
            raise BrokerUnavailable("executions kept arriving while the account was being read")
    listed = {order.venue_client_id for order in orders}
    listed |= {order.venue_order_id for order in orders}
    working = tuple(runner.state.account(account_id).working.values())
    missing = [
        order
        for order in working
        if order.venue_client_id not in listed
        and order.venue_order_id not in listed
        and not runner.dispatcher.is_waiting(order.id)
    ]
    lookups = [await _look_up(runner, broker, order) for order in missing]
    return BrokerSnapshot(
        account_id=account_id,
        complete=True,
        since=since,
        booked=booked,
        orders=orders,
        executions=executions,
        positions=positions,
        lookups=tuple(lookups),
    )


async def _look_up(runner: "Runner", broker: Broker, order: Order) -> Lookup:
    """Asks what became of one order; absence proves something only when exact, and late enough to be final."""
    profile = broker.profile
    if profile.lookup is LookupKind.NONE:
        return Lookup(order_id=order.id, found=None, conclusive=False)
    if not runner.deterministic and order.send_by:
        await asyncio.sleep(max(0.0, (order.send_by + profile.settle_time - time.time_ns()) / 1e9))
    async with asyncio.timeout(profile.query_timeout / 1e9):
        found = await broker.order_status(order.spec.account_id, order.venue_client_id)
    return Lookup(order_id=order.id, found=found, conclusive=profile.lookup is LookupKind.EXACT)
