"""Passwords: argon2id, hashed and checked off the event loop, and as slow for a name that does not exist.

What is asked of a new one is a length and that it is hard to guess; no kinds of characters are asked for (OWASP ASVS
5.0, 6.2). How hard is estimated by zxcvbn (Wheeler, 2016), which knows common passwords, names, dates, rows of keys,
and is told the person's own name and address.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import NoReturn, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from evenkeel.domain.errors import FieldError, InvalidInput, QueueFull

MINIMUM, ADVISED, MAXIMUM = 8, 15, 128
GUESSES = 10**8
P = ParamSpec("P")
T = TypeVar("T")
_LOOKED_AT = 72  # as many characters as zxcvbn takes
_LONGEST_READ = 1024
_WAITING = 64
_ALPHABET = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679"


class Passwords:
    """Hashes and verifies; two at a time, since each costs tens of MiB, and never more than a few dozen in wait."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(2)
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str, *, about: Iterable[str] = ()) -> str:
        """The hash of a new password. Raises InvalidInput as `check` does, QueueFull when too many are in wait."""
        return await self._turn(self._checked, password, tuple(about))

    async def rehash(self, password: str) -> str:
        """The hash of a password that was accepted once."""
        return await self._turn(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits; with no hash (an unknown user) it takes as long, and never does. Raises QueueFull
        when too many are in wait."""
        return await self._turn(self._verify, password_hash or None, password)

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _turn(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        if self._waiting >= _WAITING:
            raise QueueFull("too many sign-ins at once", retry_after=1.0, hint="Try again in a moment.")
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *given, **named)
        finally:
            self._waiting -= 1

    def _checked(self, password: str, about: tuple[str, ...]) -> str:
        check(password, about)
        return self._hasher.hash(password)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        fits = len(password) <= _LONGEST_READ
        try:
            self._hasher.verify(password_hash or self._nobody, password[:_LONGEST_READ])
        except (VerificationError, InvalidHashError):
            return False
        return fits and password_hash is not None


def check(password: str, about: Iterable[str] = ()) -> None:
    """Raises InvalidInput unless the password has 8 to 128 characters and would take 10^8 guesses; `about` are words
    of its person, such as their name, that are guessed first. 15 characters and more are advised."""
    if not MINIMUM <= len(password) <= MAXIMUM:
        _refuse(f"{MINIMUM} to {MAXIMUM} characters; {ADVISED} or more are advised")
    from zxcvbn import zxcvbn

    found = zxcvbn(password[:_LOOKED_AT], user_inputs=["evenkeel", *_words(about)])
    if found["guesses"] < GUESSES:
        why = (found["feedback"]["warning"] or "It is too simple.").rstrip(".")
        tries = f"{int(found['guesses']):,}" if found["guesses"] >= 1000 else "a few hundred"
        _refuse(f"it would be found within about {tries} guesses: {why}. Four words that have nothing in common do")


def _refuse(message: str) -> NoReturn:
    raise InvalidInput("the password cannot be used", errors=(FieldError("password", message),))


def _words(about: Iterable[str]) -> list[str]:
    """Each text, and its parts: `ann.smith@example.com` gives ann, smith and example too."""
    parts: list[str] = []
    for text in about:
        spaced = "".join(character if character.isalnum() else " " for character in text)
        parts += [text, *(part for part in spaced.split() if len(part) >= 3)]
    return parts


def generated() -> str:
    """A new password of 20 characters (over 110 bits) that can be read aloud."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
