"""Signed requests: HMAC-SHA256 (RFC 2104) over what is asked, when, and once only.

The message signed is seven lines: `EVK1`, the method, the path and the query as they are sent, the time in whole
seconds, the nonce, and the SHA-256 of the body in hex. The key itself is not sent, only its public beginning.
"""

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from evenkeel.domain.errors import TooManyRequests, Unauthenticated

WINDOW = 30
"""Seconds that a timestamp may differ from the server's clock."""
TIMESTAMP, NONCE, SIGNATURE = "x-evenkeel-timestamp", "x-evenkeel-nonce", "x-evenkeel-signature"
MOST_NONCES = 20_000
_VERSION = "EVK1"


class Asking(Struct, frozen=True):
    """A request as it is signed: `path` and `query` byte for byte as sent, the query without its question mark."""

    method: str
    path: str
    query: str
    body: bytes = b""


def signature(secret: str, asked: Asking, *, timestamp: str, nonce: str) -> str:
    """The signature in hex."""
    told = (_VERSION, asked.method, asked.path, asked.query, timestamp, nonce, sha256(asked.body).hexdigest())
    return hmac.new(secret.encode(), "\n".join(told).encode(), sha256).hexdigest()


def signed_headers(key: str, secret: str, *, method: str, url: str, body: bytes = b"") -> dict[str, str]:
    """The headers of one signed request, to be sent within half a minute and once. `key` is an API key or its public
    beginning, `secret` its signing secret, `url` an address or a path with its query, already escaped."""
    parts = urlsplit(url)
    asked = Asking(method.upper(), parts.path, parts.query, body)
    timestamp, nonce = str(int(time.time())), secrets.token_urlsafe(18)
    return {
        "X-API-Key": public_part(key),
        "X-Evenkeel-Timestamp": timestamp,
        "X-Evenkeel-Nonce": nonce,
        "X-Evenkeel-Signature": signature(secret, asked, timestamp=timestamp, nonce=nonce),
    }


def public_part(key: str) -> str:
    """The beginning of an API key, which names it and opens nothing."""
    return "_".join(key.split("_", 2)[:2])


class Horizon(Protocol):
    """Keeps, through a restart, the latest timestamp that was ahead of the server's clock and was taken."""

    def read(self) -> int | None:
        """In seconds since 1970; 0 where there was none, None where it cannot be told."""

    async def move(self, at: int) -> None:
        """Durable when it returns. Raises NotReady."""


class Signatures:
    """Checks signatures, each of them once. Nonces are remembered for as long as their timestamps are taken; when too
    many wait, the key's next requests are refused rather than one forgotten.

    Nonces do not outlive the process, so timestamps of before it are too old. One that was ahead of the clock is in
    `horizon` before it is taken: after a restart those up to there are too old as well, for as long as they might be.
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns, horizon: Horizon | None = None) -> None:
        self._wall, self._horizon = wall, horizon
        self._seen: dict[str, OrderedDict[str, int]] = {}
        self._moving = asyncio.Lock()
        started = -(-wall() // 10**9)
        kept = horizon.read() if horizon is not None else 0
        self._ahead = kept or 0
        most = started + WINDOW + 1
        self._first = max(started, most if kept is None else min(kept + 1, most))

    async def take(
        self, key_id: str, candidates: tuple[str, ...], *, asked: Asking, headers: Mapping[str, str]
    ) -> None:
        """As `check`, and sees to it that the request is taken no second time after a restart. Raises NotReady."""
        at = self.check(key_id, candidates, asked=asked, headers=headers)
        if self._horizon is None or at <= self._wall() // 10**9:
            return
        async with self._moving:  # or a move that began earlier could end later, and put it back
            if at > self._ahead:
                await self._horizon.move(at)
                self._ahead = at

    def check(self, key_id: str, candidates: tuple[str, ...], *, asked: Asking, headers: Mapping[str, str]) -> int:
        """The timestamp. Raises Unauthenticated where the signature is of none of the candidates, its time is over, or
        it was used."""
        timestamp, nonce = headers.get(TIMESTAMP, ""), headers.get(NONCE, "")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            raise Unauthenticated("X-Evenkeel-Timestamp must be the time in whole seconds since 1970")
        if not (16 <= len(nonce) <= 64 and nonce.isascii() and nonce.isprintable()):
            raise Unauthenticated("X-Evenkeel-Nonce must be 16 to 64 printable characters, another one each time")
        now, at = self._wall() // 10**9, int(timestamp)
        if abs(now - at) > WINDOW or at < self._first:
            hint = f"The server's clock shows {now}; sign within {WINDOW} seconds, after the server has started."
            raise Unauthenticated("the signature's time is over, or yet to come", hint=hint)
        given = headers.get(SIGNATURE, "").encode()
        fits = False
        for secret in candidates:
            fits |= hmac.compare_digest(signature(secret, asked, timestamp=timestamp, nonce=nonce).encode(), given)
        if not fits:
            raise Unauthenticated("the signature does not fit what is asked")
        self._spend(key_id, nonce, until=at + WINDOW, now=now)
        return at

    def _spend(self, key_id: str, nonce: str, *, until: int, now: int) -> None:
        seen = self._seen.setdefault(key_id, OrderedDict())
        while seen and next(iter(seen.values())) < now:
            seen.popitem(last=False)
        if nonce in seen:
            raise Unauthenticated("this signature was used before")
        if len(seen) >= MOST_NONCES:
            raise TooManyRequests("too many signed requests", retry_after=1.0, hint="Ask again in a second.")
        seen[nonce] = until

    def forget(self, key_id: str) -> None:
        self._seen.pop(key_id, None)
