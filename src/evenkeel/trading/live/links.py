"""Links: keeps every broker connected, hands in what it says, and reports when it falls silent or comes back."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.errors import BrokerError
from evenkeel.domain.events import BrokerLink
from evenkeel.trading.brokers.handles import is_venue
from evenkeel.trading.brokers.ports import Broker, SimulatedVenue

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)
RECONNECT_FIRST, RECONNECT_LAST = 0.2, 15.0


def venue_of(broker: Broker) -> SimulatedVenue | None:
    """The broker as a simulated venue that must be shown the market, if it is one."""
    return broker if is_venue(broker) else None


class Links:
    """One task a broker: connect, announce, take events until they end, and again."""

    def __init__(self, runner: "Runner", brokers: Mapping[str, Broker]) -> None:
        self.runner = runner
        self.brokers = brokers
        self._tasks: list[asyncio.Task[None]] = []
        self._unheard: set[str] = set()
        self._changes: Counter[str] = Counter()
        self._changed_at: dict[str, float] = {}
        self.heard = 0

    def start(self) -> None:
        self._unheard = set(self.brokers)
        self._tasks = [
            asyncio.create_task(self._keep(name, broker), name=f"broker {name}")
            for name, broker in self.brokers.items()
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        for broker in self.brokers.values():
            with suppress(BrokerError):
                await broker.disconnect()

    def backlog(self) -> int:
        """Brokers not yet heard of since the start, and events of simulated venues not yet taken."""
        return len(self._unheard) + self.pending()

    def pending(self) -> int:
        """Events of simulated venues not yet taken."""
        watched = (venue_of(broker) for broker in self.brokers.values())
        return sum(venue.backlog() for venue in watched if venue is not None)

    def changes_of(self, account_id: str) -> int:
        """How often the link of the account's broker has come up or gone down so far."""
        return self._changes[self.runner.state.account(account_id).account.broker]

    def is_open_since(self, account_id: str, since: float) -> bool:
        """Whether the account is compared with its broker, over a link that has not changed since then (seconds)."""
        held = self.runner.state.account(account_id)
        return held.readiness is Readiness.READY and self._changed_at.get(held.account.broker, -1.0) < since

    def accounts(self, name: str) -> list[str]:
        return [a for a, held in self.runner.state.accounts.items() if held.account.broker == name]

    async def _keep(self, name: str, broker: Broker) -> None:
        delay = RECONNECT_FIRST
        while True:
            try:
                async with asyncio.timeout(broker.profile.query_timeout / 1e9):
                    await broker.connect()
                delay = RECONNECT_FIRST
                await self._show_again(broker)
                self._announce(name, connected=True)
                async for event in broker.events():
                    self.runner.post(event)
                    self.heard += 1
                reason = "the broker closed the connection"
            except BrokerError as error:
                reason = error.message
            except TimeoutError:
                reason = "the broker did not answer in time"
            except Exception as error:
                log.exception("an adapter failed", broker=name)
                reason = f"the adapter failed: {error}"
            log.warning("broker link down", broker=name, reason=reason)
            self._announce(name, connected=False, reason=reason)
            await asyncio.sleep(delay)
            delay = min(delay * 2, RECONNECT_LAST)

    async def _show_again(self, broker: Broker) -> None:
        """Shows a simulated venue the slice the engine saw last: it may have missed it, and ignores what it knows."""
        venue = venue_of(broker)
        if venue is not None and self.runner.last_market is not None:
            await venue.observe(self.runner.last_market)

    def _announce(self, name: str, *, connected: bool, reason: str | None = None) -> None:
        self._changes[name] += 1
        self._changed_at[name] = self.runner.clock.monotonic()
        for account_id in self.accounts(name):
            self.runner.post(BrokerLink(account_id, connected, reason))
        self._unheard.discard(name)
        self.runner.changed()
