"""Sending: one worker an account, in order, each intent at most once and never late.

What a broker answers decides which event goes back in: a definite no is one, an unknown outcome is another, and
neither is followed by a second send. A reconcile takes its turn in the same queue, so that no send of the account
is under way while its picture is taken.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from evenkeel.domain.accounts import AccountMode
from evenkeel.domain.errors import BrokerError, BrokerRejected, BrokerUnavailable, Forbidden, OutcomeUnknown
from evenkeel.domain.events import (
    BrokerSnapshot,
    IntentDelayed,
    IntentOverdue,
    SendFailed,
    SendUncertain,
    VenueCancelRefused,
    VenueRejected,
)
from evenkeel.domain.orders import OrderState
from evenkeel.trading.brokers.ports import Broker, Ticket
from evenkeel.trading.engine.effects import Effect, SendAmendment, SendCancel, SendOrder, WantReconcile
from evenkeel.trading.engine.orders import as_it_stands
from evenkeel.trading.live.links import venue_of
from evenkeel.trading.live.snapshots import take_snapshot

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)
SEND_BY = 2.0
RECHECK_AFTER = 0.25
SWEEP_EVERY = 0.1
RETRY_FIRST, RETRY_LAST = 0.5, 30.0


def account_of(effect: Effect) -> str:
    match effect:
        case SendOrder(ticket=ticket):
            return ticket.spec.account_id
        case SendAmendment(amendment=amendment):
            return amendment.account_id
        case SendCancel(cancellation=cancellation):
            return cancellation.account_id
        case WantReconcile(account_id=account_id):
            return account_id


class Dispatcher:
    """Carries effects out. `busy` counts those queued or under way."""

    def __init__(self, runner: "Runner", brokers: Mapping[str, Broker]) -> None:
        self.runner = runner
        self.brokers = brokers
        self.busy = 0
        self._put: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._queues: dict[str, asyncio.Queue[Effect]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._first_queued: dict[str, float] = {}
        self._queued: dict[str, float] = {}
        self._retries: dict[str, float] = {}
        self._repeats: dict[str, float] = {}
        self._introduced: dict[str, set[str]] = {}
        self._retry_timers: dict[str, asyncio.TimerHandle] = {}

    def start(self) -> None:
        if not self.runner.deterministic:
            self._spawn(self._sweep(), "intent sweeper")

    async def stop(self) -> None:
        for timer in self._retry_timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        for task in tuple(self._tasks):
            with suppress(asyncio.CancelledError):
                await task

    def put(self, effect: Effect) -> None:
        """Queues an effect whose records are committed."""
        if isinstance(effect, WantReconcile) and effect.again:
            self._retry_reconcile(effect.account_id, self._repeats)
            return
        if isinstance(effect, WantReconcile):
            self._repeats.pop(effect.account_id, None)
        self._enqueue(effect)

    def queued(self) -> Counter[str]:
        """How many effects each account has been given so far; an account's are carried out in order."""
        return self._put.copy()

    def has_done(self, queued: Counter[str]) -> bool:
        """Whether all that was queued then has been carried out."""
        return self._done >= queued

    def _enqueue(self, effect: Effect) -> None:
        account_id = account_of(effect)
        queue = self._queues.get(account_id)
        if queue is None:
            queue = self._queues[account_id] = asyncio.Queue()
            self._spawn(self._work(queue), f"send {account_id}")
        if isinstance(effect, SendOrder):
            now = time.monotonic()
            self._queued[effect.ticket.order_id] = now
            self._first_queued.setdefault(effect.ticket.order_id, now)
        self.busy += 1
        self._put[account_id] += 1
        queue.put_nowait(effect)

    def is_waiting(self, order_id: str) -> bool:
        """True for an intent that is still in its account's queue: nothing of it can have reached the venue."""
        return order_id in self._queued

    def broker_of(self, account_id: str) -> Broker:
        """The account's broker; a paper account is never given one that can reach a real venue."""
        account = self.runner.state.account(account_id).account
        broker = self.brokers.get(account.broker)
        if broker is None:
            raise BrokerUnavailable(f"no broker {account.broker!r} is configured")
        if (account.mode is AccountMode.PAPER) != broker.profile.is_simulated:
            raise Forbidden(f"a {account.mode} account cannot send to {broker.profile.name}")
        return broker

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, queue: asyncio.Queue[Effect]) -> None:
        while True:
            effect = await queue.get()
            try:
                if self.runner.failure is None:
                    await self._carry_out(effect)
            finally:
                self.busy -= 1
                self._done[account_of(effect)] += 1
                self.runner.changed()

    async def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, SendOrder):
            await self._send(effect.ticket)
        elif isinstance(effect, WantReconcile):
            await self._reconcile(effect.account_id)
        else:
            await self._change(effect)

    async def _send(self, ticket: Ticket) -> None:
        order_id = ticket.order_id
        queued = self._queued.get(order_id, 0.0)
        started = 0.0
        try:
            broker = self.broker_of(ticket.spec.account_id)
            await self._introduce(broker, ticket.spec.account_id, ticket.spec.instrument_id)
            if not self._take(ticket):
                return
            self.runner.on_stage("sent", time.monotonic() - queued)
            started = time.perf_counter()
            async with asyncio.timeout(self._seconds(broker.profile.place_timeout)):
                await broker.place(ticket)
        except BrokerRejected as error:
            self.runner.post(
                VenueRejected(
                    account_id=ticket.spec.account_id, venue_client_id=ticket.venue_client_id, reason=error.message
                )
            )
        except (BrokerUnavailable, Forbidden) as error:
            self.runner.post(SendFailed(order_id, "place", error.message))
        except (OutcomeUnknown, BrokerError, TimeoutError) as error:
            self.runner.post(SendUncertain(order_id, str(error) or "the broker did not answer in time"))
        except Exception as error:
            log.exception("an adapter failed while placing", order_id=order_id)
            self.runner.post(SendUncertain(order_id, f"the adapter failed: {error}"))
        else:
            self.runner.on_stage("acknowledged", time.perf_counter() - started)

    async def _introduce(self, broker: Broker, account_id: str, *instrument_ids: str) -> None:
        """Tells a simulated venue of the account and instruments it is about to deal with."""
        venue = venue_of(broker)
        if venue is None:
            return
        known = self._introduced.setdefault(broker.profile.name, set())
        for instrument_id in instrument_ids:
            if instrument_id not in known:
                await venue.list_instrument(self.runner.state.instruments[instrument_id])
                known.add(instrument_id)
        if account_id not in known:
            held = self.runner.state.account(account_id)
            await venue.open_account(held.account, held.cash_in(held.account.currency))
            known.add(account_id)

    def _take(self, ticket: Ticket) -> bool:
        """Takes an intent out of the waiting ones to send it now; False when it has ended, or must be judged again.

        What was cancelled, split or ended while it waited does not go out as it was approved.
        """
        order_id = ticket.order_id
        queued = self._queued.pop(order_id, None)
        if queued is None:
            return False
        order, now = self.runner.state.orders[order_id], time.monotonic()
        is_late = not self.runner.deterministic and now - queued > RECHECK_AFTER
        if not is_late and order.state is OrderState.SUBMITTED and as_it_stands(order) == ticket.spec:
            del self._first_queued[order_id]
            return True
        is_over = is_late and now - self._first_queued[order_id] > SEND_BY
        waited = int((now - queued) * 1e9)
        self.runner.post(IntentOverdue(order_id) if is_over else IntentDelayed(order_id, waited))
        return False

    async def _sweep(self) -> None:
        """Ends intents whose time is over though their account's queue has not come to them."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            limit = time.monotonic() - SEND_BY
            for order_id in [o for o, first in self._first_queued.items() if first < limit]:
                del self._first_queued[order_id]
                if self._queued.pop(order_id, None) is not None:
                    self.runner.post(IntentOverdue(order_id))

    async def _change(self, effect: SendAmendment | SendCancel) -> None:
        what = "cancel" if isinstance(effect, SendCancel) else "modify"
        try:
            broker = self.broker_of(account_of(effect))
            async with asyncio.timeout(self._seconds(broker.profile.place_timeout)):
                if isinstance(effect, SendCancel):
                    await broker.cancel(effect.cancellation)
                else:
                    await broker.modify(effect.amendment)
        except BrokerRejected as error:
            self._refused(effect, what, error.message)
        except (BrokerUnavailable, Forbidden) as error:
            self.runner.post(SendFailed(effect.order_id, what, error.message))
        except (BrokerError, TimeoutError) as error:
            log.warning("outcome unknown", what=what, order_id=effect.order_id, error=str(error))
            self._retry_reconcile(account_of(effect), self._repeats)
        except Exception as error:
            log.exception("an adapter failed", what=what, order_id=effect.order_id)
            self.runner.post(SendFailed(effect.order_id, f"{what}-unknown", str(error)))
            self._retry_reconcile(account_of(effect), self._repeats)

    def _refused(self, effect: SendAmendment | SendCancel, what: str, reason: str) -> None:
        if isinstance(effect, SendAmendment):
            self.runner.post(SendFailed(effect.order_id, what, reason))
            return
        c = effect.cancellation
        self.runner.post(
            VenueCancelRefused(
                account_id=c.account_id,
                venue_client_id=c.venue_client_id,
                venue_order_id=c.venue_order_id,
                reason=reason,
            )
        )

    async def _reconcile(self, account_id: str) -> None:
        """Takes a snapshot and hands it in; a failed one is tried again, later and later, and said once.

        One taken across a change of the link proves nothing of now, and the link's return asks for the next.
        """
        changes = self.runner.links.changes_of(account_id)
        try:
            broker = self.broker_of(account_id)
            await self._introduce(broker, account_id, *self.runner.state.instruments)
            snapshot = await take_snapshot(self.runner, broker, account_id)
        except Exception as error:
            reason = str(error) or "the broker did not answer in time"
            if isinstance(error, BrokerError | TimeoutError | Forbidden):
                log.warning("reconcile failed", account_id=account_id, reason=reason)
            else:
                log.exception("an adapter failed while reconciling", account_id=account_id)
            if account_id not in self._retries:
                self.runner.post(BrokerSnapshot(account_id=account_id, complete=False, reason=reason))
            self._retry_reconcile(account_id, self._retries)
            return
        self._retries.pop(account_id, None)
        if changes == self.runner.links.changes_of(account_id):
            self.runner.post(snapshot)

    def _retry_reconcile(self, account_id: str, delays: dict[str, float]) -> None:
        """Reconciles later, and later each time, as `delays` remembers."""
        delay = delays.get(account_id, RETRY_FIRST)
        delays[account_id] = min(delay * 2, RETRY_LAST)
        timer = self._retry_timers.pop(account_id, None)
        if timer is not None:
            timer.cancel()
        again = WantReconcile(account_id, "trying again")
        self._retry_timers[account_id] = asyncio.get_running_loop().call_later(delay, self._enqueue, again)

    @staticmethod
    def _seconds(ns: int) -> float:
        return ns / 1e9
