"""Signing in and staying so: passwords, tokens, rotation, reuse, links, tickets, and slowing down guesses."""

import asyncio
from collections.abc import Callable
from hashlib import sha256

import jwt
import pytest
from argon2 import PasswordHasher

from evenkeel.desk.auth import ABSOLUTE, ACCESS_SECONDS, IDLE, RACE, Auth
from evenkeel.desk.passwords import Passwords, check, generated
from evenkeel.desk.throttle import Throttle, TooManyAttempts
from evenkeel.desk.tokens import OneTime
from evenkeel.desk.users import OWNER
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound, NotReady, Unauthenticated
from tests.desk.house import PASSWORD, SECRET, Clock, House
from tests.desk.memory import MemoryUsers


@pytest.fixture
async def house() -> House:
    made = House()
    await made.people.ensure_owner("demo", PASSWORD)
    return made


class Kept:
    """A file of the first password, in memory; `users` says who there was when it was written."""

    def __init__(self, users: MemoryUsers) -> None:
        self.password: str | None = None
        self.users, self.before = users, -1

    def keep(self, password: str) -> None:
        self.password, self.before = password, len(self.users.rows)

    def read(self) -> str | None:
        return self.password

    def forget(self) -> None:
        self.password = None


async def test_a_made_password_is_kept_before_there_is_an_owner_and_shown_until_its_first_use() -> None:
    house = House()
    kept = Kept(house.users)
    owner, made = await house.people.ensure_owner("demo", first=kept)
    assert made is not None
    assert (kept.password, kept.before) == (made, 0)
    assert (await house.people.ensure_owner("demo", first=kept))[1] == made
    auth = Auth(house.users, house.tokens, house.passwords, SECRET, on_login=lambda user: kept.forget())
    with pytest.raises(Unauthenticated):
        await auth.login("demo", "not the password")
    assert kept.password == made
    await auth.login(owner.username, made)
    assert (await house.people.ensure_owner("demo", first=kept))[1] is None


async def test_a_password_set_since_is_never_shown_as_the_first_one() -> None:
    house = House()
    kept = Kept(house.users)
    await house.people.ensure_owner("demo", first=kept)
    await house.people.set_password("demo", "another password")
    assert (await house.people.ensure_owner("demo", first=kept))[1] is None
    assert kept.password is None
    given = Kept(house.users)
    await House().people.ensure_owner("demo", PASSWORD, first=given)
    assert given.password is None


async def test_the_owner_is_made_once_with_a_password_shown_once() -> None:
    house = House()
    with pytest.raises(NotReady):
        await house.auth.owner()
    owner, password = await house.people.ensure_owner("demo")
    assert owner.role == OWNER
    assert password is not None
    assert await house.people.ensure_owner("demo") == (owner, None)
    signed = await house.auth.login("demo", password)
    assert signed.user == owner
    assert password not in owner.password_hash
    assert owner.password_hash.startswith("$argon2id$")


async def test_a_given_password_replaces_the_owners_and_ends_the_sessions(house: House) -> None:
    signed = await house.auth.login("demo", PASSWORD)
    assert (await house.people.ensure_owner("demo", PASSWORD))[1] is None
    changed, shown = await house.people.ensure_owner("demo", "another password")
    assert shown == "another password"
    with pytest.raises(Unauthenticated):
        await house.auth.refresh(signed.refresh)
    assert (await house.auth.login("demo", "another password")).user.id == changed.id
    with pytest.raises(Unauthenticated):
        await house.auth.login("demo", PASSWORD)


async def test_an_empty_password_makes_no_owner_and_replaces_none(house: House) -> None:
    empty = House()
    for people in (empty.people, house.people):
        with pytest.raises(InvalidInput, match="the password cannot be used") as refused:
            await people.ensure_owner("demo", "")
        assert [fault.field for fault in refused.value.errors] == ["password"]
    assert await empty.people.owner() is None
    assert (await house.auth.login("demo", PASSWORD)).user.username == "demo"


@pytest.mark.parametrize("name", ["", "ab", "-abc", "a b c", "a\0b", "x" * 65, "naïve", "<script>"])
async def test_an_unusable_name_is_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await house.people.create(name, PASSWORD)
    assert refused.value.errors[0].field == "username"


async def test_names_are_taken_in_any_case(house: House) -> None:
    with pytest.raises(Conflict):
        await house.people.create("DEMO", PASSWORD)
    with pytest.raises(NotFound):
        await house.people.set_password("nobody", PASSWORD)


def test_generated_passwords_differ_and_pass() -> None:
    made = {generated() for _ in range(50)}
    assert len(made) == 50
    for one in made:
        check(one)


@pytest.mark.parametrize(("name", "password"), [("demo", "wrong password"), ("nobody", PASSWORD), ("demo\0", PASSWORD)])
async def test_wrong_names_and_wrong_passwords_are_told_alike(house: House, name: str, password: str) -> None:
    with pytest.raises(Unauthenticated, match="the user name or the password is wrong"):
        await house.auth.login(name, password)


