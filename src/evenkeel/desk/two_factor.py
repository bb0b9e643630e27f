"""A second factor: time-based codes (RFC 6238: 30 seconds, six digits, SHA-1, as every authenticator knows them).

The secret is sealed at rest and bound to its person. A code of the present step, the one before and the one after is
taken, and each step only once. Ten recovery codes of 118 bits stand in for a lost device, each once; their hashes alone
are kept, and need no salt at that length (OWASP ASVS 5.0, 6.5.2).
"""

import hmac
import secrets
import time
from collections.abc import Callable

from msgspec import Struct

from evenkeel.desk.ports import SecondFactor, SecondFactors, User
from evenkeel.desk.sealing import KeyRing
from evenkeel.desk.tokens import digest
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound

STEP = 30
CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 6, 4


class Setup(Struct, frozen=True):
    """What an authenticator needs: the secret as people type it, and as the address that its QR code holds."""

    secret: str
    uri: str

    def __repr__(self) -> str:
        return "Setup(…)"


class Standing(Struct, frozen=True):
    """Whether a person has two factors, since when, and how many recovery codes are left."""

    is_on: bool
    since: int | None
    codes_left: int


class TwoFactor:
    """Second factors of one home. `ring` seals their secrets."""

    def __init__(self, store: SecondFactors, ring: KeyRing, *, wall: Callable[[], int] = time.time_ns) -> None:
        self._store, self._ring, self._wall = store, ring, wall

    async def is_on(self, user_id: str) -> bool:
        factor = await self._store.of(user_id)
        return factor is not None and factor.confirmed_at is not None

    async def standing(self, user_id: str) -> Standing:
        factor = await self._store.of(user_id)
        if factor is None or factor.confirmed_at is None:
            return Standing(is_on=False, since=None, codes_left=0)
        return Standing(is_on=True, since=factor.confirmed_at, codes_left=await self._store.codes_left(user_id))

    async def begin(self, user: User) -> Setup:
        """A new secret, of no effect until it is confirmed. Raises Conflict where there are two factors already."""
        import pyotp

        if await self.is_on(user.id):
            raise Conflict("two factors are on already", hint="Switch them off first, to enrol another device.")
        secret = pyotp.random_base32(32)
        sealed = self._ring.seal(secret.encode(), about=_about(user.id))
        await self._store.put(SecondFactor(user.id, sealed, self._wall()))
        return Setup(secret, pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name="Evenkeel"))

    async def confirm(self, user_id: str, code: str) -> tuple[str, ...]:
        """Switches it on by a first code, and answers the recovery codes. Raises NotFound before `begin`, Conflict
        where it is on, InvalidInput for a wrong code."""
        factor = await self._store.of(user_id)
        if factor is None:
            raise NotFound("no second factor has been begun", hint="Begin with its secret.")
        if factor.confirmed_at is not None:
            raise Conflict("two factors are on already")
        step = self._step_of(factor, code)
        if step is None:
            raise wrong_code()
        if not await self._store.confirm(user_id, at=self._wall(), step=step):
            raise Conflict("two factors are on already")
        return await self.renew_codes(user_id)

    async def check(self, user_id: str, code: str) -> bool:
        """Whether this is a code of the person's device or one of their recovery codes; it works no second time."""
        factor = await self._store.of(user_id)
        if factor is None or factor.confirmed_at is None:
            return False
        if not _is_timed(code):
            return await self._store.take_code(user_id, digest(_plain(code)))
        step = self._step_of(factor, code)
        if step is None or not await self._store.take_step(user_id, step):
            return False
        if not self._ring.is_current(factor.sealed):
            await self._seal_anew(factor)
        return True

    async def renew_codes(self, user_id: str) -> tuple[str, ...]:
        """Ten new recovery codes, to be shown once; those there were are gone."""
        made = tuple(_recovery_code() for _ in range(CODES))
        await self._store.set_codes(user_id, tuple(digest(_plain(one)) for one in made))
        return made

    async def remove(self, user_id: str) -> bool:
        """Whether there was one."""
        return await self._store.remove(user_id)

    def _step_of(self, factor: SecondFactor, code: str) -> int | None:
        """The step of which this is the code, later than the last one taken; all three are compared in any case."""
        import pyotp

        totp = pyotp.TOTP(self._ring.unseal(factor.sealed, about=_about(factor.user_id)).decode())
        now, given = self._wall() // SECOND // STEP, _plain(code).encode()
        fitting = [
            step for step in (now - 1, now, now + 1) if hmac.compare_digest(totp.generate_otp(step).encode(), given)
        ]
        return next((step for step in fitting if step > factor.last_step), None)

    async def _seal_anew(self, factor: SecondFactor) -> None:
        secret = self._ring.unseal(factor.sealed, about=_about(factor.user_id))
        await self._store.reseal(factor.user_id, self._ring.seal(secret, about=_about(factor.user_id)))


def wrong_code() -> InvalidInput:
    """What a code that does not fit is answered with, once its person is known."""
    fault = FieldError("code", "is not the present code of this device, or was used before")
    return InvalidInput("the code is wrong", errors=(fault,))


def _about(user_id: str) -> tuple[str, str]:
    return "second factor", user_id


def _plain(code: str) -> str:
    return "".join(character for character in code.lower() if character.isalnum())[:64]


def _is_timed(code: str) -> bool:
    plain = _plain(code)
    return len(plain) == 6 and plain.isascii() and plain.isdigit()


def _recovery_code() -> str:
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
