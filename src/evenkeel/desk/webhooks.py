"""Webhooks of people: made, changed, rotated and removed; and who may be heard through one, from where, how often.

A token is 256 random bits, shown once and kept as a hash. Deliveries to one webhook are taken one after the other.
"""

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Protocol
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace

from evenkeel.desk.buckets import Buckets
from evenkeel.desk.keys import is_within
from evenkeel.desk.ports import User
from evenkeel.desk.throttle import line_of
from evenkeel.desk.tokens import digest
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, Forbidden, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.webhooks import (
    KEPT_DAYS,
    MOST_UNTAKEN,
    MOST_WEBHOOKS,
    TOKEN_PREFIX,
    Delivery,
    Webhook,
    WebhookTerms,
    check_terms,
)

_TIDY_EVERY, _TRUSTED = 3600.0, 10.0


class WebhookStore(Protocol):
    """Where webhooks and the log of their deliveries are kept."""

    async def all(self, user_id: str) -> Sequence[Webhook]: ...

    async def find(self, user_id: str, webhook_id: str) -> Webhook | None: ...

    async def by_hash(self, token_hash: str) -> Webhook | None: ...

    async def add(self, one: Webhook) -> None:
        """Raises Conflict for a name that is taken."""

    async def replace(self, one: Webhook, *, known: Webhook) -> None:
        """Writes a webhook over what was read of it. Raises Conflict where it was changed meanwhile."""

    async def remove(self, user_id: str, webhook_id: str) -> bool:
        """Forgets a webhook and its log; whether there was one."""

    async def log(self, one: Delivery) -> None: ...

    async def settle(self, one: Delivery) -> None:
        """What was made of a delivery that was logged when it came."""

    async def prior(self, webhook_id: str, key: str, *, since: int, until: int) -> Delivery | None:
        """The last delivery of an alert that was taken, from `since` to `until` (ns)."""

    async def latest(self, webhook_id: str, instrument_id: str) -> int | None:
        """The newest timestamp (ns) of the alerts about an instrument that were taken."""

    async def deliveries(
        self, webhook_id: str, *, decisions: Iterable[str] = (), limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Delivery], str | None]: ...

    async def prune(self, before: int, *, untaken: int) -> int:
        """Forgets deliveries from before a moment (ns), and of those that came to nothing all but the
        newest of each webhook, so many; how many there were."""


class People(Protocol):
    async def by_id(self, user_id: str) -> User | None: ...


class _Held(Struct):
    """A webhook that is remembered with its owner, as of a moment, and its networks read."""

    hook: Webhook
    owner: User
    since: float
    networks: tuple[IPv4Network | IPv6Network, ...]