async def test_an_unknown_name_costs_one_verification_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str | None] = []
    verify: Callable[[str | None, str], bool] = house.passwords._verify

    def counted(password_hash: str | None, password: str) -> bool:
        calls.append(password_hash)
        return verify(password_hash, password)

    monkeypatch.setattr(house.passwords, "_verify", counted)
    for name in ("demo", "nobody"):
        with pytest.raises(Unauthenticated):
            await house.auth.login(name, "wrong password")
    assert len(calls) == 2
    assert calls[1] is None


async def test_a_deactivated_user_cannot_come_back(house: House) -> None:
    import msgspec

    signed = await house.auth.login("demo", PASSWORD)
    await house.users.replace(msgspec.structs.replace(signed.user, is_active=False))
    with pytest.raises(Unauthenticated):
        await house.new_auth().user_of(signed.access_token)
    with pytest.raises(Unauthenticated):
        await house.auth.refresh(signed.refresh)
    with pytest.raises(Unauthenticated):
        await house.auth.login("demo", PASSWORD)


async def test_an_access_token_lasts_fifteen_minutes(house: House) -> None:
    signed = await house.auth.login("demo", PASSWORD)
    house.clock.at += (ACCESS_SECONDS - 2) * SECOND
    assert (await house.auth.user_of(signed.access_token)).username == "demo"
    house.clock.at += 3 * SECOND
    with pytest.raises(Unauthenticated, match="expired"):
        await house.auth.user_of(signed.access_token)


async def test_forged_tokens_are_refused(house: House) -> None:
    signed = await house.auth.login("demo", PASSWORD)
    claims = jwt.decode(signed.access_token, SECRET, algorithms=["HS256"], audience="evenkeel")
    other = b"another secret, thirty-two bytes long"
    forged = [
        "", "x", "a.b.c", signed.access_token[:-2], signed.access_token + "x",
        jwt.encode(claims, other, algorithm="HS256"),
        jwt.encode(claims, SECRET + b"x" * 32, algorithm="HS512"),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims | {"aud": "elsewhere"}, SECRET, algorithm="HS256"),
        jwt.encode(claims | {"sid": "unknown"}, SECRET, algorithm="HS256"),
        jwt.encode({name: value for name, value in claims.items() if name != "exp"}, SECRET, algorithm="HS256"),
        jwt.encode(claims | {"sub": "unknown", "sid": "more"}, SECRET, algorithm="HS256"),
    ]  # fmt: skip
    for token in forged:
        with pytest.raises(Unauthenticated):
            await house.auth.user_of(token)


async def test_each_refresh_replaces_the_token_and_stores_no_secret(house: House) -> None:
    first = await house.auth.login("demo", PASSWORD)
    second = await house.auth.refresh(first.refresh)
    assert second.refresh not in (None, first.refresh)
    assert set(house.tokens.rows) == {sha256(str(one).encode()).hexdigest() for one in (first.refresh, second.refresh)}
    assert (await house.auth.user_of(second.access_token)).username == "demo"


async def test_two_tabs_may_race(house: House) -> None:
    first = await house.auth.login("demo", PASSWORD)
    second = await house.auth.refresh(first.refresh)
    raced = await house.auth.refresh(first.refresh)
    assert raced.refresh is None, "the cookie set by the other tab stays"
    assert (await house.auth.refresh(second.refresh)).refresh is not None


async def test_a_copied_token_used_later_ends_the_session(house: House) -> None:
    first = await house.auth.login("demo", PASSWORD)
    second = await house.auth.refresh(first.refresh)
    house.clock.at += RACE + SECOND
    with pytest.raises(Unauthenticated):
        await house.auth.refresh(first.refresh)
    with pytest.raises(Unauthenticated):
        await house.auth.refresh(second.refresh)
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(second.access_token)


async def test_sessions_end_when_idle_and_in_any_case(house: House) -> None:
    idle = await house.auth.login("demo", PASSWORD)
    house.clock.at += IDLE + SECOND
    with pytest.raises(Unauthenticated):
        await house.auth.refresh(idle.refresh)
    kept = await house.auth.login("demo", PASSWORD)
    for _ in range(int(ABSOLUTE / IDLE) + 1):
        house.clock.at += IDLE - SECOND
        try:
            kept = await house.auth.refresh(kept.refresh)
        except Unauthenticated:
            return
    pytest.fail("the session outlived its absolute limit")


@pytest.mark.parametrize("token", [None, "", "x", "\0", "a" * 10_000, "ünïcode"])
async def test_unknown_refresh_tokens_are_no_session_and_no_crash(house: House, token: str | None) -> None:
    with pytest.raises(Unauthenticated):
        await house.auth.refresh(token)
    await house.auth.logout(token)


async def test_signing_out_ends_the_session_everywhere(house: House) -> None:
    signed = await house.auth.login("demo", PASSWORD)
    elsewhere = house.new_auth()
    assert (await elsewhere.user_of(signed.access_token)).username == "demo"
    await house.auth.logout(signed.refresh)
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed.access_token)
    with pytest.raises(Unauthenticated):
        await house.new_auth().user_of(signed.access_token)


