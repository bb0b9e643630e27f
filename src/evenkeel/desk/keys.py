"""API keys: what a program signs in with. A key has a public beginning, which names it, and a secret of 256 bits,
which is shown once and kept as a hash; it may do no more than its scope, its person's role and its own terms allow.

A key in use is remembered with its person; what ends it here ends it at once. Where and when it was last used is
written now and then, not with every request.
"""

import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from evenkeel.desk.buckets import Buckets
from evenkeel.desk.permissions import Door, Permission, Principal, granted, up_to
from evenkeel.desk.ports import User, Users
from evenkeel.desk.sealing import Key
from evenkeel.desk.signing import SIGNATURE, Asking, Horizon, Signatures, public_part
from evenkeel.desk.throttle import line_of
from evenkeel.desk.tokens import digest
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound, Unauthenticated
from evenkeel.domain.ids import Random

PREFIX = "evk_"
DAY = 24 * 3600 * SECOND
LONGEST_DAYS = 366
MOST_OVERLAP_HOURS = 72
MOST_KEYS = 50
_FORM = re.compile(PREFIX + "[0-9a-f]{12}")
_REMEMBERED = 10_000
_TRUSTED = 10 * SECOND
SCOPES = (Permission.READ, Permission.REDUCE, Permission.TRADE, Permission.MANAGE, Permission.ADMIN)


class ApiKey(Struct, frozen=True):
    """One key, known by its hash. `prefix` is its public beginning; times are wall-clock ns.

    `accounts` are those it is confined to and `networks` those it may come from, none meaning all; `signed` demands a
    signature of every request; `server_key` is the fingerprint of the one its signing secret is made under.
    """

    id: str
    user_id: str
    name: str
    prefix: str
    secret_hash: str
    scope: Permission
    created_at: int
    expires_at: int
    accounts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    signed: bool = False
    revoked_at: int | None = None
    last_used_at: int | None = None
    last_address: str | None = None
    server_key: str = ""

    def is_live(self, at: int) -> bool:
        return self.revoked_at is None and at < self.expires_at


class KeyTerms(Struct, frozen=True, kw_only=True):
    """What a new key may do, until when, and from where."""

    name: str
    scope: Permission
    days: int = 90
    accounts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    signed: bool = False


class NewKey(Struct, frozen=True):
    """A key with what is shown of it once: the key, and the secret that signs."""

    key: ApiKey
    secret: str
    signing_secret: str


class ApiKeys(Protocol):
    """Where keys are kept."""

    async def add(self, key: ApiKey) -> None: ...

    async def by_prefix(self, prefix: str) -> ApiKey | None: ...

    async def by_id(self, key_id: str) -> ApiKey | None: ...

    async def of_user(self, user_id: str) -> tuple[ApiKey, ...]:
        """All of them, the newest first."""

    async def end(self, key_id: str, *, expires_at: int, revoked_at: int | None) -> None:
        """Gives a key another end."""

    async def used(self, uses: Iterable[tuple[str, int, str]]) -> None:
        """When and from where keys were last used: (id, ns, address)."""


class _Held(Struct):
    """A key that is remembered, its person as of a moment, and its networks read."""

    key: ApiKey
    user: User
    since: int
    networks: tuple[IPv4Network | IPv6Network, ...]
    allowed: frozenset[Permission]
    accounts: frozenset[str] | None


