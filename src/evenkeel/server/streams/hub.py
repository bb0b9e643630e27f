"""The hub between the runner and the streams: committed batches in, numbered deltas out, per user.

Orders, fills, events and equity go out with their batch. Accounts, positions, strategies and quotes are states that
move with every price: they are gathered and go out at most four times a second. All of it happens on the runner's
loop; a channel's numbers never skip.
"""

import asyncio
from typing import Any

from msgspec.structs import replace

from evenkeel.desk.backtests import Backtest
from evenkeel.desk.permissions import Principal
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import AnyRecord, Batch, DayClosed
from evenkeel.server import backtests, copying, halting, status, views
from evenkeel.server.halting import PanicOut
from evenkeel.server.jobs.job import Progress
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant
from evenkeel.server.streams.changes import Changes
from evenkeel.server.streams.channel import CHANNELS, Channel
from evenkeel.server.streams.lines import EventLog, line
from evenkeel.server.streams.risks import RiskOut, news, risks_of
from evenkeel.trading.engine.state import State

View = tuple[str, frozenset[str] | None, bool]
"""What tells desks apart: whose it is, the accounts that a key is confined to, and whether it keeps the home."""
FLUSH_EVERY = 0.25
PAST = 3_000


class Desk:
    """The channels of one person, or of those of their keys that see the same."""

    def __init__(self, by: Principal) -> None:
        self.by = by
        self.channels = {name: Channel(name) for name in CHANNELS}
        self.halts: dict[str, PanicOut] = {}
        self.risks: dict[str, RiskOut] = {}

    def publish(self, name: str, item: Any) -> None:
        self.channels[name].publish(item)


class Hub:
    """Subscribe it to the runner, and give its `market_moved` to the feed. `desks` are made as users connect."""

    def __init__(self, parts: AppParts) -> None:
        self.parts = parts
        self.log = EventLog(lambda: parts.runner.state)
        self.recent_equity: list[Any] = []
        self.desks: dict[View, Desk] = {}
        self.lag = 0
        self._gathered = Changes()
        self._moved: dict[str, None] = {}
        self._flushed = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._status: Any = None
        for seq, record in parts.past(PAST):
            self.log.note(record, seq)

    def desk(self, by: Principal) -> Desk:
        """The channels of whoever asks, from now on kept up to date."""
        return self.desks.setdefault((by.user.id, by.accounts, by.is_admin), Desk(by))

    def forget(self, user_id: str) -> None:
        """What a person may see has changed: their channels begin anew, under a new epoch."""
        for view in [view for view in self.desks if view[0] == user_id]:
            del self.desks[view]

    def seen_by(self, by: Principal) -> Tenant:
        """What somebody may see now."""
        return Tenant(by, self.parts.runner.state, shared=self.parts.shares.received(by.user.id))

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Tells every user of one batch. The state is exactly that of the batch's last record."""
        state = self.parts.runner.state
        if not self.desks:
            self._note(state, batch.first_seq, records)
            return
        changes = Changes()
        changes.take(state, records)
        for seq, record in enumerate(records, batch.first_seq):
            event = line(state, record, seq)
            if event is not None:
                self.log.add(event)
                changes.events.append(event)
        self._keep_equity(changes.equity)
        for desk in self.desks.values():
            _publish_now(desk, self.seen_by(desk.by), changes=changes)
        gathered = self._gathered
        gathered.accounts.update(changes.accounts)
        gathered.positions.update(changes.positions)
        gathered.deployments.update(changes.deployments)
        gathered.copies.update(changes.copies)
        gathered.system = gathered.system or changes.system
        self._flush_soon()

    def _note(self, state: State, first: int, records: tuple[AnyRecord, ...]) -> None:
        """Keeps what somebody who comes later is to be told of a batch; all else is in the state."""
        for seq, record in enumerate(records, first):
            self.log.note(record, seq)
            if isinstance(record, DayClosed):
                self._keep_equity([views.equity_point(state, record)])

    def _keep_equity(self, points: list[Any]) -> None:
        self.recent_equity += points
        del self.recent_equity[:-500]

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
            tenant = self.seen_by(desk.by)
            _publish_states(desk, tenant, gathered=gathered)
            if state.halts or desk.halts:
                self._publish_halts(desk, tenant)
            if state.mtm or state.tiered or desk.risks or gathered.system:
                self._publish_risks(desk, tenant)
            for instrument_id in moved:
                if instrument_id in state.instruments:
                    desk.publish("quotes", views.quote(state, state.instruments[instrument_id], now=runner.clock.now()))
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

    def _publish_risks(self, desk: Desk, tenant: Tenant) -> None:
        found = risks_of(tenant, self.parts.runner.clock)
        for one in news(desk.risks, found):
            desk.publish("risk", one)
        desk.risks = found

    def backtest_changed(self, backtest: Backtest, progress: Progress | None) -> None:
        """Tells its user how a backtest is."""
        for (user_id, *_), desk in self.desks.items():
            if user_id == backtest.user_id:
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
    if state.copying.links:
        # What is ordered or held in a link's book changes how its follower stands.
        for link_id in gathered.copies.keys() | (gathered.deployments.keys() & state.copying.links.keys()):
            one = state.copying.links[link_id]
            if copying.sees(tenant, one):
                desk.publish("copies", copying.link(tenant, one))


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