class Webhooks:
    """The webhooks of a home. `wall` is the wall clock in ns. One in use is remembered for a while with its owner; what
    changes either here ends that at once."""

    def __init__(self, store: WebhookStore, people: People, *, wall: Callable[[], int] = time.time_ns) -> None:
        self.store, self._people, self.wall = store, people, wall
        self._unknown = Buckets(size=30, rate=1)
        self._rates: dict[str, Buckets] = {}
        self._held: dict[str, _Held] = {}
        self._changes = 0
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tidied = float("-inf")

    async def create(
        self, user_id: str, *, name: str, account_id: str, terms: WebhookTerms, enabled: bool
    ) -> tuple[Webhook, str]:
        """A new webhook and its token. Raises InvalidInput for terms that cannot be, Conflict where the name is taken
        or there are too many."""
        check_terms(terms)
        if len(await self.store.all(user_id)) >= MOST_WEBHOOKS:
            raise Conflict(f"there are {MOST_WEBHOOKS} webhooks already", hint="Remove those that are not used.")
        token, now = _new_token(), self.wall()
        made = Webhook(
            id=Random().public(now, 0, "webhook"),
            user_id=user_id,
            account_id=account_id,
            name=name,
            token_hash=digest(token),
            enabled=enabled,
            terms=terms,
            created_at=now,
            updated_at=now,
            rotated_at=now,
        )
        await self.store.add(made)
        return made, token

    async def one(self, user_id: str, webhook_id: str) -> Webhook:
        """Raises NotFound."""
        found = await self.store.find(user_id, webhook_id)
        if found is None:
            raise NotFound(f"there is no webhook {webhook_id!r}")
        return found

    async def change(self, known: Webhook, after: Webhook) -> Webhook:
        """Raises InvalidInput for terms that cannot be, Conflict for a name that is taken or a change meanwhile."""
        check_terms(after.terms)
        changed = replace(after, updated_at=max(self.wall(), known.updated_at + 1))
        try:
            await self.store.replace(changed, known=known)
        finally:
            self.forget()
        return changed

    async def remove(self, known: Webhook) -> None:
        """Forgets a webhook and its log."""
        try:
            await self.store.remove(known.user_id, known.id)
        finally:
            self.forget()

    def forget(self, user_id: str | None = None) -> None:
        """A webhook, or a person, has changed or may no longer be here: all are looked up anew."""
        self._changes += 1
        self._held.clear()

    async def rotate(self, known: Webhook) -> tuple[Webhook, str]:
        """Another token; the old one holds no more."""
        token = _new_token()
        return await self.change(known, replace(known, token_hash=digest(token), rotated_at=self.wall())), token

    async def heard(self, token: str, address: str) -> tuple[Webhook, User]:
        """The webhook of a token and its owner, for a request from an address.

        Raises NotFound for no such token, Forbidden from elsewhere than its networks, Conflict where it is off, and
        TooManyRequests.
        """
        try:
            hook, owner = await self.as_now(digest(token), address)
        except NotFound:
            self._unknown.take(line_of(address))
            raise
        self._rate_of(hook).take(hook.id)
        return hook, owner

    async def as_now(self, token_hash: str, address: str) -> tuple[Webhook, User]:
        """As `heard`, without counting: for one that was heard some time ago, whose body took its time. Raises
        NotFound, Forbidden and Conflict."""
        held = await self._known(token_hash)
        if held is None:
            raise NotFound("there is no webhook at this address")
        if held.networks and not is_within(address, held.networks):
            raise Forbidden(f"this webhook does not take alerts from {address or 'here'}")
        if not held.hook.enabled:
            raise Conflict("this webhook is switched off", hint="evenkeel webhook edit NAME --on")
        return held.hook, held.owner

    async def _known(self, hashed: str) -> _Held | None:
        """The webhook of a token's hash with its owner, where both are in use."""
        held, now = self._held.get(hashed), time.monotonic()
        if held is not None and now - held.since < _TRUSTED and hmac.compare_digest(hashed, held.hook.token_hash):
            return held
        while True:
            changes = self._changes
            hook = await self.store.by_hash(hashed)
            owner = await self._people.by_id(hook.user_id) if hook is not None else None
            if changes == self._changes:  # else it may have been read before a change that ends it
                break
        self._held.pop(hashed, None)
        if hook is None or not hmac.compare_digest(hashed, hook.token_hash) or owner is None or not owner.is_active:
            return None
        found = self._held[hashed] = _Held(hook, owner, now, tuple(map(ip_network, hook.terms.networks)))
        return found

    def _rate_of(self, one: Webhook) -> Buckets:
        most = one.terms.per_minute
        known = self._rates.get(one.id)
        if known is None or known.size != most:
            known = self._rates[one.id] = Buckets(size=most, rate=most / 60)
        return known

    def turn(self, webhook_id: str) -> asyncio.Lock:
        """What a delivery holds while it is decided: one of a webhook at a time."""
        lock = self._locks.get(webhook_id)
        if lock is None:
            lock = self._locks[webhook_id] = asyncio.Lock()
        return lock

    async def tidy(self) -> None:
        """Forgets deliveries that are too old, now and then. Raises NotReady where the database does not answer."""
        now = time.monotonic()
        if now - self._tidied >= _TIDY_EVERY:
            await self.store.prune(self.wall() - KEPT_DAYS * 86_400 * SECOND, untaken=MOST_UNTAKEN)
            self._tidied = now


def _new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)
