"""The strategies' side of the live desk: deployments follow the journal, and what hosts answer becomes commands.

Each user's strategies run in a host of their own, in a lane that this file tells what has happened. The market waits
for all lanes, but not longer than `patience`: one that has not answered by then is late. It works off what it is told
by itself, its commands are committed as they come, and the market goes on without it until it has caught up.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial

import structlog

from evenkeel.domain import records as r
from evenkeel.domain.commands import AnyCommand, PauseDeployment, TakeSignal
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.events import CursorAdvanced
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.domain.strategies import Deployment, Signal
from evenkeel.market.feeds.ports import Feed
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.hosting.lane import Lane
from evenkeel.trading.live.hosting.ports import Hosts, HostStatus
from evenkeel.trading.live.hosting.stage import Stage
from evenkeel.trading.live.ports import StateOwner
from evenkeel.trading.strategies.messages import (
    FillCame,
    Holding,
    HostFault,
    News,
    OrderCame,
    Output,
    PositionStated,
    SliceCame,
)

log = structlog.get_logger(__name__)
FIRST_PATIENCE = 10
FAR_BEHIND = 64
Deliver = Callable[[Sequence[AnyCommand], CursorAdvanced], Awaitable[None]]
"""Commits what a late lane wants, with how far it is, and returns when what follows at once has been answered."""


class StrategyDesk:
    """Keeps hosts in step with the deployments of `owner.state`, and collects what the strategies ask for.

    `deliver` takes what comes late. `on_exchange` is told how long each exchange with a host took (seconds).
    """

    def __init__(
        self, hosts: Hosts, feed: Feed, owner: StateOwner, *, on_exchange: Callable[[float], None] | None = None
    ) -> None:
        self.feed = feed
        self.owner = owner
        self.deliver: Deliver | None = None
        self._hosts = hosts
        self._stage = Stage(feed, owner, hosts.origin)
        self._lanes: dict[str, Lane] = {}
        self._homes: dict[str, Lane] = {}
        self._late: dict[str, asyncio.Task[None]] = {}
        self._asking: dict[str, asyncio.Task[list[Output]]] = {}
        self._stale: set[str] = set(owner.state.deployments)
        self._places = dict(owner.state.places)
        self._is_new = True
        self._on_exchange = on_exchange or (lambda seconds: None)

    @property
    def state(self) -> State:
        return self.owner.state

    @property
    def is_late(self) -> bool:
        """Whether anybody's strategies are behind the market."""
        return bool(self._late)

    def hosts(self) -> list[HostStatus]:
        """How the host of every user stands, and of those who had one."""
        return [lane.status() for lane in self._lanes.values()]

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Notes what hosts must be told at their next turn."""
        deployments = self.state.deployments
        for record in records if deployments else ():
            match record:
                case r.DeploymentChanged():
                    self._changed(record.deployment)
                case r.FillBooked() if record.fill.book in deployments:
                    self._put(record.fill.book, FillCame(record.fill))
                    order = self.state.orders[record.fill.order_id]
                    if not order.is_working:
                        self._put(order.spec.book, OrderCame(order))  # filled: nothing more will move it
                case r.OrderDecided() | r.OrderMoved() | OrderReleased():
                    order = self.state.orders[record.order_id]
                    if order.spec.book in deployments:
                        self._put(order.spec.book, OrderCame(order))
                case r.SplitApplied():
                    self._restate([part.key for part in record.positions])
                case r.PositionCorrected():
                    self._restate([record.key])

    def prepare(self, before: int) -> None:
        """Brings deployments up to date, as of `before` (ns): one that begins hears of all its orders meet after it."""
        places, self._places = self._places, {}
        if places:
            self._resume(places, before)
        for deployment_id in sorted(self._stale - places.keys()):
            held, lane = self.state.deployments[deployment_id], self._lane(deployment_id)
            hosted = lane.hosted.get(deployment_id)
            if not held.is_running:
                lane.retire(deployment_id)
            elif hosted is None or _as_hosted(held.deployment) != _as_hosted(hosted.deployment):
                lane.begin(deployment_id, before=before)
        self._stale.clear()

    async def on_slice(self, market: MarketSlice) -> list[AnyCommand]:
        """What the strategies answer to one moment of the market."""
        for lane in self._lanes.values():
            if lane.hosted or lane.inbox:
                lane.put(SliceCame(market))
        return await self._collect()

    async def react(self) -> list[AnyCommand]:
        """What they answer to fills and order events since the last call, and as they begin."""
        return await self._collect()

    def cursor(self, at: int, *, ended: bool = False) -> CursorAdvanced:
        """What to record once the answers so far are: up to `at` all of the market has been told, but to the late."""
        memories = {name: memory for lane in self._lanes.values() for name, memory in lane.sure.memories.items()}
        return CursorAdvanced(at, memories, ended, self._places_of(self._late))

    async def caught_up(self) -> None:
        """Returns when nobody is late."""
        while self._late:
            await asyncio.wait(self._late.values())

    async def close(self) -> None:
        """Ends all hosts."""
        tasks = [*self._late.values(), *self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))

    def _changed(self, deployment: Deployment) -> None:
        """What a strategy remembers of another program must not be recorded as what this one remembers."""
        self._stale.add(deployment.id)
        lane = self._lane(deployment.id)
        before = lane.hosted.get(deployment.id)
        if before is not None and before.deployment.program != deployment.program:
            lane.retire(deployment.id)

    def _restate(self, keys: Iterable[PositionKey]) -> None:
        for key in keys:
            quantity = self.state.position(key).quantity
            self._put(key.book, PositionStated(key.book, Holding(key.account_id, key.instrument_id, quantity)))

    def _put(self, deployment_id: str, news: News) -> None:
        if deployment_id in self.state.deployments:
            lane = self._lane(deployment_id)
            if lane.hosted or lane.inbox:
                lane.put(news)

    def _lane(self, deployment_id: str) -> Lane:
        """That of the user whose accounts the deployment trades; it stays there as long as the desk runs."""
        lane = self._homes.get(deployment_id)
        if lane is None:
            accounts = self.state.deployments[deployment_id].deployment.accounts
            held = self.state.accounts.get(accounts[0].account_id) if accounts else None
            lane = self._homes[deployment_id] = self._lane_of("" if held is None else held.account.user_id)
        return lane

    def _lane_of(self, user_id: str) -> Lane:
        lane = self._lanes.get(user_id)
        if lane is None:
            woken = partial(self._wake, user_id)
            lane = self._lanes[user_id] = Lane(user_id, self._hosts, self._stage, clock=time.monotonic, woken=woken)
        return lane

    def _resume(self, places: dict[str, int], before: int) -> None:
        """Those that were late when the owner stopped begin where they were, and are told what they have missed."""
        waiting: dict[str, deque[tuple[int, str]]] = defaultdict(deque)
        for at, deployment_id in sorted((at, name) for name, at in places.items() if name in self._stale):
            if self.state.deployments[deployment_id].is_running:
                waiting[self._lane(deployment_id).user_id].append((at, deployment_id))
        for user_id, found in waiting.items():
            lane = self._lanes[user_id]
            lane.newest = found[0][0]
            for market in self._missed(lane.newest, before):
                _begin(lane, found, before=market.at)
                lane.put(SliceCame(market))
            _begin(lane, found)

    def _missed(self, after: int, until: int) -> Iterator[MarketSlice]:
        for market in self.feed.slices(after=after):
            if market.at > until:
                return
            yield market

    async def _collect(self) -> list[AnyCommand]:
        """Has every lane that is not late work off what waits; those that take too long are late from now on."""
        asked = {
            user_id: asyncio.create_task(lane.exchange(), name=f"strategies of {user_id}")
            for user_id, lane in self._lanes.items()
            if lane.inbox and user_id not in self._late
        }
        self._asking = asked
        far_behind = [task for name, task in self._late.items() if self._lanes[name].behind > FAR_BEHIND]
        if asked or far_behind:
            await asyncio.wait([*asked.values(), *far_behind], timeout=self._patience())
        self._asking = {}
        commands: list[AnyCommand] = []
        for user_id, task in asked.items():
            lane = self._lanes[user_id]
            if task.done():
                commands += self._taken(lane, task.result())
            else:
                log.warning("strategies are late; the market goes on without them", user=user_id)
                late = asyncio.create_task(self._catch_up(lane, task), name=f"late strategies of {user_id}")
                self._late[user_id] = late
        return commands

    def _patience(self) -> float | None:
        """Longer at the very first, while hosts start and nobody's market moves yet."""
        patience, is_new, self._is_new = self._hosts.patience, self._is_new, False
        return patience * FIRST_PATIENCE if is_new and patience is not None else patience

    def _taken(self, lane: Lane, outputs: list[Output]) -> list[AnyCommand]:
        lane.sure = lane.reached()
        self._on_exchange(lane.status().last)
        return [_command(output) for output in outputs]

    async def _catch_up(self, lane: Lane, asked: asyncio.Task[list[Output]] | None) -> None:
        """Works off what a late lane is told until nothing waits, and delivers each answer as it comes."""
        try:
            outputs = await (lane.exchange() if asked is None else asked)
            while True:
                commands = self._taken(lane, outputs)
                if commands and self.deliver is not None:
                    places = self._places_of([lane.user_id, *self._late])
                    at = self.feed.start if self.state.cursor is None else self.state.cursor
                    await self.deliver(commands, CursorAdvanced(at, lane.sure.memories, self.state.feed_ended, places))
                if not lane.inbox:
                    return
                outputs = await lane.exchange()
        except EvenkeelError as error:
            log.warning("late strategies were not listened to", user=lane.user_id, reason=error.message)
        finally:
            self._late.pop(lane.user_id, None)

    def _places_of(self, users: Iterable[str]) -> dict[str, int]:
        return {name: at for user_id in users for name, at in self._lanes[user_id].sure.places.items()}

    def _wake(self, user_id: str) -> None:
        """A host has died while it had nothing to do: its deployments are put to work again at once."""
        lane = self._lanes[user_id]
        if lane.hosted and lane.user_id not in self._late and lane.user_id not in self._asking:
            task = asyncio.create_task(self._catch_up(lane, None), name=f"strategies of {lane.user_id}, again")
            self._late[lane.user_id] = task


def _begin(lane: Lane, waiting: deque[tuple[int, str]], before: int | None = None) -> None:
    """Has those begin whose place lies before a moment (ns), or all."""
    while waiting and (before is None or waiting[0][0] < before):
        at, deployment_id = waiting.popleft()
        lane.begin(deployment_id, before=at)


def _as_hosted(deployment: Deployment) -> tuple[object, ...]:
    """What its host goes by: shares and rules are the engine's."""
    return *deployment.program, deployment.sizing, [one.account_id for one in deployment.accounts]


def _command(output: Output) -> AnyCommand:
    if isinstance(output, Signal):
        provenance = Provenance(actor=output.deployment_id, source=Source.DEPLOYMENT)
        return TakeSignal(provenance=provenance, signal=output)
    if isinstance(output, HostFault):
        provenance = Provenance(actor="strategy host", source=Source.SYSTEM)
        return PauseDeployment(provenance=provenance, deployment_id=output.deployment_id, reason=output.reason)
    return output
