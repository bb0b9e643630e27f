"""Webhooks and the log of their deliveries in memory, for tests of whatever asks about them."""

from collections.abc import Iterable, Sequence

from evenkeel.domain.errors import Conflict, NotReady
from evenkeel.domain.webhooks import TAKEN, Delivery, Webhook
from tests.desk.paging import page


class MemoryWebhooks:
    """Implements the desk's `WebhookStore`. `down` makes its log fail as a database that does not answer would."""

    def __init__(self) -> None:
        self.hooks: dict[str, Webhook] = {}
        self.rows: dict[str, Delivery] = {}
        self.down = False

    async def all(self, user_id: str) -> Sequence[Webhook]:
        mine = [one for one in self.hooks.values() if one.user_id == user_id]
        return sorted(mine, key=lambda one: one.name.casefold())

    async def find(self, user_id: str, webhook_id: str) -> Webhook | None:
        found = self.hooks.get(webhook_id)
        return found if found is not None and found.user_id == user_id else None

    async def by_hash(self, token_hash: str) -> Webhook | None:
        return next((one for one in self.hooks.values() if one.token_hash == token_hash), None)

    async def add(self, one: Webhook) -> None:
        self._check(one)
        self.hooks[one.id] = one

    def _check(self, one: Webhook) -> None:
        for other in self.hooks.values():
            same = other.user_id == one.user_id and other.name.casefold() == one.name.casefold()
            if same and other.id != one.id:
                raise Conflict(f"there is already a webhook {one.name!r}")

    async def replace(self, one: Webhook, *, known: Webhook) -> None:
        self._check(one)
        if self.hooks.get(one.id) != known:
            raise Conflict(f"{one.name} was changed by another request at this moment")
        self.hooks[one.id] = one

    async def remove(self, user_id: str, webhook_id: str) -> bool:
        found = await self.find(user_id, webhook_id)
        if found is not None:
            del self.hooks[webhook_id]
            self.rows = {key: row for key, row in self.rows.items() if row.webhook_id != webhook_id}
        return found is not None

    async def log(self, one: Delivery) -> None:
        self._check_up()
        assert one.id not in self.rows
        self.rows[one.id] = one

    async def settle(self, one: Delivery) -> None:
        self._check_up()
        assert one.id in self.rows
        self.rows[one.id] = one

    def _check_up(self) -> None:
        if self.down:
            raise NotReady("the database does not answer")

    async def prior(self, webhook_id: str, key: str, *, since: int, until: int) -> Delivery | None:
        self._check_up()
        found = [one for one in self._taken(webhook_id) if one.key == key and since <= one.received_at <= until]
        return max(found, key=lambda one: one.received_at, default=None)

    async def latest(self, webhook_id: str, instrument_id: str) -> int | None:
        found = [one.sent_at for one in self._taken(webhook_id) if one.instrument_id == instrument_id]
        return max((at for at in found if at is not None), default=None)

    def _taken(self, webhook_id: str) -> list[Delivery]:
        return [one for one in self.rows.values() if one.webhook_id == webhook_id and one.decision in TAKEN]

    async def deliveries(
        self, webhook_id: str, *, decisions: Iterable[str] = (), limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Delivery], str | None]:
        wanted = tuple(decisions)
        rows = [
            one for one in self.rows.values() if one.webhook_id == webhook_id and (not wanted or one.decision in wanted)
        ]
        return page(rows[::-1], limit, cursor)

    async def prune(self, before: int, *, untaken: int) -> int:
        self._check_up()
        old = [key for key, row in self.rows.items() if row.received_at < before]
        for hook in self.hooks:
            idle = [key for key, row in self.rows.items() if row.webhook_id == hook and row.decision not in TAKEN]
            old += [key for key in idle[: max(0, len(idle) - untaken)] if key not in old]
        for key in old:
            del self.rows[key]
        return len(old)
