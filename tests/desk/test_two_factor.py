"""A second factor: enrolled, asked for, used once; recovery codes; brute force; what is kept gives nothing away."""

import asyncio

import msgspec
import pytest

from evenkeel.desk.admission import Policy
from evenkeel.desk.auth import TwoFactorNeeded
from evenkeel.desk.own_sign_in import Self
from evenkeel.desk.ports import Actor, User
from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.throttle import TooManyAttempts
from evenkeel.desk.tokens import digest
from evenkeel.desk.two_factor import TwoFactor
from evenkeel.desk.users import HOME
from evenkeel.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, SealBroken, Unauthenticated
from tests.desk.house import PASSWORD, House


@pytest.fixture
async def house() -> House:
    made = House()
    await made.people.ensure_owner("demo", PASSWORD)
    return made


@pytest.fixture
async def owner(house: House) -> User:
    return await house.auth.owner()


async def test_nothing_is_asked_for_before_the_device_has_shown_a_code(house: House, owner: User) -> None:
    me = Self(owner)
    setup = await house.own_sign_in.begin(me)
    assert setup.uri.startswith("otpauth://totp/Evenkeel:demo?secret=")
    assert setup.secret not in repr(setup)
    assert (await house.auth.login("demo", PASSWORD)).access_token
    with pytest.raises(InvalidInput, match="the code is wrong"):
        await house.own_sign_in.switch_on(me, "000000")
    codes = await house.own_sign_in.switch_on(me, house.code(setup.secret))
    assert len(set(codes)) == 10
    with pytest.raises(TwoFactorNeeded):
        await house.auth.login("demo", PASSWORD)
    assert "two-factor.on" in house.heard.actions


