"""Taking an account's picture from its broker: orders, then what is missing, then executions around positions."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from evenkeel.domain.accounts import SEND_BY
from evenkeel.domain.errors import BrokerUnavailable
from evenkeel.domain.events import BrokerOrder, BrokerPosition, BrokerSnapshot, Lookup, VenueFilled
from evenkeel.domain.orders import Order
from evenkeel.trading.brokers.ports import Broker
from evenkeel.trading.brokers.profiles import LookupKind

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

ATTEMPTS = 5
LOOK_AGAIN = 1.0


async def take_snapshot(runner: "Runner", broker: Broker, account_id: str, *, routine: bool = False) -> BrokerSnapshot:
    """A consistent picture: what orders and lookups say has filled is among the executions, which are read last.

    Raises BrokerError or TimeoutError; an error is never turned into an empty book.
    """
    timeout = broker.profile.query_timeout / 1e9
    booked = len(runner.state.fills)
    since = max(0, runner.clock.now() - broker.profile.history_window)
    async with asyncio.timeout(timeout):
        orders = await broker.open_orders(account_id)
    # An intent whose commit is under way has not been given to the dispatcher yet, and would look lost.
    await runner.settled()
    lookups = [await _look_up(runner, broker, order) for order in _missing(runner, account_id, orders)]
    async with asyncio.timeout(timeout):
        executions, positions = await _executed(broker, account_id, since)
    if not positions and not runner.deterministic and any(runner.state.account(account_id).net.values()):
        # Some brokers show nothing when they cannot answer: an account that is suddenly empty is looked at once more.
        await asyncio.sleep(LOOK_AGAIN)
        async with asyncio.timeout(timeout):
            executions, positions = await _executed(broker, account_id, since)
    return BrokerSnapshot(
        account_id=account_id,
        complete=True,
        since=since,
        booked=booked,
        orders=orders,
        executions=executions,
        positions=positions,
        lookups=tuple(lookups),
        routine=routine,
    )


async def _executed(
    broker: Broker, account_id: str, since: int
) -> tuple[tuple[VenueFilled, ...], tuple[BrokerPosition, ...]]:
    """Executions, and the positions they led to: the executions read before and after are the same."""
    for _ in range(ATTEMPTS):
        before = await broker.executions(account_id, since)
        positions = await broker.positions(account_id)
        executions = await broker.executions(account_id, since)
        if len(before) == len(executions):
            return executions, positions
    raise BrokerUnavailable("executions kept arriving while the account was being read")


def _missing(runner: "Runner", account_id: str, orders: Iterable[BrokerOrder]) -> list[Order]:
    """Our working orders that the broker does not list, but for those that are still on their way to it.

    What it lists by an id of ours is that order, though an older one was once given the same id of the broker's.
    """
    twins, known, listed = runner.state.twins, runner.state.venue_client_ids, set[str | None]()
    for order in orders:
        is_ours = order.venue_client_id in known and (account_id, order.venue_order_id) not in twins
        listed.add(order.venue_client_id if is_ours else order.venue_order_id)
    return [
        order
        for order in runner.state.account(account_id).working.values()
        if order.venue_client_id not in listed
        and order.venue_order_id not in listed
        and not runner.dispatcher.is_waiting(order.id)
    ]


async def _look_up(runner: "Runner", broker: Broker, order: Order) -> Lookup:
    """Asks what became of one order; absence proves something only when exact, and late enough to be final."""
    profile = broker.profile
    if profile.lookup is LookupKind.NONE:
        return Lookup(order_id=order.id, found=None, conclusive=False)
    if not runner.deterministic and order.send_by:
        # However the wall clock may have been set, no intent is sent later than this after it was decided.
        left = min(order.send_by - runner.clock.wall(), SEND_BY)
        await asyncio.sleep(max(0.0, (left + profile.settle_time) / 1e9))
    async with asyncio.timeout(profile.query_timeout / 1e9):
        found = await broker.order_status(order.spec.account_id, order.venue_client_id)
    return Lookup(order_id=order.id, found=found, conclusive=profile.lookup is LookupKind.EXACT)
