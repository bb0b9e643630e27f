"""Sealing: AES-256-GCM under keys that live in memory only, and that say what they seal.

What is sealed is bound to what it is about (its associated data): a row copied to another user, account or name does
not open. An envelope is text, `1.KEY.BASE64`: version, the fingerprint of the key that opens it, then nonce and
ciphertext. So a ring of keys can open what an older key of it has sealed, and tell what is still to be sealed anew.
A ring's keys for one purpose go by the fingerprints of the keys they come from: those are what people see and keep.

AES-GCM as NIST SP 800-38D has it, with a random 96-bit nonce (at most 2^32 envelopes a key, section 8.3); keys for
other purposes are derived with HKDF-SHA256 (RFC 5869).
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable, Sequence
from hashlib import sha256
from types import TracebackType
from typing import Self

from evenkeel.domain.errors import InvalidInput, SealBroken

BYTES = 32
_NONCE, _TAG = 12, 16
_VERSION = "1"


class Key:
    """A key of 256 bits. It shows its fingerprint and never itself; `wipe` (or leaving a `with`) overwrites it.

    Python may have copied the bytes it was made of; what is wiped is the copy held here. Raises InvalidInput for
    another length.
    """

    __slots__ = ("_bytes", "_own", "fingerprint")

    def __init__(self, material: bytes | bytearray) -> None:
        if len(material) != BYTES:
            raise InvalidInput(f"a key has {BYTES} bytes, not {len(material)}")
        self._bytes = bytearray(material)
        self._own = hmac.new(material, b"evenkeel key fingerprint", sha256).hexdigest()[:16]
        self.fingerprint = self._own

    @classmethod
    def random(cls) -> Self:
        return cls(secrets.token_bytes(BYTES))

    @property
    def is_wiped(self) -> bool:
        return not self._bytes

    def material(self) -> bytes:
        """The bytes themselves, to be wrapped under another key and for nothing else. Raises SealBroken once wiped."""
        if not self._bytes:
            raise SealBroken("this key has been wiped from memory")
        return bytes(self._bytes)

    def derived(self, purpose: str, *, salt: bytes | None = None) -> "Key":
        """A key for one purpose, which gives nothing away of this one or of another's."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return Key(HKDF(SHA256(), BYTES, salt, f"evenkeel {purpose}".encode()).derive(self.material()))

    def called(self, fingerprint: str) -> "Key":
        """This key, going by another's fingerprint; what names its own still opens."""
        self.fingerprint = fingerprint
        return self

    def is_named(self, fingerprint: str) -> bool:
        return fingerprint in (self.fingerprint, self._own)

    def wipe(self) -> None:
        """Overwrites the key; it opens and seals nothing from now on."""
        for index in range(len(self._bytes)):
            self._bytes[index] = 0
        self._bytes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"Key({'wiped' if self.is_wiped else self.fingerprint})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


def seal(key: Key, plaintext: bytes, *, about: Sequence[str]) -> str:
    """The envelope of `plaintext`, which opens with this key and the same `about` only."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    body = nonce + AESGCM(key.material()).encrypt(nonce, plaintext, _associated(key.fingerprint, about))
    return f"{_VERSION}.{key.fingerprint}.{base64.urlsafe_b64encode(body).decode()}"


def unseal(key: Key, envelope: str, *, about: Sequence[str]) -> bytes:
    """What was sealed. Raises SealBroken for another key, another `about`, and for an envelope that was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    named, body = _parts(envelope)
    if not key.is_named(named):
        raise SealBroken(f"it is sealed under the key {named}, and this one is {key.fingerprint}")
    try:
        return AESGCM(key.material()).decrypt(body[:_NONCE], body[_NONCE:], _associated(named, about))
    except InvalidTag:
        # Not chained: the frames below hold the ciphertext and the key's bytes.
        raise SealBroken("what is sealed here was changed, or put in another's place") from None


def sealed_under(envelope: str) -> str:
    """The fingerprint of the key that opens an envelope. Raises SealBroken for what is none."""
    return _parts(envelope)[0]


class KeyRing:
    """Keys by fingerprint: the first seals, all of them open."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """Raises InvalidInput without a key."""
        self._keys = {key.fingerprint: key for key in keys}
        if not self._keys:
            raise InvalidInput("a ring without a key can neither seal nor open")

    @property
    def current(self) -> Key:
        return next(iter(self._keys.values()))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def derived(self, purpose: str) -> "KeyRing":
        """The ring of the keys for one purpose, in the same order, by the same fingerprints."""
        return KeyRing(key.derived(purpose).called(key.fingerprint) for key in self._keys.values())

    def seal(self, plaintext: bytes, *, about: Sequence[str]) -> str:
        return seal(self.current, plaintext, about=about)

    def unseal(self, envelope: str, *, about: Sequence[str]) -> bytes:
        """Raises SealBroken as `unseal` does, and for a key that is not in the ring."""
        return unseal(self.of(sealed_under(envelope)), envelope, about=about)

    def of(self, fingerprint: str) -> Key:
        """Raises SealBroken for a key that is not in the ring."""
        key = next((one for one in self._keys.values() if one.is_named(fingerprint)), None)
        if key is None:
            raise SealBroken(
                f"it is sealed under the key {fingerprint}, which is not here",
                hint=f"put that key back; the keys here are {', '.join(self._keys)}",
            )
        return key

    def has(self, fingerprint: str) -> bool:
        return any(one.is_named(fingerprint) for one in self._keys.values())

    def is_current(self, envelope: str) -> bool:
        """Whether an envelope is sealed under the key that seals today; otherwise it is due to be sealed anew."""
        return sealed_under(envelope) == self.current.fingerprint

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"


def _associated(fingerprint: str, about: Sequence[str]) -> bytes:
    """One encoding for each sequence: every part with its length before it."""
    parts = [_VERSION.encode(), fingerprint.encode(), *(part.encode() for part in about)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _parts(envelope: str) -> tuple[str, bytes]:
    version, _, rest = envelope.partition(".")
    fingerprint, _, body = rest.partition(".")
    if version != _VERSION or not fingerprint:
        raise SealBroken("this is no sealed envelope of a known version")
    try:
        data = base64.b64decode(body.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise SealBroken("this is no sealed envelope: its text is damaged") from None
    if len(data) < _NONCE + _TAG:
        raise SealBroken("this is no sealed envelope: its text is cut short")
    return fingerprint, data
