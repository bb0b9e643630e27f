"""What makes a password: its length and that it is hard to guess, and never which characters it has."""

import asyncio

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.passwords import MAXIMUM, MINIMUM, Passwords, check, generated
from evenkeel.domain.errors import InvalidInput, QueueFull


def refusal(password: str, *about: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        check(password, about)
    (fault,) = refused.value.errors
    assert fault.field == "password"
    return fault.message


@pytest.mark.parametrize("password", ["", "short", "x" * 129])
def test_a_password_has_a_length(password: str) -> None:
    assert "8 to 128 characters; 15 or more are advised" in refusal(password)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "pässwörd ünïcode", "kvzm qtxw", "no capitals nor digits", "漢字を含む長い合言葉"],
)
def test_no_kind_of_characters_is_asked_for(password: str) -> None:
    check(password)


@pytest.mark.parametrize(
    "password", ["password1", "Password123!", "qwertyuiop", "letmein12345", "        ", "aaaaaaaaaaaa", "abcdefgh1"]
)
def test_a_common_password_is_refused_with_a_reason_a_person_understands(password: str) -> None:
    message = refusal(password)
    assert "guesses" in message
    assert "Four words" in message


def test_a_password_made_of_ones_own_name_or_address_is_refused() -> None:
    about = ("ann.smith", "ann.smith@kestrel.example", "Ann Smith")
    check("annsmith-kestrel!")
    for password in ("ann.smith1", "kestrel2024", "Ann Smith", "evenkeel2"):
        assert "guesses" in refusal(password, *about)


def test_generated_passwords_pass() -> None:
    for _ in range(20):
        check(generated())


@given(st.text(max_size=MAXIMUM + 20))
def test_every_text_is_taken_or_refused_in_words(password: str) -> None:
    try:
        check(password, ("somebody",))
    except InvalidInput:
        return
    assert MINIMUM <= len(password) <= MAXIMUM


async def test_a_flood_of_sign_ins_is_turned_away_before_it_waits() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    done = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(200)), return_exceptions=True)
    assert sum(isinstance(one, QueueFull) for one in done) == 200 - 64
    assert not await passwords.verify(None, "x")


async def test_an_endless_password_costs_no_more_than_a_long_one_and_never_fits() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    kept = await passwords.rehash("x" * 1024)
    assert await passwords.verify(kept, "x" * 1024)
    assert not await passwords.verify(kept, "x" * 60_000)


async def test_nobodys_empty_hash_fits_nothing() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    assert not await passwords.verify("", "")
    assert not await passwords.verify("", "anything else")
