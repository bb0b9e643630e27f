"""What an account has still to send: a queue a lane, let out in order of lane and as fast as its limiter allows.

A cancel overtakes what it cancels: what has not been sent then never is, and changes of the order are dropped. Time is
handed in, as to the limiter.
"""

from collections import deque

from msgspec import Struct

from evenkeel.domain.accounts import SendRate
from evenkeel.domain.errors import RateLimited
from evenkeel.trading.engine.effects import Effect, Lane, SendAmendment, SendCancel, SendOrder, WantReconcile
from evenkeel.trading.live.limiter import Limiter


class Sending(Struct, frozen=True):
    """How an account sends: what waits by lane, how many seconds the oldest has, tokens if it is limited."""

    rate: SendRate | None
    tokens: float | None
    waiting: dict[Lane, int]
    oldest: float
    under_way: int


class _Waiting(Struct):
    """`again`: it was taken out before, and goes before those that were not."""

    effect: Effect
    since: float
    again: bool = False


def order_of(effect: SendOrder | SendAmendment | SendCancel) -> str:
    return effect.ticket.order_id if isinstance(effect, SendOrder) else effect.order_id


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


class Outbox:
    """The queues of one account. Without `lanes` there is one, and what was put first goes first: for runs that repeat.

    `limiter` is None where nothing limits the account. Its length is what waits; `gone` counts what was dropped.
    """

    def __init__(self, *, lanes: bool = True) -> None:
        self.limiter: Limiter | None = None
        self._has_lanes = lanes
        self._lanes: dict[Lane, deque[_Waiting]] = {lane: deque() for lane in Lane}
        self._pictures: deque[_Waiting] = deque()
        self._cancels: set[str] = set()
        self._count = 0
        self.gone = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_urgent(self) -> bool:
        """Whether something that a panic asked waits here."""
        return bool(self._lanes[Lane.PANIC])

    def set_rate(self, rate: SendRate | None, now: float) -> None:
        """Puts another limit in force; what it has used of the one before counts."""
        if rate is None:
            self.limiter = None
        elif self.limiter is None:
            self.limiter = Limiter(rate, now)
        elif self.limiter.rate != rate:
            self.limiter = self.limiter.change(rate, now)

    def put(self, effect: Effect, now: float, *, first: bool = False) -> bool:
        """Queues an effect; False for a cancel that waits already. `first`: before others of its lane.

        A change states all terms, so that it takes the place of one of the same order that still waits.
        """
        if self._has_lanes and isinstance(effect, SendCancel) and not self._makes_way(effect):
            return False
        if self._has_lanes and isinstance(effect, SendAmendment):
            self._drop(effect.lane, SendAmendment, effect.order_id)
        if not self._has_lanes:
            queue = self._lanes[Lane.OPEN]
        else:
            queue = self._pictures if isinstance(effect, WantReconcile) else self._lanes[effect.lane]
        if first and self._has_lanes:
            place = next((place for place, one in enumerate(queue) if not one.again), len(queue))
            queue.insert(place, _Waiting(effect, now, again=True))
        else:
            queue.append(_Waiting(effect, now))
        self._count += 1
        return True

    def _makes_way(self, cancel: SendCancel) -> bool:
        """Drops the order's changes, and a cancel of it in a later lane; False where one waits that is no later."""
        order_id = cancel.order_id
        while self._drop(Lane.REDUCE, SendAmendment, order_id):
            pass
        if order_id in self._cancels and not (
            cancel.lane is Lane.PANIC and self._drop(Lane.CANCEL, SendCancel, order_id)
        ):
            return False
        self._cancels.add(order_id)
        return True

    def forget(self, order_id: str) -> None:
        """Drops an order that is not to be sent any more."""
        if self._has_lanes:
            for lane in (Lane.OPEN, Lane.REDUCE, Lane.PANIC):
                if self._drop(lane, SendOrder, order_id):
                    return

    def _drop(self, lane: Lane, kind: type[SendOrder | SendAmendment | SendCancel], order_id: str) -> bool:
        queue = self._lanes[lane]
        for place, one in enumerate(queue):
            if isinstance(one.effect, kind) and order_of(one.effect) == order_id:
                del queue[place]
                self._count -= 1
                self.gone += 1
                return True
        return False

    def take(self, now: float, *, urgent: bool) -> tuple[Effect, float] | float | None:
        """The next effect to carry out with the seconds it has waited, or the seconds until there is one, or None.

        `urgent` takes what panics ask for, and nothing else does: nobody else gets a token while some of it waits.
        """
        if urgent:
            return self._from(Lane.PANIC, now)
        if self._pictures:
            return self._popped(self._pictures, now)
        if self._lanes[Lane.PANIC] and self.limiter is not None:
            return None
        for lane in (Lane.CANCEL, Lane.REDUCE, Lane.OPEN):
            if self._lanes[lane]:
                return self._from(lane, now)
        return None

    def _from(self, lane: Lane, now: float) -> tuple[Effect, float] | float | None:
        queue = self._lanes[lane]
        if not queue:
            return None
        if self.limiter is not None and not self.limiter.take(lane, now):
            return self.limiter.wait(lane, now)
        return self._popped(queue, now)

    def more(self, lane: Lane, most: int) -> list[SendOrder]:
        """Takes out orders that are next in their lane, up to the first of something else."""
        queue, found = self._lanes[lane if self._has_lanes else Lane.OPEN], list[SendOrder]()
        while queue and len(found) < most and isinstance(effect := queue[0].effect, SendOrder):
            queue.popleft()
            found.append(effect)
        self._count -= len(found)
        return found

    def orders(self) -> list[SendOrder]:
        """All that waits, in the sequence in which it would be taken, if those are orders alone; else nothing."""
        found = list[SendOrder]()
        for queue in () if self._pictures else self._lanes.values():
            for waiting in queue:
                if not isinstance(waiting.effect, SendOrder):
                    return []
                found.append(waiting.effect)
        return found

    def clear(self) -> int:
        """Takes out all orders that wait, and returns how many."""
        count, self._count = self._count, len(self._pictures)
        for queue in self._lanes.values():
            queue.clear()
        return count - self._count

    def _popped(self, queue: deque[_Waiting], now: float) -> tuple[Effect, float]:
        waiting = queue.popleft()
        self._count -= 1
        if isinstance(waiting.effect, SendCancel):
            self._cancels.discard(waiting.effect.order_id)
        return waiting.effect, now - waiting.since

    def give_back(self, now: float) -> None:
        """What was taken last was not sent."""
        if self.limiter is not None:
            self.limiter.give_back(now)

    def heed(self, error: Exception, now: float) -> None:
        """Pauses where a venue has said that it had too many requests."""
        if isinstance(error, RateLimited) and self.limiter is not None:
            self.limiter.hold(now + error.retry_after)

    def standing(self, now: float, under_way: int) -> Sending:
        queues = self._lanes.values()
        oldest = max((now - queue[0].since for queue in queues if queue), default=0.0)
        limiter = self.limiter
        return Sending(
            rate=None if limiter is None else limiter.rate,
            tokens=None if limiter is None else limiter.tokens(now),
            waiting={lane: len(queue) for lane, queue in self._lanes.items()},
            oldest=oldest,
            under_way=under_way,
        )
