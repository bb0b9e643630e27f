"""Sending: one worker an account, in order of lane, each intent at most once and never late.

What a broker in this process takes without waiting goes out as soon as it is committed, and no worker is woken for it.

What a broker answers decides which event goes back in: a definite no is one, an unknown outcome is another, and
neither is followed by a second send. A reconcile takes its turn with the same worker; what is sent beside it, or waits,
is left out of its picture. How fast an account sends is for its outbox to say.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from evenkeel.domain.accounts import SEND_BY
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import (
    BrokerError,
    BrokerRejected,
    BrokerUnavailable,
    Forbidden,
    RateLimited,
)
from evenkeel.domain.events import (
    BrokerSnapshot,
    IntentDelayed,
    IntentOverdue,
    SendFailed,
    VenueCancelRefused,
)
from evenkeel.domain.orders import OrderState
from evenkeel.trading.brokers.handles import Handle, Handles
from evenkeel.trading.brokers.ports import Broker
from evenkeel.trading.engine.effects import Effect, Lane, SendAmendment, SendCancel, SendOrder, WantReconcile
from evenkeel.trading.engine.orders import PANIC_SEND_BY
from evenkeel.trading.live.intents import Intent, Intents
from evenkeel.trading.live.line import Line
from evenkeel.trading.live.outbox import Outbox, Sending, account_of
from evenkeel.trading.live.pictures import Pictures
from evenkeel.trading.live.placing import Placing
from evenkeel.trading.live.snapshots import take_snapshot
from evenkeel.trading.live.switched import Switched

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)
SWEEP_EVERY = 0.1
RETRY_SOONEST = 0.1
AT_ONCE = 16


class Dispatcher:
    """Carries effects out, an account's one after the other; only what panics ask for goes out beside the rest.

    A run that repeats itself has neither lanes nor limits.
    """

    def __init__(self, runner: "Runner", brokers: Mapping[str, Broker]) -> None:
        self.runner = runner
        self.brokers = brokers
        self._now = runner.clock.monotonic
        self._lines: dict[str, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._intents = Intents()
        self._handles = Handles(Switched(runner))
        self._placing = Placing(runner, self, self._intents)
        self.pictures = Pictures(runner.clock, self._reconcile_again)
        self._again: dict[str, asyncio.TimerHandle] = {}
        self._is_stopped = False

    def start(self) -> None:
        if not self.runner.deterministic:
            self._spawn(self._sweep(), "intent sweeper")

    async def stop(self) -> None:
        """Nothing goes out any more, even of what is committed from now on."""
        self._is_stopped = True
        self.pictures.stop()
        for timer in self._again.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        for task in tuple(self._tasks):
            with suppress(asyncio.CancelledError):
                await task

    def put(self, effect: Effect) -> None:
        """Queues an effect whose records are committed."""
        self.put_all((effect,))

    def put_all(self, effects: Iterable[Effect]) -> None:
        """Queues effects whose records are committed, and carries those out at once that have nothing to wait for."""
        if self._is_stopped:
            return
        lines = {line.account_id: line for effect in effects if (line := self._take(effect)) is not None}
        waiting = [line for line in lines.values() if not self._places_now(line)]
        for line in waiting:
            line.rouse()
        if len(waiting) < len(lines):
            self.runner.changed()

    def _take(self, effect: Effect) -> Line | None:
        """Queues an effect, and returns where. A cancel of what is still queued here need not go out."""
        if isinstance(effect, WantReconcile) and effect.again:
            self.pictures.repeat(effect.account_id)
            return None
        if isinstance(effect, WantReconcile):
            self.pictures.asked(effect.account_id)
        intent = self._intents.get(effect.order_id) if isinstance(effect, SendCancel) else None
        if isinstance(effect, SendCancel) and intent is not None and not self.runner.deterministic:
            waited = self._now() - intent.put
            self._intents.forget(effect.order_id)
            self._line(account_of(effect)).outbox.forget(effect.order_id)
            self.runner.post(IntentDelayed(effect.order_id, int(waited * 1e9)))
            return None
        return self._enqueue(effect)

    def _places_now(self, line: Line) -> bool:
        """Whether all that waits in an idle account were orders that their broker has taken at once, or refused."""
        if line.under_way or self.runner.deterministic or line.outbox.limiter is not None:
            return False
        tickets = [effect.ticket for effect in line.outbox.orders()]
        if not tickets or not self._placing.now(tickets, line.outbox):
            return False
        line.placed()
        return True

    def is_busy(self, account_id: str) -> bool:
        """Whether anything of the account waits or is under way, a reconcile that is to be tried again, too."""
        line = self._lines.get(account_id)
        return self.pictures.is_due(account_id) or (line is not None and line.busy > 0)

    @property
    def busy(self) -> int:
        """How many effects are queued or under way."""
        return sum(line.busy for line in self._lines.values())

    @property
    def is_urgent(self) -> bool:
        """Whether something that a panic asked has not gone out yet, or has not been taken."""
        return any(line.outbox.is_urgent or line.hurries for line in self._lines.values())

    def queued(self) -> dict[str, int]:
        """How far each account will be once all is carried out that no limit holds back."""
        return {account_id: line.ahead for account_id, line in self._lines.items()}

    def has_done(self, queued: Mapping[str, int]) -> bool:
        """Whether as much as was queued then has been carried out."""
        return all(self._lines[account_id].settled >= ahead for account_id, ahead in queued.items())

    def sending(self, account_id: str) -> Sending:
        """How the account's sending stands now."""
        line = self._line(account_id)
        return line.outbox.standing(self._now(), line.under_way)

    def _enqueue(self, effect: Effect) -> Line | None:
        """Queues an effect, and returns where: nowhere, if the like waits already."""
        line, now = self._line(account_of(effect)), self._now()
        was_queued = False
        if isinstance(effect, SendOrder):
            order_id = effect.ticket.order_id
            longest = PANIC_SEND_BY if effect.lane is Lane.PANIC else SEND_BY
            intent = Intent(now, self.runner.decided_at)
            was_queued = self._intents.put(order_id, intent, longest=longest / SECOND)
        if not line.outbox.put(effect, now, first=was_queued):
            return None
        is_urgent = not isinstance(effect, WantReconcile) and effect.lane is Lane.PANIC
        if is_urgent and not line.has_urgent and not self.runner.deterministic:
            line.has_urgent = True
            self._spawn(self._work_urgently(line), f"panic {line.account_id}")
        return line

    def _line(self, account_id: str) -> Line:
        line = self._lines.get(account_id)
        if line is None:
            line = self._lines[account_id] = Line(account_id, clock=self._now, lanes=not self.runner.deterministic)
            self._spawn(self._work(line), f"send {account_id}")
        if not self.runner.deterministic:
            rate = self.runner.state.rate_of(self.runner.state.account(account_id))
            if rate is not None or line.outbox.limiter is not None:
                line.outbox.set_rate(rate, self._now())
        return line

    def is_waiting(self, order_id: str) -> bool:
        """True for an intent that is queued here or being sent: the venue may not know it yet."""
        return order_id in self._intents or order_id in self._placing.under_way

    def handle_of(self, account_id: str) -> Handle:
        """The account's way out. Raises Forbidden, and BrokerUnavailable where its broker is not there."""
        held = self.runner.state.account(account_id)
        broker = self.brokers.get(held.account.broker)
        return self._handles.of(held.account, broker, is_session=held.session is not None)

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, line: Line) -> None:
        while True:
            effect = await self._next(line, urgent=False)
            most = self._most_at_once(line) if isinstance(effect, SendOrder) else 1
            if most > 1 and isinstance(effect, SendOrder):
                await self._finish_all(line, (effect, *line.more(effect.lane, most - 1)))
            else:
                await self._finish(line, effect)

    def _most_at_once(self, line: Line) -> int:
        """How many orders may go out in one request: of an account that counts its requests, one."""
        broker = self.brokers.get(self.runner.state.account(line.account_id).account.broker)
        return 1 if broker is None or line.outbox.limiter is not None else broker.profile.most_at_once

    async def _finish_all(self, line: Line, effects: tuple[SendOrder, ...]) -> None:
        try:
            if self.runner.failure is None:
                await self._placing.place([effect.ticket for effect in effects], line.outbox)
        finally:
            line.finished(len(effects))
            self.runner.changed()

    async def _work_urgently(self, line: Line) -> None:
        """Carries out what panics ask for, several at a time: a slow broker is not to hold them up one by one."""
        room = asyncio.Semaphore(AT_ONCE)
        while True:
            await room.acquire()
            effect = await self._next(line, urgent=True)
            line.hurries += 1
            task = self._spawn(self._finish(line, effect), f"panic {line.account_id}")
            task.add_done_callback(lambda _: self._hurried(line, room))

    @staticmethod
    def _hurried(line: Line, room: asyncio.Semaphore) -> None:
        line.hurries -= 1
        room.release()

    async def _next(self, line: Line, *, urgent: bool) -> Effect:
        effect, waited = await line.next(urgent=urgent)
        if line.outbox.limiter is not None and not isinstance(effect, WantReconcile):
            self.runner.on_stage(f"queued-{effect.lane.name.lower()}", waited)
        return effect

    async def _finish(self, line: Line, effect: Effect) -> None:
        try:
            if self.runner.failure is None:
                await self._carry_out(effect, line.outbox)
        finally:
            line.finished()
            self.runner.changed()

    async def _carry_out(self, effect: Effect, outbox: Outbox) -> None:
        if isinstance(effect, SendOrder):
            await self._placing.place((effect.ticket,), outbox)
        elif isinstance(effect, WantReconcile):
            await self._reconcile(effect.account_id, routine=effect.routine)
        else:
            await self._change(effect, outbox)

    async def _sweep(self) -> None:
        """Ends intents whose time is over though their account's queue has not come to them."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            now = self._now()
            for order_id in self._intents.overdue(now):
                if self._intents.forget(order_id):
                    account_id = self.runner.state.orders[order_id].spec.account_id
                    self._line(account_id).outbox.forget(order_id)
                    self.runner.post(IntentOverdue(order_id))

    async def _change(self, effect: SendAmendment | SendCancel, outbox: Outbox) -> None:
        what = "cancel" if isinstance(effect, SendCancel) else "modify"
        while effect.order_id in self._placing.under_way:
            await self._placing.under_way[effect.order_id].wait()
        if isinstance(effect, SendCancel) and not self.runner.deterministic and self._is_over(effect.order_id):
            outbox.give_back(self._now())
            return
        try:
            handle = self.handle_of(account_of(effect))
            async with asyncio.timeout(handle.broker.profile.place_timeout / SECOND):
                if isinstance(effect, SendCancel):
                    await handle.cancel(effect.cancellation)
                else:
                    await handle.modify(effect.amendment)
        except BrokerRejected as error:
            self._refused(effect, what, error.message)
        except (BrokerUnavailable, Forbidden) as error:
            outbox.heed(error, self._now())
            if isinstance(error, RateLimited) and isinstance(effect, SendCancel) and not self.runner.deterministic:
                self._once_more(effect, error.retry_after)
            else:
                self.runner.post(SendFailed(effect.order_id, what, error.message))
        except (BrokerError, TimeoutError) as error:
            log.warning("outcome unknown", what=what, order_id=effect.order_id, error=str(error))
            self.pictures.repeat(account_of(effect))
        except Exception as error:
            log.exception("an adapter failed", what=what, order_id=effect.order_id)
            self.runner.post(SendFailed(effect.order_id, f"{what}-unknown", str(error)))
            self.pictures.repeat(account_of(effect))

    def _is_over(self, order_id: str) -> bool:
        """Whether an order has ended while its cancel waited here: there is nothing left to ask."""
        order = self.runner.state.orders[order_id]
        return not order.is_working and order.state is not OrderState.ANOMALY

    def _once_more(self, cancel: SendCancel, wait: float) -> None:
        """Asks again for a cancel that the venue has not looked at: to ask twice does no harm."""
        order_id, loop = cancel.order_id, asyncio.get_running_loop()
        self._again[order_id] = loop.call_later(max(wait, RETRY_SOONEST), self._asked_again, cancel)

    def _asked_again(self, cancel: SendCancel) -> None:
        self._again.pop(cancel.order_id, None)
        if not self._is_over(cancel.order_id):
            self._queue(cancel)

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

    async def _reconcile(self, account_id: str, *, routine: bool = False) -> None:
        """Takes a snapshot and hands it in; a failed one is tried again, later and later, and said once.

        One taken across a change of the link proves nothing of now, and the link's return asks for the next.
        """
        changes = self.runner.links.changes_of(account_id)
        try:
            broker = self.handle_of(account_id).broker
            await self._placing.introduce(broker, account_id, *self.runner.state.instruments)
            snapshot = await take_snapshot(self.runner, broker, account_id, routine=routine)
        except Exception as error:
            reason = str(error) or "the broker did not answer in time"
            if isinstance(error, BrokerError | TimeoutError | Forbidden):
                log.warning("reconcile failed", account_id=account_id, reason=reason)
            else:
                log.exception("an adapter failed while reconciling", account_id=account_id)
            if self.pictures.failed(account_id, reason):
                self.runner.post(BrokerSnapshot(account_id=account_id, complete=False, reason=reason))
            return
        self.pictures.taken(account_id)
        if changes == self.runner.links.changes_of(account_id):
            self.runner.post(snapshot)

    def _reconcile_again(self, account_id: str) -> None:
        self._queue(WantReconcile(account_id, "trying again"))

    def _queue(self, effect: Effect) -> None:
        line = self._enqueue(effect)
        if line is not None:
            line.rouse()
