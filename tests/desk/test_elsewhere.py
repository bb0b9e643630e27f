"""Signing in elsewhere, against an issuer that runs here: who may come in, and what is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from evenkeel.desk.auth import SignIn, TwoFactorNeeded
from evenkeel.desk.elsewhere import Elsewhere, home_of
from evenkeel.desk.ports import Identity
from evenkeel.desk.providers import GITHUB, GOOGLE, Client, GitHub, OpenId, Provider, provider_of
from evenkeel.desk.users import HOME
from evenkeel.domain.errors import Conflict, EvenkeelError, InvalidInput, NotFound, NotReady, Unauthenticated
from tests.desk.house import PASSWORD, House
from tests.desk.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, issuer


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture
def there(running: Issuer) -> Issuer:
    fresh = Issuer(running.address)
    fresh.key = fresh.signs_with = running.key
    for name in ("person", "spoil", "document", "codes", "asked", "signs_with"):
        setattr(running, name, getattr(fresh, name))
    return running


@pytest.fixture
async def house(there: Issuer) -> House:
    made = House(clients=(client(there),))
    await made.people.ensure_owner("demo", PASSWORD)
    return made


def client(there: Issuer, name: str = "oidc") -> Client:
    return Client(name, "The issuer", there.address, CLIENT_ID, CLIENT_SECRET)


async def come(house: House, there: Issuer, *, elsewhere: Elsewhere | None = None) -> SignIn:
    chosen = elsewhere or house.elsewhere
    left = await chosen.begin("oidc", "https://desk.example")
    state, code = there.authorise(left.address)
    found = await chosen.complete(state, code, browser=left.browser)
    assert isinstance(found, SignIn)
    return found


async def test_whoever_was_invited_comes_in_by_their_verified_address(house: House, there: Issuer) -> None:
    with pytest.raises(Unauthenticated, match="nobody here"):
        await come(house, there)
    await house.invitations.invite("viewer", email="Ann@Example.com", by=HOME)
    user = (await come(house, there)).user
    assert (user.username, user.role, user.full_name, user.password_hash) == ("ann@example.com", "viewer", "Ann", "")
    assert not await house.invitations.pending()
    there.person["email"] = "changed@example.com"
    assert (await come(house, there)).user == user, "known by the subject from now on"
    assert "identity.link" in house.heard.actions


async def test_an_address_that_is_not_verified_lets_nobody_in(house: House, there: Issuer) -> None:
    await house.invitations.invite("viewer", email="ann@example.com", by=HOME)
    await house.people.create("ann", PASSWORD, email="ann@example.com")
    for verified in (False, "true", None, 1):
        there.person["email_verified"] = verified
        with pytest.raises(Unauthenticated):
            await come(house, there)


async def test_the_second_factor_is_asked_for_there_too(house: House, there: Issuer) -> None:
    ann = await house.people.create("ann", PASSWORD, email="ann@example.com")
    secret, _ = await house.enrolled(ann)
    with pytest.raises(TwoFactorNeeded) as needed:
        await come(house, there)
    assert (await house.auth.second_step(needed.value.ticket, house.code(secret))).user == ann


async def test_a_deactivated_person_stays_out(house: House, there: Issuer) -> None:
    ann = await house.people.create("ann", PASSWORD, email="ann@example.com")
    await come(house, there)
    await house.people.deactivate(ann.id)
    with pytest.raises(Unauthenticated, match="nobody here"):
        await come(house, there)


async def test_an_identity_is_linked_and_unlinked(house: House, there: Issuer) -> None:
    owner, other = await house.auth.owner(), await house.people.create("other", PASSWORD)
    there.person = {"sub": "of-demo", "email": "unknown@example.com", "email_verified": False}

    async def link(user: Any) -> Any:
        left = await house.elsewhere.begin("oidc", "https://desk.example", links_to=user)
        state, code = there.authorise(left.address)
        return await house.elsewhere.complete(state, code, browser=left.browser)

    linked = await link(owner)
    assert isinstance(linked, Identity)
    assert (await come(house, there)).user.id == owner.id
    with pytest.raises(Conflict):
        await link(other)
    await house.elsewhere.unlink(owner, "oidc")
    with pytest.raises(Unauthenticated):
        await come(house, there)
    with pytest.raises(NotFound):
        await house.elsewhere.unlink(owner, "oidc")


async def test_the_only_way_in_is_not_unlinked(house: House, there: Issuer) -> None:
    await house.invitations.invite("viewer", email="ann@example.com", by=HOME)
    ann = (await come(house, there)).user
    with pytest.raises(Conflict):
        await house.elsewhere.unlink(ann, "oidc")


async def test_a_state_belongs_to_one_browser_once_for_ten_minutes(house: House, there: Issuer) -> None:
    await house.people.create("ann", PASSWORD, email="ann@example.com")
    left = await house.elsewhere.begin("oidc", "https://desk.example")
    state, code = there.authorise(left.address)
    with pytest.raises(Unauthenticated, match="another browser"):
        await house.elsewhere.complete(state, code, browser="the attacker's victim")
    with pytest.raises(Unauthenticated):
        await house.elsewhere.complete(state, code, browser=left.browser)
    left = await house.elsewhere.begin("oidc", "https://desk.example")
    state, code = there.authorise(left.address)
    await house.elsewhere.complete(state, code, browser=left.browser)
    with pytest.raises(Unauthenticated):
        await house.elsewhere.complete(state, code, browser=left.browser)
    with pytest.raises(NotFound):
        await house.elsewhere.begin("another", "https://desk.example")


SPOILT: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://evil.example"},
    "audience": {"aud": "somebody else"},
    "azp": {"aud": [CLIENT_ID, "more"], "azp": "more"},
    "nonce": {"nonce": "replayed"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "of the future": {"iat": 4_000_000_000},
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
async def test_a_token_that_does_not_hold_lets_nobody_in(house: House, there: Issuer, spoilt: dict[str, Any]) -> None:
    await house.people.create("ann", PASSWORD, email="ann@example.com")
    there.spoil = spoilt
    with pytest.raises(Unauthenticated):
        await come(house, there)


async def test_a_token_of_another_key_lets_nobody_in(house: House, there: Issuer) -> None:
    await house.people.create("ann", PASSWORD, email="ann@example.com")
    there.signs_with = generate_private_key(65537, 2048)
    with pytest.raises(Unauthenticated):
        await come(house, there)


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.7/token",
        "https://localhost/token",
        "https://[::1]/token",
        "https://intranet/token",
        "http://elsewhere.example/token",
        "file:///etc/passwd",
        "",
    ],
)
async def test_a_document_may_not_send_us_into_our_own_network(there: Issuer, address: str) -> None:
    """SSRF: whatever an issuer publishes, nothing is asked of an address inside."""
    there.document = {"token_endpoint": address}
    house = House(clients=(client(there),))
    with pytest.raises(NotReady):
        await house.elsewhere.begin("oidc", "https://desk.example")
    assert there.asked == ["GET /.well-known/openid-configuration"]


async def test_another_issuers_document_is_refused(there: Issuer) -> None:
    there.document = {"issuer": "https://evil.example"}
    with pytest.raises(NotReady, match="another issuer"):
        await House(clients=(client(there),)).elsewhere.begin("oidc", "https://desk.example")


async def test_redirects_are_not_followed(house: House, there: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(there, "answer", lambda *given, **named: (302, {"to": f"{there.address}/elsewhere"}))
    with pytest.raises(NotReady):
        await house.elsewhere.begin("oidc", "https://desk.example")


async def test_an_issuer_that_is_away_is_told(there: Issuer) -> None:
    away = Client("oidc", "Away", "http://127.0.0.1:9", CLIENT_ID, CLIENT_SECRET)
    with pytest.raises(NotReady, match="does not answer"):
        await House(clients=(away,)).elsewhere.begin("oidc", "https://desk.example")


def at(there: Issuer) -> Callable[[Client], Provider]:
    return lambda one: GitHub(one, api=there.address)


async def test_github_is_asked_for_the_verified_address(house: House, there: Issuer) -> None:
    chosen = Elsewhere([client(there)], house.identities, house.auth, house.invitations, make=at(there))
    ann = await house.people.create("ann", PASSWORD, email="ann@example.com")
    there.person["email_verified"] = False
    with pytest.raises(Unauthenticated):
        await come(house, there, elsewhere=chosen)
    there.person["email_verified"] = True
    assert (await come(house, there, elsewhere=chosen)).user == ann
    assert [one.subject for one in await chosen.of(ann.id)] == ["4711"]


@pytest.mark.parametrize(
    "address",
    [
        "http://issuer.example",
        "https://user:pw@issuer.example",
        "https://issuer.example?x=1",
        "ftp://x",
        "https://",
        "x",
    ],
)
def test_an_issuer_is_an_https_address(address: str) -> None:
    with pytest.raises(InvalidInput):
        provider_of(Client("oidc", "An issuer", address, CLIENT_ID, CLIENT_SECRET))


def test_google_and_github_are_known_by_their_addresses() -> None:
    assert isinstance(provider_of(Client("google", "Google", GOOGLE, "i", "s")), OpenId)
    assert isinstance(provider_of(Client("github", "GitHub", GITHUB, "i", "s")), GitHub)
    assert "hidden" not in repr(Client("google", "Google", GOOGLE, "i", "hidden"))


def test_the_desk_has_the_address_of_the_settings() -> None:
    assert home_of("https://desk.example", "http://127.0.0.1:8000") == "https://desk.example"
    assert home_of(None, "http://127.0.0.1:8000") == "http://127.0.0.1:8000"


async def test_what_an_issuer_says_never_names_an_address(house: House, there: Issuer) -> None:
    there.person |= {"picture": "http://169.254.169.254/", "iss": there.address}
    await house.people.create("ann", PASSWORD, email="ann@example.com")
    await come(house, there)
    assert all(one.split()[1] in ("/.well-known/openid-configuration", "/token", "/keys") for one in there.asked)


async def test_a_code_that_the_issuer_refuses_lets_nobody_in(house: House, there: Issuer) -> None:
    left = await house.elsewhere.begin("oidc", "https://desk.example")
    state, _ = there.authorise(left.address)
    with pytest.raises(EvenkeelError):
        await house.elsewhere.complete(state, "another code", browser=left.browser)