class Keys:
    """Makes, knows and ends keys. The first of `server_keys` makes the secrets that sign, which the store alone does
    not give away; those of the others, which were in its place before, still hold."""

    def __init__(
        self,
        keys: ApiKeys,
        users: Users,
        server_keys: tuple[bytes, ...],
        *,
        admits: Callable[[User, str], bool] = lambda user, address: True,
        wall: Callable[[], int] = time.time_ns,
        horizon: Horizon | None = None,
    ) -> None:
        self.keys, self.users, self._admits, self._wall = keys, users, admits, wall
        self.signatures = Signatures(wall, horizon)
        self._signing = {
            Key(one).fingerprint: hmac.new(one, b"evenkeel request signing", sha256).digest() for one in server_keys
        }
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._changes = 0
        self._used: dict[str, tuple[int, str]] = {}
        self._unknown = Buckets(size=30, rate=1)

    async def create(self, person: Principal, terms: KeyTerms) -> NewKey:
        """Raises InvalidInput for terms that cannot be, Forbidden for more than the person may do themselves, and
        Conflict where there are too many keys."""
        check_terms(terms)
        if terms.scope not in granted(person.user.role):
            raise Forbidden(f"a {person.user.role} may not {terms.scope}, and so may no key of theirs")
        now = self._wall()
        live = [one for one in await self.keys.of_user(person.user.id) if one.is_live(now)]
        if len(live) >= MOST_KEYS:
            raise Conflict(f"there are {MOST_KEYS} keys already", hint="Revoke those that are not used any more.")
        return await self._add(person.user.id, terms, now=now)

    async def _add(self, user_id: str, terms: KeyTerms, *, now: int) -> NewKey:
        prefix = PREFIX + secrets.token_hex(6)
        secret = f"{prefix}_{secrets.token_urlsafe(32)}"
        key = ApiKey(
            id=Random().public(now, 0, "key"),
            user_id=user_id,
            name=terms.name,
            prefix=prefix,
            secret_hash=digest(secret),
            scope=terms.scope,
            created_at=now,
            expires_at=now + terms.days * DAY,
            accounts=terms.accounts,
            networks=terms.networks,
            signed=terms.signed,
            server_key=next(iter(self._signing)),
        )
        await self.keys.add(key)
        return NewKey(key, secret, self._signing_secrets(key)[0])

    async def of(self, user_id: str) -> tuple[ApiKey, ...]:
        """A person's keys, the newest first, with their last use up to now."""
        return tuple(self._with_use(one) for one in await self.keys.of_user(user_id))

    async def one(self, user_id: str, key_id: str) -> ApiKey:
        """Raises NotFound."""
        found = next((one for one in await self.of(user_id) if one.id == key_id), None)
        if found is None:
            raise NotFound(f"there is no key {key_id!r}")
        return found

    async def revoke(self, user_id: str, key_id: str) -> ApiKey:
        """Ends a key from this moment on. Raises NotFound."""
        return await self._end(await self.one(user_id, key_id), self._wall())

    async def rotate(self, user_id: str, key_id: str, *, overlap_hours: int = 0) -> NewKey:
        """A new key on the same terms and for as long; the old one ends after the overlap. Raises NotFound, Conflict
        for one that has ended, InvalidInput for too long an overlap."""
        if not 0 <= overlap_hours <= MOST_OVERLAP_HOURS:
            fault = FieldError("overlap_hours", f"0 to {MOST_OVERLAP_HOURS}")
            raise InvalidInput("the key cannot be rotated", errors=(fault,))
        old, now = await self.one(user_id, key_id), self._wall()
        if not old.is_live(now):
            raise Conflict("the key has ended", hint="Make a new one.")
        days = max(1, round((old.expires_at - old.created_at) / DAY))
        terms = KeyTerms(
            name=old.name, scope=old.scope, days=days, accounts=old.accounts, networks=old.networks, signed=old.signed
        )
        new = await self._add(user_id, terms, now=now)
        await self._end(old, now + overlap_hours * 3600 * SECOND)
        return new

    async def _end(self, key: ApiKey, at: int) -> ApiKey:
        now = self._wall()
        expires, revoked = min(key.expires_at, at), key.revoked_at or (now if at <= now else None)
        await self.keys.end(key.id, expires_at=expires, revoked_at=revoked)
        self._changes += 1
        self._held.pop(key.prefix, None)
        if revoked is not None:
            self.signatures.forget(key.id)
        return replace(key, expires_at=expires, revoked_at=revoked)

    def forget(self, user_id: str) -> None:
        """A person has changed, or may no longer be here: their keys are looked up anew."""
        self._changes += 1
        for prefix in [prefix for prefix, held in self._held.items() if held.user.id == user_id]:
            del self._held[prefix]

    async def principal(
        self, given: str, asked: Asking | None, *, headers: Mapping[str, str], address: str
    ) -> Principal:
        """Whoever a key stands for. `asked` is what was signed; None where there is no signature.

        Raises Unauthenticated for a key that does not hold, Forbidden from an address that is not its own.
        """
        now = self._wall()
        held = await self._known(public_part(given), address, now=now)
        key = held.key
        full = hmac.compare_digest(digest(given), key.secret_hash)
        if not key.is_live(now) or not (full or (given == key.prefix and asked is not None)):
            raise _invalid()
        if asked is not None:
            await self.signatures.take(key.id, self._signing_secrets(key), asked=asked, headers=headers)
        elif key.signed:
            raise Unauthenticated("this API key takes signed requests only", hint="See `docs/access.md`.")
        if (held.networks and not is_within(address, held.networks)) or not self._admits(held.user, address):
            raise Forbidden(f"this API key may not be used from {address or 'here'}")
        self._used[key.id] = (now, address)
        return Principal(
            held.user, held.allowed, Door.KEY, key_id=key.id, accounts=held.accounts, is_signed=asked is not None
        )

    async def _known(self, prefix: str, address: str, *, now: int) -> _Held:
        held = self._held.get(prefix)
        if held is not None and now - held.since < _TRUSTED:
            return held
        if held is None:
            if _FORM.fullmatch(prefix) is None:
                raise _invalid()
            self._unknown.take(line_of(address))
        while True:
            changes = self._changes
            held = await self._read(prefix, now)
            if changes == self._changes:  # else it may have been read before a change that ends it
                break
        self._held[prefix] = held
        while len(self._held) > _REMEMBERED:
            self._held.popitem(last=False)
        return held

    async def _read(self, prefix: str, now: int) -> _Held:
        key = await self.keys.by_prefix(prefix)
        user = await self.users.by_id(key.user_id) if key is not None else None
        if key is None or user is None or not user.is_active:
            self._held.pop(prefix, None)
            raise _invalid()
        networks = tuple(map(ip_network, (*key.networks,)))
        allowed = up_to(key.scope) & granted(user.role)
        return _Held(key, user, now, networks, allowed, frozenset(key.accounts) if key.accounts else None)

    async def holds(self, key_id: str, person: User) -> bool:
        """Whether a key may still be here, and its person, as they were then, too."""
        key = await self.keys.by_id(key_id)
        user = await self.users.by_id(person.id) if key is not None and key.is_live(self._wall()) else None
        as_then = user is not None and (user.role, user.networks) == (person.role, person.networks)
        return user is not None and user.is_active and as_then

    async def write_uses(self) -> None:
        """Writes down the last uses since the last time. Raises NotReady, and keeps them."""
        uses, self._used = self._used, {}
        try:
            if uses:
                await self.keys.used([(key_id, at, address) for key_id, (at, address) in uses.items()])
        except BaseException:
            self._used = uses | self._used
            raise

    def _with_use(self, key: ApiKey) -> ApiKey:
        at, address = self._used.get(key.id, (None, None))
        return key if at is None else replace(key, last_used_at=at, last_address=address)

    def _signing_secrets(self, key: ApiKey) -> tuple[str, ...]:
        """The secret that signs for a key; where nobody knows under which server key it was made, each that it may be.

        Raises Unauthenticated where that server key is not here.
        """
        told = f"{key.id}:{key.secret_hash}".encode()
        under = tuple(self._signing.values()) if not key.server_key else (self._signing.get(key.server_key),)
        found = tuple("evs_" + hmac.new(one, told, sha256).hexdigest() for one in under if one is not None)
        if not found:
            raise Unauthenticated(
                f"the server key {key.server_key}, under which this API key signs, is not here",
                hint="Rotate the API key, or have the server key put back: `evenkeel vault keys`.",
            )
        return found


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request brings a signature."""
    return SIGNATURE in headers


def check_terms(terms: KeyTerms) -> None:
    """Raises InvalidInput with every fault of the terms."""
    faults = []
    if not (1 <= len(terms.name) <= 80 and terms.name.isprintable()):
        faults.append(FieldError("name", "1 to 80 printable characters"))
    if terms.scope not in SCOPES:
        faults.append(FieldError("scope", f"one of {', '.join(SCOPES)}; no key may be its person"))
    if not 1 <= terms.days <= LONGEST_DAYS:
        faults.append(FieldError("days", f"1 to {LONGEST_DAYS}; rotate the key then"))
    for place, network in enumerate(terms.networks):
        if not _is_network(network):
            faults.append(FieldError(f"networks.{place}", "an address or a network such as 192.0.2.0/24"))
    if faults:
        raise InvalidInput("the key cannot be made", errors=tuple(faults))


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _invalid() -> Unauthenticated:
    return Unauthenticated("the API key is not valid, has expired, or was revoked")


def is_within(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether an address is in one of the networks; IPv4 in IPv6 is IPv4."""
    try:
        here = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(here, "ipv4_mapped", None) or here
    return any(mapped in network for network in networks)
