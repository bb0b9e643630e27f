"""The hub between the runner and the streams: committed batches in, numbered deltas out, per user.

Orders, fills, events and equity go out with their batch. Accounts, positions, strategies and quotes are states that
move with every price: they are gathered and go out at most four times a second. All of it happens on the runner's
loop; a channel's numbers never skip.
"""

import asyncio
from typing import Any

from msgspec.structs import replace

from evenkeel.desk.backtests import Backtest
from evenkeel.desk.ports import User
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.server import backtests, halting, status, views
from evenkeel.server.halting import PanicOut
from evenkeel.server.jobs.job import Progress
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant
from evenkeel.server.streams.changes import Changes
from evenkeel.server.streams.channel import CHANNELS, Channel
from evenkeel.server.streams.lines import EventLog, line
from evenkeel.trading.engine.state import State

FLUSH_EVERY = 0.25
PAST = 3_000


class Desk:
    """The channels of one user."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.channels = {name: Channel(name) for name in CHANNELS}
        self.halts: dict[str, PanicOut] = {}

    def publish(self, name: str, item: Any) -> None:
        self.channels[name].publish(item)


class Hub:
    """Subscribe it to the runner, and give its `market_moved` to the feed. `desks` are made as users connect."""

    def __init__(self, parts: AppParts) -> None:
        self.parts = parts
        self.log = EventLog()
        self.recent_equity: list[Any] = []
        self.desks: dict[str, Desk] = {}
        self.lag = 0
        self._gathered = Changes()
        self._moved: dict[str, None] = {}
        self._flushed = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._status: Any = None
        for seq, record in parts.past(PAST):
            self._log(parts.runner.state, record, seq=seq)

    def desk(self, user: User) -> Desk:
        """The user's channels, from now on kept up to date."""
        return self.desks.setdefault(user.id, Desk(user))

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Tells every user of one batch. The state is exactly that of the batch's last record."""
        state = self.parts.runner.state
        changes = Changes()
        changes.take(state, records)
        for seq, record in enumerate(records, batch.first_seq):
            event = self._log(state, record, seq=seq)
            if event is not None:
                changes.events.append(event)
        self.recent_equity += changes.equity
        del self.recent_equity[:-500]
        for desk in self.desks.values():
            _publish_now(desk, Tenant(desk.user, state), changes=changes)
        gathered = self._gathered
        gathered.accounts.update(changes.accounts)
        gathered.positions.update(changes.positions)
        gathered.deployments.update(changes.deployments)
        gathered.system = gathered.system or changes.system
        self._flush_soon()

    def _log(self, state: State, record: AnyRecord, *, seq: int) -> Any:
        event = line(state, record, seq)
        if event is not None:
            self.log.add(event)
        return event

    def market_moved(self, market: MarketSlice) -> None:
        """Prices have moved: whatever they value will be told again."""
        for bar in market.bars:
            self._moved[bar.instrument_id] = None
        for quote in market.quotes:
            self._moved[quote.instrument_id] = None
        self.marks_moved()

    def marks_moved(self) -> None:
        """Has the gathered states told soon, and with them everything that the moved prices value."""
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self.desks or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._flushed + FLUSH_EVERY - loop.time()
        if wait <= 0:
            self._flush()
        else:
            self._timer = loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        """Tells what has gathered. While memory is ahead of the journal, it leaves that to the commit on its way."""
        self._timer = None
        runner = self.parts.runner
        if runner.state.seq > runner.committed_seq:
            return
        gathered, moved = self._gathered, self._moved
        self._gathered, self._moved = Changes(), {}
        self._flushed = asyncio.get_running_loop().time()
        state = runner.state
        if moved:
            _valued_by(state, moved, into=gathered)
        for desk in self.desks.values():
            tenant = Tenant(desk.user, state)
            _publish_states(desk, tenant, gathered=gathered)
            if state.halts or desk.halts:
                self._publish_halts(desk, tenant)
            for instrument_id in moved:
                if instrument_id in state.instruments:
                    desk.publish("quotes", views.quote(state, state.instruments[instrument_id]))
        if gathered.system:
            self.tell_status()

    def _publish_halts(self, desk: Desk, tenant: Tenant) -> None:
        """Tells of panics that have moved, and of those that are over; a cool-down that runs is no news."""
        found = {halt.id: halt for halt in halting.panics_of(tenant, self.parts.runner.clock)}
        for halt_id, halt in found.items():
            known = desk.halts.get(halt_id)
            if known is None or replace(known, cooldown_left=halt.cooldown_left) != halt:
                desk.publish("halts", halt)
        for halt_id, known in desk.halts.items():
            if halt_id not in found:
                desk.publish("halts", replace(known, state="resumed", left=[]))
        desk.halts = found

    def backtest_changed(self, backtest: Backtest, progress: Progress | None) -> None:
        """Tells its user how a backtest is."""
        desk = self.desks.get(backtest.user_id)
        if desk is not None:
            desk.publish("backtests", backtests.line(backtest, progress))

    def tell_status(self) -> None:
        """Publishes the system's status where it differs from the last one told."""
        found = status.status(self.parts, self.lag)
        if found == self._status:
            return
        self._status = found
        for desk in self.desks.values():
            desk.publish("system", found)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _publish_now(desk: Desk, tenant: Tenant, *, changes: Changes) -> None:
    state = tenant.state
    for order_id in changes.orders:
        order = state.orders[order_id]
        if tenant.owns(order.spec.account_id):
            desk.publish("orders", views.order(state, order))
    for key in changes.fills:
        if tenant.owns(key[0]):
            desk.publish("fills", views.fill(state, state.fills[key]))
    for point in changes.equity:
        if tenant.owns(point.account_id):
            desk.publish("equity", point)
    for event in changes.events:
        if tenant.sees_event(event):
            desk.publish("events", event)


def _publish_states(desk: Desk, tenant: Tenant, *, gathered: Changes) -> None:
    state = tenant.state
    for account_id in gathered.accounts:
        if tenant.owns(account_id):
            desk.publish("accounts", views.account(state, state.accounts[account_id]))
    for key in gathered.positions:
        position = state.accounts[key.account_id].positions.get(key) if tenant.owns(key.account_id) else None
        if position is not None:
            desk.publish("positions", views.position(state, position))
    for deployment_id in gathered.deployments:
        held = state.deployments.get(deployment_id)
        if held is not None and tenant.sees(held):
            desk.publish("strategies", views.deployment(state, held))


def _valued_by(state: State, moved: dict[str, None], *, into: Changes) -> None:
    """Adds the positions that the moved prices value, with their accounts and strategies."""
    for held in state.accounts.values():
        touched: list[PositionKey] = [
            key for key, position in held.positions.items() if key.instrument_id in moved and position.quantity
        ]
        if touched:
            into.accounts[held.account.id] = None
        for key in touched:
            into.positions[key] = None
            into.deployments[key.book] = None
