"""People: roles and ranks, the last super-admin, invitations, resets, deactivation, one's own sign-in, enumeration."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.admission import Policy, parsed, policy
from evenkeel.desk.own_sign_in import Self
from evenkeel.desk.ports import Actor, User
from evenkeel.desk.throttle import TooManyAttempts
from evenkeel.desk.users import HOME, Change
from evenkeel.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from tests.desk.house import PASSWORD, House

ADMIN = Actor("someone", "admin")


@pytest.fixture
async def house() -> House:
    made = House()
    await made.people.ensure_owner("demo", PASSWORD)
    return made


@pytest.fixture
async def owner(house: House) -> User:
    return await house.auth.owner()


async def test_the_last_active_super_admin_stays_one(house: House, owner: User) -> None:
    for attempt in (
        house.people.change(owner.id, Change(role="trader")),
        house.people.deactivate(owner.id),
    ):
        with pytest.raises(Conflict, match="last active super-admin"):
            await attempt
    second = await house.people.create("second", PASSWORD, role="super-admin")
    done = await asyncio.gather(
        house.people.change(owner.id, Change(role="admin")),
        house.people.deactivate(second.id),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in done) == 1, "two at once do not both go"


async def test_the_homes_first_person_stays_so_whatever_becomes_of_them(house: House, owner: User) -> None:
    second = await house.people.create("second", PASSWORD, role="super-admin")
    await house.people.change(owner.id, Change(role="viewer"))
    assert (await house.people.founder() or second).id == owner.id
    assert await house.people.owner() == second
    assert (await house.people.ensure_owner("owner"))[0] == second


@pytest.mark.parametrize("role", ["super-admin", "admin"])
async def test_an_admin_stands_below_admins(house: House, owner: User, role: str) -> None:
    peer = await house.people.create("peer", PASSWORD, role=role)
    for attempt in (
        house.people.change(peer.id, Change(role="viewer"), by=ADMIN),
        house.people.deactivate(peer.id, by=ADMIN),
        house.people.create("another", PASSWORD, role=role, by=ADMIN),
        house.invitations.invite(role, by=ADMIN),
        house.invitations.reset(peer, by=ADMIN),
    ):
        with pytest.raises(Forbidden):
            await attempt
    trader = await house.people.create("trader", PASSWORD, by=ADMIN)
    with pytest.raises(Forbidden):
        await house.people.change(trader.id, Change(role=role), by=ADMIN)
    assert (await house.people.change(trader.id, Change(role="viewer"), by=ADMIN)).role == "viewer"


async def test_deactivation_ends_sessions_and_refuses_sign_in_at_once(house: House) -> None:
    trader = await house.people.create("trader", PASSWORD)
    signed = await house.auth.login("trader", PASSWORD)
    assert await house.auth.user_of(signed.access_token) == trader
    await house.people.deactivate(trader.id)
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed.access_token)
    with pytest.raises(Unauthenticated):
        await house.auth.refresh(signed.refresh)
    with pytest.raises(Unauthenticated, match="the user name or the password is wrong"):
        await house.auth.login("trader", PASSWORD)
    handed = house.auth.link_for(trader)
    with pytest.raises(Unauthenticated):
        await house.auth.login_by_link(handed)
    assert [user.username for user in await house.people.everyone()] == ["demo", "trader"], "never deleted"
    await house.people.reactivate(trader.id)
    assert (await house.auth.login("trader", PASSWORD)).user.id == trader.id


async def test_a_new_role_holds_at_once_and_asks_for_a_new_sign_in(house: House) -> None:
    trader = await house.people.create("trader", PASSWORD)
    signed = await house.auth.login("trader", PASSWORD)
    await house.auth.user_of(signed.access_token)
    await house.people.change(trader.id, Change(role="viewer"))
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed.access_token)
    again = await house.auth.login("trader", PASSWORD)
    assert (await house.auth.user_of(again.access_token)).role == "viewer"
    await house.people.change(trader.id, Change(full_name="Tom Trader"))
    assert (await house.auth.user_of(again.access_token)).full_name == "Tom Trader"
    actor, action, subject, before, after = house.heard.rows[-1]
    assert (actor, action, subject, before, after) == (
        "home", "user.change", trader.id, {"full_name": None}, {"full_name": "Tom Trader"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        Change(role="owner"),
        Change(role="root"),
        Change(email="no address"),
        Change(email="a@b@c.example"),
        Change(email="ann@example.com\r\nbcc: x@y.example"),
        Change(full_name=" Ann"),
        Change(full_name="Ann\u202eSmith"),
        Change(networks=("not a network",)),
        Change(networks=("192.0.2.1/24",)),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(house: House, owner: User, change: Change) -> None:
    with pytest.raises(InvalidInput) as refused:
        await house.people.change(owner.id, change)
    assert refused.value.errors[0].field in ("role", "email", "full_name", "networks")
    assert await house.people.one(owner.id) == owner


async def test_an_invitation_makes_one_person_of_its_role(house: House, owner: User) -> None:
    handed = await house.invitations.invite("viewer", email="ann@example.com", by=HOME)
    assert handed.token not in repr(house.links.rows) + repr(handed) + repr(house.heard.rows)
    link = await house.invitations.of_token(handed.token, "invitation")
    with pytest.raises(InvalidInput):
        await house.invitations.become(link, "ann", password="password1")
    with pytest.raises(Conflict):
        await house.invitations.become(link, "DEMO", password=PASSWORD)
    user = await house.invitations.become(link, "ann", password=PASSWORD)
    assert (user.role, user.email, user.is_active) == ("viewer", "ann@example.com", True)
    for attempt in (
        house.invitations.of_token(handed.token, "invitation"),
        house.invitations.become(link, "bob", password=PASSWORD),
        house.invitations.of_token(handed.token, "reset"),
    ):
        with pytest.raises(Unauthenticated):
            await attempt
    assert not await house.invitations.pending()


async def test_a_link_works_only_while_whoever_made_it_might_still_make_it(house: House) -> None:
    boss = await house.people.create("boss", PASSWORD, role="super-admin")
    aide = await house.people.create("aide", PASSWORD, role="admin")
    bob = await house.people.create("bob", PASSWORD)
    by_boss, by_aide = Actor(boss.id, boss.role), Actor(aide.id, aide.role)
    invited = await house.invitations.invite("super-admin", by=by_boss)
    reset = await house.invitations.reset(bob, by=by_aide)
    link = await house.invitations.of_token(invited.token, "invitation")
    await house.people.change(boss.id, Change(role="admin"))
    await house.people.change(bob.id, Change(role="super-admin"))
    for attempt in (
        house.invitations.of_token(invited.token, "invitation"),
        house.invitations.become(link, "again", password=PASSWORD),
        house.invitations.set_password(reset.token, "another one of mine"),
    ):
        with pytest.raises(Unauthenticated):
            await attempt
    await house.people.change(boss.id, Change(role="super-admin"))
    await house.people.deactivate(boss.id)
    with pytest.raises(Unauthenticated):
        await house.invitations.become(link, "again", password=PASSWORD)
    await house.people.reactivate(boss.id)
    assert (await house.invitations.become(link, "again", password=PASSWORD)).role == "super-admin"


async def test_an_address_that_is_taken_leaves_the_invitation_as_it_was(house: House) -> None:
    handed = await house.invitations.invite("trader", email="ann@example.com", by=HOME)
    taken = await house.people.create("somebody", PASSWORD, email="ann@example.com")
    link = await house.invitations.of_token(handed.token, "invitation")
    with pytest.raises(Conflict, match="address"):
        await house.invitations.become(link, "ann", password=PASSWORD)
    await house.people.change(taken.id, Change(email=None))
    assert (await house.invitations.become(link, "ann", password=PASSWORD)).email == "ann@example.com"


async def test_a_new_password_undoes_no_change_that_was_made_while_it_was_hashed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await house.people.create("ann", PASSWORD, role="admin")
    hashed = house.passwords.hash

    async def slowly(password: str, *, about: tuple[str, ...] = ()) -> str:
        await house.people.change(ann.id, Change(role="viewer"))
        await house.people.deactivate(ann.id)
        return await hashed(password, about=about)

    monkeypatch.setattr(house.passwords, "hash", slowly)
    await house.own_sign_in.change_password(Self(ann), present=PASSWORD, new="another one of mine")
    now = await house.people.one(ann.id)
    assert (now.role, now.is_active, now.password_hash == ann.password_hash) == ("viewer", False, False)


async def test_two_who_accept_at_once_are_one_person(house: House) -> None:
    handed = await house.invitations.invite("trader", by=HOME)
    link = await house.invitations.of_token(handed.token, "invitation")
    done = await asyncio.gather(
        *(house.invitations.become(link, f"name-{number}", password=PASSWORD) for number in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, User) for one in done) == 1


async def test_an_invitation_expires_and_can_be_taken_back(house: House) -> None:
    first = await house.invitations.invite("trader", hours=1, by=HOME)
    second = await house.invitations.invite("admin", by=HOME)
    assert [one.id for one in await house.invitations.pending()] == [second.link.id, first.link.id]
    with pytest.raises(Forbidden):
        await house.invitations.revoke(second.link.id, by=ADMIN)
    await house.invitations.revoke(second.link.id, by=HOME)
    house.clock.skip(3601)
    for handed in (first, second):
        with pytest.raises(Unauthenticated):
            await house.invitations.of_token(handed.token, "invitation")
    with pytest.raises(NotFound):
        await house.invitations.revoke(first.link.id, by=HOME)
    with pytest.raises(InvalidInput):
        await house.invitations.invite("trader", hours=10_000, by=HOME)


async def test_a_reset_sets_a_password_once_and_ends_sessions(house: House, owner: User) -> None:
    signed = await house.auth.login("demo", PASSWORD)
    stale = await house.invitations.reset(owner, by=HOME)
    handed = await house.invitations.reset(owner, by=HOME)
    with pytest.raises(Unauthenticated):
        await house.invitations.set_password(stale.token, "a new one of mine")
    with pytest.raises(InvalidInput):
        await house.invitations.set_password(handed.token, "demo-demo")
    await house.invitations.set_password(handed.token, "a new one of mine")
    with pytest.raises(Unauthenticated):
        await house.invitations.set_password(handed.token, "and one more of mine")
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed.access_token)
    await house.auth.login("demo", "a new one of mine")


async def test_ones_own_password_takes_the_present_one_and_keeps_this_session(house: House, owner: User) -> None:
    here, there = await house.auth.login("demo", PASSWORD), await house.auth.login("demo", PASSWORD)
    session = (await house.auth.principal(here.access_token, address="")).session_id
    me = Self(owner, session, "192.0.2.1")
    with pytest.raises(InvalidInput, match="the password is wrong"):
        await house.own_sign_in.change_password(me, present="a guess", new="a new one of mine")
    with pytest.raises(InvalidInput):
        await house.own_sign_in.change_password(me, present=PASSWORD, new=PASSWORD)
    await house.own_sign_in.change_password(me, present=PASSWORD, new="a new one of mine")
    await house.auth.user_of(here.access_token)
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(there.access_token)


async def test_a_stolen_session_may_not_try_passwords(house: House, owner: User) -> None:
    me = Self(owner, "stolen", "192.0.2.66")
    for _ in range(5):
        with pytest.raises(InvalidInput):
            await house.own_sign_in.change_password(me, present="a guess", new="a new one of mine")
    with pytest.raises(TooManyAttempts):
        await house.own_sign_in.confirm(me, password=PASSWORD)


async def test_a_session_is_fresh_for_ten_minutes(house: House, owner: User) -> None:
    signed = await house.auth.login("demo", PASSWORD)
    session = (await house.auth.principal(signed.access_token, address="")).session_id
    me = Self(owner, session)
    assert house.auth.is_fresh(session)
    house.clock.skip(601)
    assert not house.auth.is_fresh(session)
    with pytest.raises(InvalidInput):
        await house.own_sign_in.confirm(me, password="a guess")
    with pytest.raises(InvalidInput):
        await house.own_sign_in.confirm(me)
    assert not house.auth.is_fresh(session)
    await house.own_sign_in.confirm(me, password=PASSWORD)
    assert house.auth.is_fresh(session)
    assert house.auth.is_fresh(""), "the private socket"
    assert not house.auth.is_fresh("another session")


async def test_with_two_factors_a_password_alone_does_not_confirm(house: House, owner: User) -> None:
    secret, _ = await house.enrolled(owner)
    me = Self(owner, "one")
    with pytest.raises(InvalidInput, match="the code is needed"):
        await house.own_sign_in.confirm(me, password=PASSWORD)
    await house.own_sign_in.confirm(me, code=house.code(secret))
    assert house.auth.is_fresh("one")


async def test_sessions_are_listed_and_ended(house: House, owner: User) -> None:
    first = await house.auth.login("demo", PASSWORD, address="192.0.2.1", agent="Firefox\r\nX: y")
    house.clock.skip(60)
    await house.auth.login("demo", PASSWORD, address="192.0.2.2", agent="curl")
    house.clock.skip(60)
    renewed = await house.auth.refresh(first.refresh, address="192.0.2.3")
    found, _ = await house.own_sign_in.sessions(owner.id)
    assert [(one.address, one.user_agent) for one in found] == [("192.0.2.3", "FirefoxX: y"), ("192.0.2.2", "curl")]
    assert found[0].seen - found[0].since == 120 * 10**9
    other = await house.people.create("other", PASSWORD)
    with pytest.raises(NotFound):
        await house.own_sign_in.end_session(other.id, found[0].id)
    await house.own_sign_in.end_session(owner.id, found[0].id)
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(renewed.access_token)
    assert len((await house.own_sign_in.sessions(owner.id))[0]) == 1


async def test_beyond_the_most_sessions_the_one_idle_longest_ends_and_the_log_says_so() -> None:
    house = House(policy=Policy(sessions=2))
    owner, _ = await house.people.ensure_owner("demo", PASSWORD)
    other = await house.people.create("other", PASSWORD)
    theirs = await house.auth.login(other.username, PASSWORD)
    signed = []
    for _ in range(2):
        house.clock.skip(60)
        signed.append(await house.auth.login("demo", PASSWORD))
    house.clock.skip(60)
    await house.auth.refresh(signed[0].refresh)
    idle = (await house.auth.principal(signed[1].access_token, address="")).session_id
    house.clock.skip(60)
    signed.append(await house.auth.login("demo", PASSWORD))
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(signed[1].access_token)
    for lasting in (signed[0], signed[2], theirs):
        await house.auth.user_of(lasting.access_token)
    rows = [row[:3] for row in house.heard.rows if row[1] == "session.crowded-out"]
    assert rows == [(owner.id, "session.crowded-out", idle)]
    assert len((await house.own_sign_in.sessions(owner.id))[0]) == 2


async def test_a_sign_in_lasts_though_the_clock_was_set_back() -> None:
    house = House(policy=Policy(sessions=1))
    owner, _ = await house.people.ensure_owner("demo", PASSWORD)
    before = await house.auth.login("demo", PASSWORD)
    house.clock.skip(-3600)
    opened = await house.auth.login("demo", PASSWORD)
    assert (await house.auth.user_of(opened.access_token)).id == owner.id
    with pytest.raises(Unauthenticated):
        await house.auth.user_of(before.access_token)


async def test_every_sign_in_opens_a_session_of_its_own(house: House) -> None:
    signed = [await house.auth.login("demo", PASSWORD) for _ in range(3)]
    sessions = [(await house.auth.principal(one.access_token, address="")).session_id for one in signed]
    assert len({*sessions}) == len({one.refresh for one in signed}) == len({one.csrf for one in signed}) == 3


async def test_networks_hold_at_sign_in_at_refresh_and_for_each_request() -> None:
    house = House(policy=policy(role_networks=["trader=192.0.2.0/24", "trader=2001:db8::/32"]))
    await house.people.ensure_owner("demo", PASSWORD)
    trader = await house.people.create("trader", PASSWORD)
    signed = await house.auth.login("trader", PASSWORD, address="192.0.2.9")
    for address in ("192.0.2.10", "::ffff:192.0.2.10", "2001:db8::1"):
        assert (await house.auth.principal(signed.access_token, address=address)).user == trader
    for address in ("198.51.100.1", "2001:db9::1", "", "not an address"):
        with pytest.raises(Forbidden):
            await house.auth.principal(signed.access_token, address=address)
        with pytest.raises(Forbidden):
            await house.auth.refresh(signed.refresh, address=address)
        with pytest.raises(Unauthenticated, match="the user name or the password is wrong"):
            await house.auth.login("trader", PASSWORD, address=address)
    await house.people.change(trader.id, Change(networks=("192.0.2.128/25",)))
    with pytest.raises(Unauthenticated):
        await house.auth.principal(signed.access_token, address="192.0.2.9")
    with pytest.raises(Unauthenticated):
        await house.auth.login("trader", PASSWORD, address="192.0.2.9")
    assert (await house.auth.login("trader", PASSWORD, address="192.0.2.200")).user.id == trader.id
    assert (await house.auth.login("demo", PASSWORD, address="203.0.113.1")).user.username == "demo"


def test_networks_and_roles_of_settings_are_read_or_refused() -> None:
    assert policy(["admin"], ["admin=10.0.0.0/8"]) == Policy(frozenset({"admin"}), {"admin": ("10.0.0.0/8",)})
    assert parsed([" 192.0.2.1 ", "192.0.2.1/32"]) == ("192.0.2.1/32",)
    for wrong in (["root=10.0.0.0/8"], ["admin"], ["admin=10.0.0.1/8"]):
        with pytest.raises(InvalidInput):
            policy(role_networks=wrong)
    with pytest.raises(InvalidInput):
        policy(["root"])


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_an_address_is_admitted_where_its_network_holds_it(address: object, bits: int) -> None:
    from ipaddress import ip_network

    network = str(ip_network(f"{address}/{bits}", strict=False))
    user = User("1", "ann", "trader", "", networks=(network,))
    assert Policy().admits(user, str(address))
    assert Policy().admits(msgspec.structs.replace(user, networks=()), "203.0.113.1")


async def test_a_csrf_token_belongs_to_one_session(house: House) -> None:
    first, second = await house.auth.login("demo", PASSWORD), await house.auth.login("demo", PASSWORD)
    await house.auth.check_csrf(first.refresh, first.csrf)
    for given_token in ("", second.csrf, first.csrf.upper(), "ünïcode"):
        with pytest.raises(Forbidden):
            await house.auth.check_csrf(first.refresh, given_token)
    renewed = await house.auth.refresh(first.refresh)
    assert renewed.csrf == first.csrf, "a tab that did not renew it goes on"
    await house.auth.check_csrf(None, "")
    await house.auth.check_csrf("unknown", "")


async def test_what_is_told_and_done_for_a_wrong_sign_in_is_the_same_whoever_it_is(house: House) -> None:
    """Enumeration: unknown, wrong, deactivated and without a password differ in nothing that can be seen."""
    off = await house.people.create("deactivated", PASSWORD)
    await house.people.deactivate(off.id)
    await house.people.create("elsewhere", None)
    told = set()
    before = len(house.heard.rows)
    for name in ("demo", "nobody", "deactivated", "elsewhere"):
        with pytest.raises(Unauthenticated) as refused:
            await house.auth.login(name, "a wrong password", address="192.0.2.5")
        told.add((refused.value.message, refused.value.hint, refused.value.code))
    assert len(told) == 1
    assert len(house.heard.rows) == before, "nothing is written for some and not for others"


async def test_watchers_are_told_of_passwords_only_when_the_sign_in_is_complete(house: House, owner: User) -> None:
    class Watcher:
        told: list[tuple[str, str | None, str]] = []  # noqa: RUF012

        async def proved(self, user: User, password: str) -> None:
            self.told.append((user.username, None, password))

        async def changed(self, user: User, *, old: str | None, new: str) -> None:
            self.told.append((user.username, old, new))

    watcher = Watcher()
    house.all.watch_passwords([watcher])
    secret, _ = await house.enrolled(owner)
    ticket = await house.ticket("demo")
    assert PASSWORD not in repr(house.auth.pending.peek(ticket))
    assert watcher.told == []
    await house.auth.second_step(ticket, house.code(secret))
    assert watcher.told == [("demo", None, PASSWORD)]
    await house.own_sign_in.change_password(Self(owner), present=PASSWORD, new="a new one of mine")
    await house.people.set_password("demo", "one more of mine")
    assert watcher.told[1:] == [("demo", PASSWORD, "a new one of mine"), ("demo", None, "one more of mine")]
