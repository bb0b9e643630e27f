"""API keys: shown once, kept as hashes, no more than their scope, their person and their terms allow."""

import contextlib
from typing import Any

import pytest
from msgspec.structs import replace

from evenkeel.desk import keys as module
from evenkeel.desk.keys import DAY, Keys, KeyTerms, NewKey
from evenkeel.desk.permissions import Door, Permission, person
from evenkeel.desk.ports import User
from evenkeel.desk.sealing import Key
from evenkeel.desk.signing import Asking
from evenkeel.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from tests.desk.access import MemoryKeys
from tests.desk.memory import MemoryUsers

HOUR = 3600 * 10**9
SERVER, ANOTHER = (words.ljust(32, b".") for words in (b"server key", b"another key"))


class Desk:
    """Keys on a clock of the test's, with a trader, a viewer and an admin."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * 10**9
        self.stored, self.users = MemoryKeys(), MemoryUsers()
        self.keys = Keys(self.stored, self.users, (SERVER,), wall=lambda: self.now)

    async def user(self, role: str = "trader") -> User:
        user = User(role, role, role, "hash")
        self.users.rows[user.id] = user
        return user

    async def make(self, role: str = "trader", **terms: Any) -> NewKey:
        given = KeyTerms(**{"name": "robot", "scope": Permission.TRADE, **terms})
        return await self.keys.create(person(await self.user(role)), given)

    async def ask(self, secret: str, address: str = "127.0.0.1") -> Any:
        return await self.keys.principal(secret, None, headers={}, address=address)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_key_signs_its_person_in_with_its_scope_and_what_is_below(desk: Desk) -> None:
    made = await desk.make(accounts=("a",))
    by = await desk.ask(made.secret)
    assert (by.user.id, by.door, by.key_id, by.accounts) == ("trader", Door.KEY, made.key.id, frozenset({"a"}))
    assert by.permissions == {Permission.READ, Permission.REDUCE, Permission.TRADE}


async def test_the_secret_is_256_bits_and_is_not_kept(desk: Desk) -> None:
    made = await desk.make()
    assert made.secret.startswith(made.key.prefix + "_")
    assert len(made.secret) - len(made.key.prefix) - 1 == 43
    kept = repr(desk.stored.rows)
    assert made.secret not in kept
    assert made.secret.removeprefix(made.key.prefix) not in kept
    assert made.signing_secret not in kept
    assert (await desk.make()).secret != made.secret


async def test_the_signing_secret_comes_of_the_server_key_which_the_store_does_not_have(desk: Desk) -> None:
    made = await desk.make()
    other = Keys(desk.stored, desk.users, (ANOTHER,), wall=lambda: desk.now)
    assert made.key.server_key == Key(SERVER).fingerprint
    with pytest.raises(Unauthenticated, match=f"{made.key.server_key}.* is not here"):
        other._signing_secrets(made.key)
    assert made.signing_secret not in other._signing_secrets(replace(made.key, server_key=""))
    both = Keys(desk.stored, desk.users, (ANOTHER, SERVER), wall=lambda: desk.now)
    assert both._signing_secrets(made.key) == (made.signing_secret,)
    assert made.signing_secret in both._signing_secrets(replace(made.key, server_key=""))


@pytest.mark.parametrize(
    "spoil", [lambda x: x + "x", lambda x: x[:-1], lambda x: x[:16], lambda x: "evk_", lambda x: ""]
)
async def test_anything_but_the_secret_is_refused(desk: Desk, spoil: Any) -> None:
    made = await desk.make()
    with pytest.raises(Unauthenticated):
        await desk.ask(spoil(made.secret))


async def test_no_key_may_be_its_person_and_only_an_admins_may_keep_the_installation(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="the key cannot be made"):
        await desk.make(scope=Permission.SELF)
    with pytest.raises(Forbidden, match="a trader may not admin"):
        await desk.make(scope=Permission.ADMIN)
    with pytest.raises(Forbidden, match="a viewer may not trade"):
        await desk.make("viewer")
    by = await desk.ask((await desk.make("admin", scope=Permission.ADMIN)).secret)
    assert by.is_admin
    assert Permission.SELF not in by.permissions
    assert not (await desk.ask((await desk.make("admin", scope=Permission.MANAGE)).secret)).is_admin


@pytest.mark.parametrize(
    "terms",
    [
        {"name": ""}, {"name": "x" * 81}, {"name": "a\nb"}, {"days": 0}, {"days": 367}, {"networks": ("here",)},
        {"networks": ("192.0.2.1/24",)},
    ],
)  # fmt: skip
async def test_terms_that_cannot_be(desk: Desk, terms: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        await desk.make(**terms)
    assert caught.value.errors[0].field.partition(".")[0] == next(iter(terms))


async def test_a_key_ends_with_its_days_at_once_when_revoked_and_with_its_person(desk: Desk) -> None:
    expires, revoked, left = await desk.make(days=2), await desk.make(days=3), await desk.make(days=9)
    for made in (expires, revoked, left):
        await desk.ask(made.secret)
    desk.now += 2 * DAY
    with pytest.raises(Unauthenticated):
        await desk.ask(expires.secret)
    await desk.ask(revoked.secret)
    await desk.keys.revoke("trader", revoked.key.id)
    with pytest.raises(Unauthenticated):
        await desk.ask(revoked.secret)
    then = desk.users.rows["trader"]
    assert not await desk.keys.holds(revoked.key.id, then)
    assert await desk.keys.holds(left.key.id, then)
    for change in ({"role": "viewer"}, {"networks": ("192.0.2.0/24",)}):
        desk.users.rows["trader"] = replace(then, **change)
        assert not await desk.keys.holds(left.key.id, then)
    desk.users.rows["trader"] = replace(then, is_active=False)
    desk.keys.forget("trader")
    with pytest.raises(Unauthenticated):
        await desk.ask(left.secret)
    assert not await desk.keys.holds(left.key.id, then)


async def test_a_person_of_a_lesser_role_leaves_their_keys_less(desk: Desk) -> None:
    made = await desk.make("admin", scope=Permission.ADMIN)
    assert (await desk.ask(made.secret)).is_admin
    desk.users.rows["admin"] = replace(desk.users.rows["admin"], role="viewer")
    desk.keys.forget("admin")
    assert (await desk.ask(made.secret)).permissions == {Permission.READ}


async def test_a_key_in_use_is_not_looked_up_each_time(desk: Desk) -> None:
    made = await desk.make()
    for _ in range(100):
        await desk.ask(made.secret)
    assert desk.stored.reads == 1


async def test_a_revocation_while_a_key_is_looked_up_is_not_missed(desk: Desk) -> None:
    made = await desk.make()
    known = desk.stored.by_prefix

    async def slow(prefix: str) -> Any:
        found = await known(prefix)
        desk.stored.by_prefix = known  # type: ignore[method-assign]
        await desk.keys.revoke("trader", made.key.id)
        return found

    desk.stored.by_prefix = slow  # type: ignore[method-assign]
    with pytest.raises(Unauthenticated):
        await desk.ask(made.secret)
    with pytest.raises(Unauthenticated):
        await desk.ask(made.secret)


@pytest.mark.parametrize(
    ("networks", "address", "let"),
    [
        ((), "203.0.113.9", True), (("192.0.2.0/24",), "192.0.2.7", True), (("192.0.2.0/24",), "192.0.3.7", False),
        (("192.0.2.7",), "::ffff:192.0.2.7", True), (("2001:db8::/32",), "2001:db8::1", True),
        (("192.0.2.0/24",), "local", False), (("0.0.0.0/0",), "", False),
    ],
)  # fmt: skip
async def test_where_a_key_may_come_from(desk: Desk, networks: tuple[str, ...], address: str, let: bool) -> None:
    made = await desk.make(networks=networks)
    if let:
        await desk.ask(made.secret, address)
    else:
        with pytest.raises(Forbidden, match="may not be used from"):
            await desk.ask(made.secret, address)


async def test_a_key_is_held_to_where_its_person_may_come_from(desk: Desk) -> None:
    made = await desk.make()
    desk.keys._admits = lambda user, address: address == "192.0.2.1"
    await desk.ask(made.secret, "192.0.2.1")
    with pytest.raises(Forbidden):
        await desk.ask(made.secret, "192.0.2.2")


async def test_a_key_that_demands_signatures_takes_nothing_else(desk: Desk) -> None:
    from tests.desk.test_signing import ASKED, NOW, signed

    made = await desk.make(signed=True)
    with pytest.raises(Unauthenticated, match="signed requests only"):
        await desk.ask(made.secret)
    desk.now = (NOW + 1) * 10**9
    headers = signed(at=NOW + 1, secret=made.signing_secret)
    by = await desk.keys.principal(made.key.prefix, ASKED, headers=headers, address="")
    assert by.is_signed
    forged = signed(Asking("GET", "/", ""), at=NOW + 1, secret=made.secret, nonce="m" * 16)
    with pytest.raises(Unauthenticated):
        await desk.keys.principal(made.key.prefix, Asking("GET", "/", ""), headers=forged, address="")


async def test_the_public_beginning_alone_opens_nothing(desk: Desk) -> None:
    made = await desk.make()
    with pytest.raises(Unauthenticated):
        await desk.ask(made.key.prefix)


async def test_rotation_keeps_the_terms_and_ends_the_old_key_now_or_later(desk: Desk) -> None:
    old = await desk.make(days=30, accounts=("a",), networks=("192.0.2.0/24",))
    desk.now += 3 * DAY
    new = await desk.keys.rotate("trader", old.key.id, overlap_hours=2)
    assert (new.key.accounts, new.key.networks, new.key.scope) == (("a",), ("192.0.2.0/24",), Permission.TRADE)
    assert new.key.expires_at == desk.now + 30 * DAY
    await desk.ask(old.secret, "192.0.2.1")
    desk.now += 2 * HOUR
    with pytest.raises(Unauthenticated):
        await desk.ask(old.secret, "192.0.2.1")
    last = await desk.keys.rotate("trader", new.key.id)
    with pytest.raises(Unauthenticated):
        await desk.ask(new.secret, "192.0.2.1")
    await desk.ask(last.secret, "192.0.2.1")
    with pytest.raises(Conflict, match="has ended"):
        await desk.keys.rotate("trader", new.key.id)
    with pytest.raises(InvalidInput):
        await desk.keys.rotate("trader", last.key.id, overlap_hours=73)


async def test_a_key_rotated_after_its_person_was_demoted_gains_nothing(desk: Desk) -> None:
    made = await desk.make("admin", scope=Permission.ADMIN)
    desk.users.rows["admin"] = replace(desk.users.rows["admin"], role="viewer")
    new = await desk.keys.rotate("admin", made.key.id)
    assert (await desk.ask(new.secret)).permissions == {Permission.READ}


async def test_nobody_touches_anothers_keys(desk: Desk) -> None:
    made = await desk.make()
    for work in (desk.keys.revoke("viewer", made.key.id), desk.keys.rotate("viewer", made.key.id)):
        with pytest.raises(NotFound):
            await work
    assert await desk.keys.of("viewer") == ()


async def test_a_person_has_a_bounded_number_of_live_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEYS", 2)
    first, _ = await desk.make(), await desk.make()
    with pytest.raises(Conflict):
        await desk.make()
    await desk.keys.revoke("trader", first.key.id)
    await desk.make()


async def test_the_last_use_is_seen_at_once_and_written_later(desk: Desk) -> None:
    made = await desk.make()
    await desk.ask(made.secret, "192.0.2.1")
    assert desk.stored.rows[made.key.id].last_used_at is None
    [seen] = await desk.keys.of("trader")
    assert (seen.last_used_at, seen.last_address) == (desk.now, "192.0.2.1")
    await desk.keys.write_uses()
    assert desk.stored.rows[made.key.id].last_address == "192.0.2.1"


async def test_guessing_names_is_slowed_down_and_does_not_slow_keys_that_are_known(desk: Desk) -> None:
    made = await desk.make()
    await desk.ask(made.secret)
    for number in range(29):
        with pytest.raises(Unauthenticated):
            await desk.ask(f"evk_{number:012x}_guess")
    with pytest.raises(TooManyRequests):
        await _guess(desk, 40)
    await desk.ask(made.secret)


async def test_what_has_not_the_form_of_a_key_is_neither_looked_up_nor_counted(desk: Desk) -> None:
    for _ in range(100):
        for given in (
            "",
            "0",
            "evk_",
            "evk_0000",
            "evk_" + "0" * 40,
            "evk_００００００００００００",
            "EVK_000000000000_x",
        ):
            with pytest.raises(Unauthenticated, match="not valid"):
                await desk.ask(given)


async def _guess(desk: Desk, times: int) -> None:
    for number in range(times):
        with contextlib.suppress(Unauthenticated):
            await desk.ask(f"evk_f{number:011x}_guess")
