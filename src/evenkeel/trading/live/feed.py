"""The feed's driver: hands over one slice at a time, and the next only when the last has been answered.

A slice goes first to the engine (days close, splits apply, marks move), then to the simulated venues, whose fills
come back as events, and last of these to the exits of positions. Then it goes to the strategies: first what their
orders have met in it, then the slice itself. Their commands and the cursor are committed in one batch. After a kill the
slices behind the cursor come again, and whoever has seen them ignores them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Protocol

import structlog

from evenkeel.domain.commands import AnyCommand, PauseDeployment, TakeSignal
from evenkeel.domain.errors import BrokerUnavailable, Conflict, EvenkeelError, InvalidInput
from evenkeel.domain.events import CursorAdvanced, SliceDone, SliceMet
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.live.hosting.ports import HostStatus
from evenkeel.trading.live.links import venue_of
from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)
CURSOR_EVERY = 1.0
_MOST_BEHIND = 0.1
MAX_REACTIONS = 20
SHOW_AGAIN = 0.1
MAX_SPEED = Decimal(1000)


class SliceSource(Protocol):
    """The part of a market feed that the driver needs; times in ns, `end` None where it never ends."""

    @property
    def timeframes(self) -> tuple[str, ...]: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int | None: ...

    def slices(self, after: int | None = None) -> Iterator[MarketSlice]: ...


class Strategies(Protocol):
    """The strategies' side: gets market and fills, gives commands, and says what must be remembered.

    Some may be late; what they want then is given to `deliver`.
    """

    deliver: Callable[[Sequence[AnyCommand], CursorAdvanced], Awaitable[None]] | None

    @property
    def is_late(self) -> bool: ...

    def prepare(self, before: int) -> None: ...

    async def on_slice(self, market: MarketSlice) -> Sequence[AnyCommand]: ...

    async def react(self) -> Sequence[AnyCommand]: ...

    def cursor(self, at: int, *, ended: bool = False) -> CursorAdvanced: ...

    async def caught_up(self) -> None: ...

    def hosts(self) -> Sequence[HostStatus]: ...

    async def close(self) -> None: ...


MarketWatcher = Callable[[MarketSlice], None]
Door = Callable[[MarketSlice], Awaitable[None]]


def one_after_the_other(*doors: Door) -> Door:
    """Several things that are done before each slice, in this order."""

    async def all_of_them(market: MarketSlice) -> None:
        for door in doors:
            await door(market)

    return all_of_them


class FeedControl:
    """Runs a feed into a runner. `speed` is slices per second; 0 means as fast as they are answered.

    `state` is running, paused, ended, halted with all trading, or none. A change takes effect at the next slice.
    `before` is done with each slice before the engine sees it, `watchers` are told of it when all have answered.
    """

    def __init__(
        self,
        runner: Runner,
        source: SliceSource | None,
        strategies: Strategies | None,
        *,
        kind: str = "none",
        speed: Decimal = Decimal(2),
    ) -> None:
        self.runner = runner
        self.source = source
        self.strategies = strategies
        if strategies is not None:
            strategies.deliver = self._deliver
        self.venues = [venue for venue in map(venue_of, runner.brokers.values()) if venue is not None]
        self.kind = kind if source is not None else "none"
        self._state = "none" if source is None else "paused"
        self.speed = speed
        self.before: Door | None = None
        self.watchers: list[MarketWatcher] = []
        self.on_restart: Callable[[], None] | None = None
        self.loop = False
        self._go = asyncio.Event()
        self._steered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._cursor_at = 0.0
        self.handed_at = runner.clock.monotonic()

    @property
    def state(self) -> str:
        return self._state if self.source is None or self.runner.failure is None else "halted"

    @property
    def timeframe(self) -> str:
        """The bars that strategies get from this feed; daily ones where there is no feed to say."""
        return "1d" if self.source is None else self.source.timeframes[0]

    @property
    def cursor(self) -> int | None:
        return self.runner.state.cursor

    @property
    def start(self) -> int | None:
        return None if self.source is None else self.source.start

    @property
    def end(self) -> int | None:
        return None if self.source is None else self.source.end

    def hosts(self) -> Sequence[HostStatus]:
        """Where the strategies run, by user."""
        return () if self.strategies is None else self.strategies.hosts()

    def recall(self) -> None:
        """Before the runner starts: finds the last slice that the engine saw beyond the cursor."""
        if self.source is not None and self.runner.state.seq:
            for market in self.source.slices(after=self.cursor):
                if market.at > self.runner.state.time:
                    return
                self.runner.last_market = market

    def launch(self) -> None:
        """Starts handing over from the journalled cursor, once every account is ready."""
        if self.source is not None:
            self.handed_at = self.runner.clock.monotonic()
            self._state = "running"
            self._go.set()
            self._task = asyncio.create_task(self._run(self.source), name="feed")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self.strategies is not None:
            await self.strategies.close()

    def pause(self) -> None:
        """Raises Conflict when there is nothing running."""
        self._require("running", "paused")
        self._state = "paused"
        self._go.clear()
        self._steered.set()

    def resume(self) -> None:
        """Goes on, from the journalled cursor where the feed has failed. Raises Conflict where nothing can go on."""
        self._require("paused", "running")
        if self._task is None or self._task.done():
            self.launch()
        self._state = "running"
        self.handed_at = self.runner.clock.monotonic()
        self._go.set()

    def set_speed(self, speed: Decimal) -> None:
        """Slices per second, 0 to 1000. Raises InvalidInput."""
        if not speed.is_finite() or not 0 <= speed <= MAX_SPEED:
            raise InvalidInput(f"speed is 0 (as fast as possible) to {MAX_SPEED} slices a second, not {speed}")
        self.speed = speed
        self._steered.set()

    async def restart(self) -> None:
        """Starts the replay over from its first day, in a new journal. Raises Conflict where that is not offered."""
        if self.on_restart is None:
            raise Conflict("only the demo can be started over")
        self.on_restart()

    def _require(self, *states: str) -> None:
        if self.state == "halted":
            raise Conflict("trading has halted", hint="See the log; restart to recover from the journal.")
        if self.state not in states:
            raise Conflict(f"the feed is {self.state}")

    async def _run(self, source: SliceSource) -> None:
        try:
            await self._hand_over_all(source)
        except Exception:
            log.exception("the feed has failed and is held; the log says why")
            self._state = "paused"

    async def _hand_over_all(self, source: SliceSource) -> None:
        await self._until_ready()
        due = 0.0
        for market in source.slices(after=self.cursor):
            due = await self._pace(due)
            await self.hand_over(market)
            if self.runner.failure is not None:
                self._state = "paused"
                return
        if self.strategies is not None:
            await self.strategies.caught_up()
        await self.runner.answered()
        if source.end is not None and not self.runner.state.feed_ended:
            await self.runner.post_all([self._cursor(max(source.end, self.cursor or 0), ended=True)])
        self._state = "ended"
        log.info("the feed has ended")
        if self.loop and self.on_restart is not None:
            self.on_restart()

    async def _until_ready(self) -> None:
        """Waits for the first reconcile of every account; trading goes by account, the first slice waits for all."""
        deadline = self.runner.clock.monotonic() + 30
        while self.runner.clock.monotonic() < deadline:
            accounts = self.runner.state.accounts.values()
            if all(account.readiness == "READY" for account in accounts):
                return
            await asyncio.sleep(0.02)
        log.warning("starting the feed though not every account is ready")

    async def _pace(self, last: float) -> float:
        """Waits until the next slice is due after `last`, at the speed of the moment; returns when it was due.

        A change of speed, a pause and a resume count at once.
        """
        while True:
            await self._go.wait()
            speed = float(self.speed)
            due = last + 1.0 / speed if speed > 0 else last
            wait = due - self.runner.clock.monotonic()
            if wait <= 0:
                break
            self._steered.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._steered.wait()
        await asyncio.sleep(0)
        return max(due, self.runner.clock.monotonic() - _MOST_BEHIND)

    async def hand_over(self, market: MarketSlice) -> None:
        """Takes one slice through engine, venues and strategies, and returns when all of it is answered."""
        runner = self.runner
        runner.clock.at, self.handed_at = max(runner.clock.at, market.at), runner.clock.monotonic()
        if self.before is not None:
            await self.before(market)
        if self.strategies is not None:
            self.strategies.prepare(market.at - 1)
        await runner.post_all([market])
        runner.last_market = market
        if self.venues and runner.dispatcher.busy:  # what the slice ends is not to meet its bars
            await runner.answered()
        await self._show(market, [venue.observe for venue in self.venues])
        if runner.state.minds_bars:
            await self._conclude(market)
        await self._react(market.at - 1)
        if await self._decide(market):
            await runner.answered()
        await self._react(market.at)
        for watcher in self.watchers:
            watcher(market)

    async def _conclude(self, market: MarketSlice) -> None:
        """Has exits meet the slice last, and the engine hear of its bars before and after that."""
        await self.runner.post_all([SliceMet(market)])
        await self.runner.answered()
        await self._show(market, [venue.finish for venue in self.venues])
        await self.runner.post_all([SliceDone(market)])
        await self.runner.answered()

    async def _show(self, market: MarketSlice, doors: Sequence[Door]) -> None:
        """Shows every venue the slice, and returns when what it causes is answered."""
        for door in doors:
            await self._show_one(door, market)
        await self.runner.answered()

    async def _show_one(self, door: Door, market: MarketSlice) -> None:
        """Shows a venue the slice; one that is away is waited for, or its orders would miss a moment of the market."""
        is_waiting = False
        while self.runner.failure is None:
            try:
                await door(market)
                return
            except BrokerUnavailable as error:
                if not is_waiting:
                    log.warning("the feed waits for a simulated venue", reason=error.message)
                is_waiting = True
                await asyncio.sleep(SHOW_AGAIN)
            except EvenkeelError as error:
                log.warning("a simulated venue did not take the market", reason=error.message)
                return

    async def _decide(self, market: MarketSlice) -> bool:
        """Commits what the strategies want, with the cursor; whether they wanted anything."""
        commands, is_due = list[AnyCommand](), True
        if self.strategies is not None:
            commands = list(await self.strategies.on_slice(market))
            is_due = bool(commands) or self.strategies.is_late
        if not is_due and (self.runner.deterministic or self.runner.clock.monotonic() - self._cursor_at < CURSOR_EVERY):
            return False
        self._cursor_at = self.runner.clock.monotonic()
        await self._commit(commands, self._cursor(market.at))
        return bool(commands)

    async def _deliver(self, commands: Sequence[AnyCommand], cursor: CursorAdvanced) -> None:
        """Commits what late strategies want, and returns when what follows from it at once has been answered."""
        await self._commit(commands, cursor)
        await self.runner.answered()

    async def _commit(self, commands: Sequence[AnyCommand], cursor: CursorAdvanced) -> None:
        """Posts commands of strategies with how far these are; whoever gives a signal that is none is paused."""
        results = await self.runner.post_all([*commands, cursor])
        faults = {
            command.signal.deployment_id: result.message
            for command, result in zip(commands, results, strict=False)
            if isinstance(command, TakeSignal) and isinstance(result, EvenkeelError)
        }
        for deployment_id, reason in faults.items():
            provenance = Provenance("strategy host", Source.SYSTEM)
            pause = PauseDeployment(provenance=provenance, deployment_id=deployment_id, reason=reason)
            await self.runner.submit(pause)

    async def _react(self, cursor: int) -> None:
        """Takes the strategies' answers to what their orders have met, until they have no more.

        Each is committed with what the strategy remembers of it, so that none is given again after a kill, and with
        the moment up to which the strategies have been given the market.
        """
        for _ in range(MAX_REACTIONS):
            commands = await self.strategies.react() if self.strategies is not None else []
            if not commands:
                return
            await self.runner.post_all([*commands, self._cursor(cursor)])
            await self.runner.answered()
        log.warning("strategies keep answering their own orders; the rest waits for the next slice")

    def _cursor(self, at: int, *, ended: bool = False) -> CursorAdvanced:
        return self.strategies.cursor(at, ended=ended) if self.strategies is not None else CursorAdvanced(at, {}, ended)
