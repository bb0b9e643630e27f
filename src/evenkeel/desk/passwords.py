"""Passwords: argon2id, hashed and checked off the event loop, and as slow for a name that does not exist."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from evenkeel.domain.errors import FieldError, InvalidInput

MINIMUM, MAXIMUM = 8, 256
_ALPHABET = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679"


class Passwords:
    """Hashes and verifies; two at a time, since each costs tens of MiB."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(2)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Raises InvalidInput for a password that is too short or too long."""
        check(password)
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits; with no hash (an unknown user) it takes as long, and never does."""
        async with self._turns:
            return await asyncio.to_thread(self._verify, password_hash, password)

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None


def check(password: str) -> None:
    """Raises InvalidInput unless the password has 8 to 256 characters; nothing else is asked of it."""
    if not MINIMUM <= len(password) <= MAXIMUM:
        message = f"{MINIMUM} to {MAXIMUM} characters"
        raise InvalidInput("the password cannot be used", errors=(FieldError("password", message),))


def generated() -> str:
    """A new password of 20 characters (over 110 bits) that can be read aloud."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
