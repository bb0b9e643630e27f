"""Orders that are decided and not sent yet: when each was decided, since when it waits, until when it may be sent."""

from typing import NamedTuple

KEPT = 60.0


class Intent(NamedTuple):
    """When an order was put in its queue, and when it was decided (seconds): between them lies the commit."""

    put: float
    decided: float


class Intents:
    """By order. One that is judged again while it waits keeps the moment until which it may be sent."""

    def __init__(self) -> None:
        self._waiting: dict[str, Intent] = {}
        self._until: dict[str, float] = {}

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._waiting

    def put(self, order_id: str, intent: Intent, *, longest: float) -> bool:
        """Has an order wait, for `longest` seconds from its first decision; whether it has waited before."""
        waited = order_id in self._until
        self._waiting[order_id] = intent
        self._until.setdefault(order_id, intent.decided + longest)
        return waited

    def get(self, order_id: str) -> Intent | None:
        return self._waiting.get(order_id)

    def take(self, order_id: str) -> Intent | None:
        """Takes an order out of the waiting ones, to look whether it may be sent; None: it waits no more."""
        return self._waiting.pop(order_id, None)

    def is_over(self, order_id: str, now: float) -> bool:
        """Whether an order may not be sent any more."""
        return now > self._until[order_id]

    def overdue(self, now: float) -> list[str]:
        """Those that wait and may not be sent any more. One that is being judged again keeps its moment meanwhile."""
        over = [order_id for order_id, until in self._until.items() if until < now]
        for order_id in over:
            if order_id not in self._waiting and self._until[order_id] + KEPT < now:
                del self._until[order_id]
        return [order_id for order_id in over if order_id in self._waiting]

    def forget(self, order_id: str) -> bool:
        """An order that was sent, or will not be; whether it waited."""
        self._until.pop(order_id, None)
        return self._waiting.pop(order_id, None) is not None