async def test_a_code_completes_the_sign_in_and_works_once(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    code = house.code(secret)
    signed = await house.auth.second_step(await house.ticket("demo"), code)
    assert signed.user.id == owner.id
    assert house.auth.is_fresh((await house.auth.principal(signed.access_token, address="")).session_id)
    with pytest.raises(Unauthenticated, match="used before"):
        await house.auth.second_step(await house.ticket("demo"), code)
    house.clock.skip(30)
    assert (await house.auth.second_step(await house.ticket("demo"), house.code(secret))).user == signed.user


async def test_the_step_before_and_the_step_after_are_taken_and_no_others(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    taken = []
    for skip in (-60, -30, 0, 30, 60):
        factors = house.all_factors
        assert factors is not None
        held = house.factors.rows[owner.id]
        house.clock.skip(3600)
        house.clock.skip(skip)
        code = house.code(secret)
        house.clock.skip(-skip)
        taken.append(await factors.check(owner.id, code))
        house.factors.rows[owner.id] = held
    assert taken == [False, True, True, True, False]


async def test_a_ticket_completes_one_sign_in_and_not_after_five_minutes(house: House, owner: User) -> None:
    secret, codes = await house.enrolled(owner)
    ticket = await house.ticket("demo")
    await house.auth.second_step(ticket, house.code(secret))
    with pytest.raises(Unauthenticated, match="begin it again"):
        await house.auth.second_step(ticket, codes[0])
    with pytest.raises(Unauthenticated):
        await house.auth.second_step("made up", codes[0])
    assert not house.auth.pending.peek(ticket)


async def test_a_recovery_code_stands_in_for_a_device_once(house: House, owner: User) -> None:
    _, codes = await house.enrolled(owner)
    for written in (codes[0].upper(), f" {codes[1].replace('-', ' ')} "):
        assert (await house.auth.second_step(await house.ticket("demo"), written)).user.id == owner.id
    with pytest.raises(Unauthenticated):
        await house.auth.second_step(await house.ticket("demo"), codes[0])
    standing = await house.own_sign_in.standing(Self(owner))
    assert (standing.is_on, standing.codes_left) == (True, 8)


async def test_new_recovery_codes_take_the_place_of_the_old(house: House, owner: User) -> None:
    secret, codes = await house.enrolled(owner)
    new = await house.own_sign_in.renew_codes(Self(owner), house.code(secret))
    assert not set(new) & set(codes)
    with pytest.raises(Unauthenticated):
        await house.auth.second_step(await house.ticket("demo"), codes[0])
    await house.auth.second_step(await house.ticket("demo"), new[0])


async def test_brute_force_of_codes_is_slowed_down_from_wherever_it_comes(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    ticket = await house.ticket("demo")
    for number in range(5):
        with pytest.raises(Unauthenticated):
            await house.auth.second_step(ticket, f"{number:06}", address=f"192.0.2.{number}")
    with pytest.raises(TooManyAttempts):
        await house.auth.second_step(ticket, house.code(secret), address="203.0.113.1")
    with pytest.raises(TooManyAttempts):
        await house.own_sign_in.confirm(Self(owner, "s"), code=house.code(secret))
    house.clock.skip(2)
    await house.auth.second_step(ticket, house.code(secret), address="203.0.113.1")


async def test_a_changed_password_and_a_deactivation_end_a_sign_in_half_way(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    ticket = await house.ticket("demo")
    await house.people.set_password("demo", "another password")
    with pytest.raises(Unauthenticated):
        await house.auth.second_step(ticket, house.code(secret))
    other = await house.people.create("second", PASSWORD, role="super-admin")
    ticket = await house.ticket("demo", "another password")
    await house.people.deactivate(owner.id)
    with pytest.raises(Unauthenticated):
        await house.auth.second_step(ticket, house.code(secret))
    assert await house.auth.owner() == other


async def test_switching_off_takes_the_password_and_a_code(house: House, owner: User) -> None:
    secret, codes = await house.enrolled(owner)
    me = Self(owner)
    with pytest.raises(InvalidInput, match="the password is wrong"):
        await house.own_sign_in.switch_off(me, password="not it", code=codes[0])
    with pytest.raises(InvalidInput, match="the code is wrong"):
        await house.own_sign_in.switch_off(me, password=PASSWORD, code="000000")
    with pytest.raises(Conflict):
        await house.own_sign_in.begin(me)
    await house.own_sign_in.switch_off(me, password=PASSWORD, code=house.code(secret))
    assert (await house.auth.login("demo", PASSWORD)).user.id == owner.id


async def test_a_role_that_must_have_two_factors_enrols_while_signing_in() -> None:
    house = House(policy=Policy(two_factors=frozenset({"super-admin"})))
    owner, _ = await house.people.ensure_owner("demo", PASSWORD)
    with pytest.raises(TwoFactorNeeded) as needed:
        await house.auth.login("demo", PASSWORD)
    assert needed.value.enrols
    ticket = needed.value.ticket
    with pytest.raises(Unauthenticated):
        await house.auth.second_step(ticket, "123456")
    setup = await house.own_sign_in.begin_at_sign_in(ticket, "")
    signed = await house.auth.second_step(ticket, house.code(setup.secret))
    assert len(signed.recovery_codes) == 10
    with pytest.raises(Forbidden, match="must have two factors"):
        await house.own_sign_in.switch_off(Self(owner), password=PASSWORD, code=signed.recovery_codes[0])
    with pytest.raises(TwoFactorNeeded) as needed:
        await house.auth.login("demo", PASSWORD)
    assert not needed.value.enrols
    with pytest.raises(Conflict):
        await house.own_sign_in.begin_at_sign_in(needed.value.ticket, "")


async def test_neither_a_link_nor_a_reset_gets_around_the_second_factor(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    with pytest.raises(TwoFactorNeeded):
        await house.auth.login_by_link(house.auth.link_for(owner))
    handed = await house.invitations.reset(owner, by=HOME)
    await house.invitations.set_password(handed.token, "a new one of mine")
    ticket = await house.ticket("demo", "a new one of mine")
    await house.auth.second_step(ticket, house.code(secret))


async def test_only_a_super_admin_takes_a_second_factor_away(house: House, owner: User) -> None:
    trader = await house.people.create("trader", PASSWORD)
    secret, _ = await house.enrolled(trader)
    signed = await house.auth.second_step(await house.ticket("trader"), house.code(secret))
    with pytest.raises(Forbidden):
        await house.own_sign_in.take_away(trader, by=Actor("x", "admin"))
    await house.own_sign_in.take_away(trader, by=Actor(owner.id, owner.role))
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed.access_token)
    assert (await house.auth.login("trader", PASSWORD)).user.id == trader.id
    with pytest.raises(NotFound):
        await house.own_sign_in.take_away(trader, by=Actor(owner.id, owner.role))


async def test_what_is_kept_gives_no_secret_away(house: House, owner: User) -> None:
    secret, codes = await house.enrolled(owner)
    kept = repr(house.factors.rows) + repr(house.factors.codes) + repr(house.heard.rows)
    assert secret not in kept
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert digest(codes[0].replace("-", "")) in house.factors.codes[owner.id]


async def test_a_secret_put_in_another_persons_row_does_not_open(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    other = await house.people.create("other", PASSWORD)
    stolen = msgspec.structs.replace(house.factors.rows[owner.id], user_id=other.id)
    house.factors.rows[other.id] = stolen
    with pytest.raises(SealBroken):
        await house.auth.second_step(await house.ticket("other"), house.code(secret))


async def test_a_new_server_key_seals_a_secret_anew_at_its_next_use(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    old = house.ring.current
    ring = KeyRing([Key(b"n" * 32), old])
    factors = TwoFactor(house.factors, ring.derived("second factors"), wall=house.clock)
    before = house.factors.rows[owner.id].sealed
    assert await factors.check(owner.id, house.code(secret))
    assert house.factors.rows[owner.id].sealed != before
    house.clock.skip(60)
    alone = TwoFactor(house.factors, KeyRing([Key(b"n" * 32)]).derived("second factors"), wall=house.clock)
    assert await alone.check(owner.id, house.code(secret))


async def test_codes_that_are_tried_at_once_count_like_those_one_after_another(
    house: House, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _ = await house.enrolled(owner)
    factors = house.all_factors
    assert factors is not None
    check, all_are_in = factors.check, asyncio.Event()

    async def slowly(user_id: str, code: str) -> bool:
        await all_are_in.wait()
        return await check(user_id, code)

    monkeypatch.setattr(factors, "check", slowly)
    tickets = [await house.ticket("demo") for _ in range(20)]
    codes = [*(f"{number:06}" for number in range(19) if f"{number:06}" != house.code(secret)), house.code(secret)]
    tries = [asyncio.create_task(house.auth.second_step(*one)) for one in zip(tickets, codes, strict=False)]
    await asyncio.sleep(0)
    all_are_in.set()
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(one) for one in done[:5]] == [Unauthenticated] * 5
    assert {type(one) for one in done[5:]} == {TooManyAttempts}
