"""Sealing: what is sealed opens with its key and in its place only, and keys do not show."""

import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.sealing import Key, KeyRing, seal, sealed_under, unseal
from evenkeel.domain.errors import InvalidInput, SealBroken

ABOUT = ("user_1", "account_1", "api_secret", "1")


@given(st.binary(max_size=400), st.lists(st.text(max_size=12), max_size=5))
def test_what_is_sealed_comes_back(plaintext: bytes, about: list[str]) -> None:
    key = Key.random()
    envelope = seal(key, plaintext, about=about)
    assert envelope.isascii()
    assert unseal(key, envelope, about=about) == plaintext
    assert seal(key, plaintext, about=about) != envelope


@given(st.lists(st.text(max_size=6), max_size=4), st.lists(st.text(max_size=6), max_size=4))
def test_it_opens_in_its_own_place_only(about: list[str], other: list[str]) -> None:
    key = Key.random()
    envelope = seal(key, b"secret", about=about)
    if about == other:
        assert unseal(key, envelope, about=other) == b"secret"
        return
    with pytest.raises(SealBroken, match="another's place"):
        unseal(key, envelope, about=other)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_envelope_does_not_open(place: int, change: int) -> None:
    key = Key.random()
    data = bytearray(seal(key, b"secret", about=ABOUT).encode())
    data[place % len(data)] ^= change
    with pytest.raises(SealBroken):
        unseal(key, data.decode("latin-1"), about=ABOUT)


@pytest.mark.parametrize("text", ["", "1.", "2.abc.def", "1.abc", "1.abc.!!!", "1.abc.AAAA", "1.abc.é"])
def test_what_is_no_envelope_is_refused(text: str) -> None:
    with pytest.raises(SealBroken, match="no sealed envelope"):
        sealed_under(text)


def test_a_key_never_shows() -> None:
    material = bytes(range(1, 33))
    key = Key(material)
    for text in (repr(key), str(key), f"{key}", repr(KeyRing([key])), key.fingerprint):
        assert material.hex() not in text
        assert repr(material) not in text
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)
    assert not hasattr(key, "__dict__")


def test_a_wiped_key_is_gone() -> None:
    with Key(b"k" * 32) as key:
        held = key._bytes
        envelope = seal(key, b"secret", about=ABOUT)
    assert key.is_wiped
    assert not held
    for use in (lambda: unseal(key, envelope, about=ABOUT), lambda: seal(key, b"", about=())):
        with pytest.raises(SealBroken, match="wiped"):
            use()


def test_a_key_has_256_bits() -> None:
    with pytest.raises(InvalidInput, match="32 bytes"):
        Key(b"short")
    with pytest.raises(InvalidInput, match="without a key"):
        KeyRing([])


def test_a_ring_opens_what_its_older_keys_sealed() -> None:
    old, new, strange = Key.random(), Key.random(), Key.random()
    envelope = KeyRing([old]).seal(b"secret", about=ABOUT)
    ring = KeyRing([new, old])
    assert ring.unseal(envelope, about=ABOUT) == b"secret"
    assert not ring.is_current(envelope)
    assert ring.is_current(ring.seal(b"secret", about=ABOUT))
    assert ring.fingerprints == (new.fingerprint, old.fingerprint)
    with pytest.raises(SealBroken, match="not here") as refused:
        ring.unseal(seal(strange, b"x", about=ABOUT), about=ABOUT)
    assert new.fingerprint in (refused.value.hint or "")


def test_derived_keys_are_apart() -> None:
    key = Key.random()
    assert key.derived("totp").material() == key.derived("totp").material()
    assert len({key.material(), key.derived("totp").material(), key.derived("vault").material()}) == 3
    assert key.derived("x", salt=b"1").material() != key.derived("x", salt=b"2").material()


def test_keys_of_one_purpose_go_by_the_fingerprints_people_keep() -> None:
    """Whatever says that a key is missing names the one that `evenkeel vault keys` and backups show."""
    key, older = Key.random(), Key.random()
    ring = KeyRing([key, older]).derived("totp")
    assert ring.fingerprints == (key.fingerprint, older.fingerprint)
    envelope = ring.seal(b"secret", about=ABOUT)
    assert sealed_under(envelope) == key.fingerprint
    with pytest.raises(SealBroken, match=key.fingerprint):
        KeyRing([older]).derived("totp").unseal(envelope, about=ABOUT)
    with pytest.raises(SealBroken):
        KeyRing([key]).derived("vault").unseal(envelope, about=ABOUT)


def test_an_envelope_that_names_the_derived_key_itself_opens_and_is_due_to_be_sealed_anew() -> None:
    key = Key.random()
    ring = KeyRing([key]).derived("totp")
    own = key.derived("totp")
    envelope = seal(own, b"secret", about=ABOUT)
    assert sealed_under(envelope) == own.fingerprint != key.fingerprint
    assert ring.has(own.fingerprint)
    assert ring.unseal(envelope, about=ABOUT) == b"secret"
    assert not ring.is_current(envelope)


def test_a_failure_shows_neither_key_nor_plaintext() -> None:
    key = Key(b"canary-key-canary-key-canary-key")
    envelope = seal(key, b"canary-plaintext", about=ABOUT)
    with pytest.raises(SealBroken) as caught:
        unseal(key, envelope, about=("elsewhere",))
    told = "".join(traceback.format_exception(caught.value))
    assert "canary" not in told
