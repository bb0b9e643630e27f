"""Wraps: how each key is sealed under another, and what is said about it, so that none can stand in another's place.

What a person knows is stretched with argon2id (RFC 9106, second recommendation: t=3, 64 MiB, p=4), over an HMAC of it
under the server key: who has the database without that key has nothing to guess against. A recovery code is 160 random
bits, needs no stretching and no server key, and so opens a restored vault whose server key is lost.
"""

import base64
import hmac
import secrets
import unicodedata
from hashlib import sha256

from msgspec import Struct

from evenkeel.desk.sealing import BYTES, Key, KeyRing, seal, unseal
from evenkeel.desk.vault.ports import Wrap, WrapKind
from evenkeel.domain.errors import InvalidInput, SealBroken, Unauthenticated

CODES = 8
_CODE_BYTES, _GROUP = 20, 4
_SALT = 16


class Cost(Struct, frozen=True):
    """How dear one guess is: passes, KiB of memory, lanes."""

    time: int = 3
    memory: int = 65_536
    lanes: int = 4

    def __str__(self) -> str:
        return f"t={self.time},m={self.memory},p={self.lanes}"

    @classmethod
    def read(cls, text: str | None) -> "Cost":
        """Raises SealBroken for what `str` has not written."""
        try:
            values = dict(part.split("=") for part in (text or "").split(","))
            return cls(int(values["t"]), int(values["m"]), int(values["p"]))
        except (KeyError, ValueError):
            raise SealBroken("a wrap does not say how its key is made") from None


def wrap_secret(data: Key, user_id: str, secret: str, *, server: Key, cost: Cost, at: int) -> Wrap:
    """The data key under what a person knows. Takes as long as `cost` says: run it off the event loop."""
    wrap_id, salt = secrets.token_hex(16), secrets.token_bytes(_SALT)
    with stretched(_peppered(secret, server), salt, cost) as key:
        envelope = seal(key, data.material(), about=_about(user_id, WrapKind.SECRET, wrap_id))
    return Wrap(
        id=wrap_id,
        user_id=user_id,
        kind=WrapKind.SECRET,
        envelope=envelope,
        created_at=at,
        salt=salt.hex(),
        cost=str(cost),
        server_key=server.fingerprint,
    )


def open_secret(wrap: Wrap, secret: str, ring: KeyRing) -> Key:
    """The data key. Raises Unauthenticated for another secret, SealBroken where the server key is not here."""
    server = ring.of(wrap.server_key or "")
    with stretched(_peppered(secret, server), bytes.fromhex(wrap.salt or ""), Cost.read(wrap.cost)) as key:
        return _opened(key, wrap, "this does not open the vault")


def wrap_code(data: Key, user_id: str, code: str, *, at: int) -> Wrap:
    """The data key under a recovery code."""
    wrap_id = secrets.token_hex(16)
    with _key_of_code(code, wrap_id) as key:
        envelope = seal(key, data.material(), about=_about(user_id, WrapKind.RECOVERY, wrap_id))
    return Wrap(id=wrap_id, user_id=user_id, kind=WrapKind.RECOVERY, envelope=envelope, created_at=at)


def open_code(wrap: Wrap, code: str) -> Key:
    """The data key. Raises Unauthenticated for another code."""
    with _key_of_code(code, wrap.id) as key:
        return _opened(key, wrap, "this code does not open the vault")


def wrap_account(account: Key, user_id: str, account_id: str, kind: WrapKind, *, under: Key, at: int) -> Wrap:
    """An account's key under its owner's data key, or under the server's."""
    wrap_id = secrets.token_hex(16)
    return Wrap(
        id=wrap_id,
        user_id=user_id,
        kind=kind,
        envelope=seal(under, account.material(), about=_about(user_id, kind, wrap_id, account_id)),
        created_at=at,
        account_id=account_id,
    )


def open_account(wrap: Wrap, under: Key) -> Key:
    """Raises SealBroken for another key, or a wrap that was changed or moved."""
    return Key(unseal(under, wrap.envelope, about=_about(wrap.user_id, wrap.kind, wrap.id, wrap.account_id)))


def new_code() -> str:
    """A recovery code: 32 letters and digits in groups of four."""
    text = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(text[place : place + _GROUP] for place in range(0, len(text), _GROUP))


def _about(user_id: str, kind: WrapKind, wrap_id: str, account_id: str = "") -> tuple[str, ...]:
    return ("key", user_id, account_id, kind, wrap_id)


def _opened(key: Key, wrap: Wrap, refusal: str) -> Key:
    try:
        return Key(unseal(key, wrap.envelope, about=_about(wrap.user_id, wrap.kind, wrap.id)))
    except SealBroken:
        raise Unauthenticated(refusal) from None


def stretched(secret: bytes, salt: bytes, cost: Cost) -> Key:
    """The key that argon2id makes of a secret. Takes as long as `cost` says."""
    from argon2.low_level import Type, hash_secret_raw

    made = hash_secret_raw(
        secret,
        salt,
        time_cost=cost.time,
        memory_cost=cost.memory,
        parallelism=cost.lanes,
        hash_len=BYTES,
        type=Type.ID,
    )
    return Key(made)


def _peppered(secret: str, server: Key) -> bytes:
    """A secret as only a server with this key can write it."""
    return hmac.new(server.material(), unicodedata.normalize("NFC", secret).encode(), sha256).digest()


def _key_of_code(code: str, wrap_id: str) -> Key:
    """Raises InvalidInput for what cannot be a recovery code; nothing of it is repeated."""
    text = "".join(code.split()).replace("-", "").upper()
    try:
        data = base64.b32decode(text)
    except ValueError:
        data = b""
    if len(data) != _CODE_BYTES:
        raise InvalidInput("this is no recovery code", hint="It has 32 letters and digits, in eight groups of four.")
    with Key(data.ljust(BYTES, b"\0")) as whole:
        return whole.derived("recovery code", salt=wrap_id.encode())