async def test_a_link_signs_in_once_within_ten_minutes(house: House) -> None:
    link = house.auth.link_for(await house.auth.owner())
    assert (await house.auth.login_by_link(link)).user.username == "demo"
    with pytest.raises(Unauthenticated):
        await house.auth.login_by_link(link)


def test_one_time_tokens_are_spent_or_grow_old() -> None:
    clock = Clock()
    tokens: OneTime[str] = OneTime(30, clock.monotonic)
    first, second = tokens.issue("one"), tokens.issue("two")
    assert tokens.redeem(first) == "one"
    assert tokens.redeem(first) is None
    clock.at += 31 * SECOND
    assert tokens.redeem(second) is None
    assert tokens.redeem("") is None
    assert tokens.issue("three") != first


def test_guessing_waits_longer_and_longer_and_forgets() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock.monotonic)
    for _ in range(5):
        throttle.check("demo", "a")
        throttle.failed("demo", "a")
    waits = []
    for _ in range(4):
        with pytest.raises(TooManyAttempts) as refused:
            throttle.check("demo", "a")
        waits.append(refused.value.retry_after)
        clock.at += refused.value.retry_after * SECOND
        throttle.check("demo", "a")
        throttle.failed("demo", "a")
    assert waits == [1, 2, 4, 8]
    throttle.check("demo", "b")
    throttle.check("other", "a")
    clock.at += 3_600 * SECOND
    throttle.check("demo", "a")


async def test_guessing_all_at_once_is_slowed_down_as_well(house: House) -> None:
    guesses = [f"wrong password {number}" for number in range(20)] + [PASSWORD]
    answers = await asyncio.gather(
        *(house.auth.login("demo", guess, address="a") for guess in guesses), return_exceptions=True
    )
    assert sum(isinstance(answer, Unauthenticated) for answer in answers) <= 6
    assert isinstance(answers[-1], TooManyAttempts), "not even the right one gets an answer among them"


def test_many_names_from_one_address_are_slowed_down_too() -> None:
    throttle = Throttle(clock=Clock().monotonic)
    for number in range(20):
        throttle.check(f"user-{number}", "a")
        throttle.failed(f"user-{number}", "a")
    with pytest.raises(TooManyAttempts):
        throttle.check("fresh", "a")
    throttle.check("fresh", "b")


async def test_a_success_forgives_the_pair(house: House) -> None:
    for _ in range(4):
        with pytest.raises(Unauthenticated):
            await house.auth.login("demo", "wrong password", address="a")
    await house.auth.login("demo", PASSWORD, address="a")
    with pytest.raises(Unauthenticated):
        await house.auth.login("demo", "wrong password", address="a")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(InvalidInput):
        House(b"short")


async def test_hashes_of_old_costs_are_renewed_at_sign_in(house: House) -> None:
    dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    auth = Auth(house.users, house.tokens, dearer, SECRET, wall=house.clock)
    before = (await house.auth.owner()).password_hash
    await auth.login("demo", PASSWORD)
    after = (await house.auth.owner()).password_hash
    assert after != before
    assert not dearer.outdated(after)


def test_every_spelling_of_a_name_shares_its_failures() -> None:
    throttle = Throttle(clock=Clock().monotonic)
    for spelling in ("demo", "DEMO", "\uff44emo", "d\uff45mo", "\U0001d41demo"):
        throttle.failed(spelling, "a")
    with pytest.raises(TooManyAttempts):
        throttle.check("de\uff4do", "a")


@pytest.mark.parametrize("overtaken_by", ["a reset", "a deactivation"])
async def test_a_sign_in_that_began_before_a_reset_does_not_outlive_it(
    house: House, monkeypatch: pytest.MonkeyPatch, overtaken_by: str
) -> None:
    ann = await house.people.create("ann", PASSWORD)
    verify = house.passwords.verify

    async def slowly(password_hash: str | None, password: str) -> bool:
        fits = await verify(password_hash, password)
        await (house.people.set_password("ann", "another one of mine") if overtaken_by == "a reset" else
               house.people.deactivate(ann.id))  # fmt: skip
        return fits

    monkeypatch.setattr(house.passwords, "verify", slowly)
    with pytest.raises(Unauthenticated):
        await house.auth.login("ann", PASSWORD)
    assert await house.tokens.sessions_of(ann.id, house.clock()) == ([], None)


async def test_a_request_that_comes_while_a_session_ends_does_not_keep_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = await house.auth.login("demo", PASSWORD)
    revoke, is_live = house.tokens.revoke_family, house.tokens.family_is_live

    async def slowly(family_id: str, at: int) -> None:
        assert (await house.auth.user_of(signed.access_token)).id == signed.user.id
        await revoke(family_id, at)

    monkeypatch.setattr(house.tokens, "revoke_family", slowly)
    await house.auth.logout(signed.refresh)
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed.access_token)
    monkeypatch.undo()
    signed = await house.auth.login("demo", PASSWORD)

    async def late(family_id: str) -> bool:
        found = await is_live(family_id)
        await house.auth.logout(signed.refresh)
        return found

    monkeypatch.setattr(house.tokens, "family_is_live", late)
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed.access_token)
