"""Who is heard through a webhook: the right token, an active owner, from its networks, so often, one at a time."""

import pytest
from msgspec.structs import replace

from evenkeel.desk.ports import User
from evenkeel.desk.tokens import digest
from evenkeel.desk.webhooks import Webhooks
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyRequests
from evenkeel.domain.webhooks import KEPT_DAYS, MOST_WEBHOOKS, TOKEN_PREFIX, Delivery, Webhook, WebhookTerms
from tests.desk.webhook_memory import MemoryWebhooks

NOW = 1_760_000_000 * SECOND


class People:
    """One person, whom a test may change."""

    ann = User("ann", "ann", "trader", "x")

    async def by_id(self, user_id: str) -> User | None:
        return self.ann if user_id == "ann" else None


@pytest.fixture
def desk() -> Webhooks:
    return Webhooks(MemoryWebhooks(), People(), wall=lambda: NOW)


async def made(desk: Webhooks, name: str = "Crossing", **terms: object) -> tuple[Webhook, str]:
    chosen = WebhookTerms(**terms)  # type: ignore[arg-type]
    return await desk.create("ann", name=name, account_id="A", terms=chosen, enabled=True)


async def test_a_token_has_256_bits_and_only_its_hash_is_kept(desk: Webhooks) -> None:
    hook, token = await made(desk)
    assert token.startswith(TOKEN_PREFIX)
    assert len(token.removeprefix(TOKEN_PREFIX)) == 43
    assert hook.token_hash == digest(token)
    assert token not in repr(await desk.store.all("ann"))
    found, owner = await desk.heard(token, "192.0.2.7")
    assert (found, owner.id) == (hook, "ann")
    after, new = await desk.rotate(hook)
    assert (await desk.heard(new, ""))[0] == after
    with pytest.raises(NotFound):
        await desk.heard(token, "")


async def test_nobody_is_heard_through_what_is_not_there_off_or_from_elsewhere(desk: Webhooks) -> None:
    hook, token = await made(desk, networks=("192.0.2.0/24", "2001:db8::/32"))
    for address in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8::5"):
        await desk.heard(token, address)
    for address in ("198.51.100.1", "", "local", "nonsense"):
        with pytest.raises(Forbidden):
            await desk.heard(token, address)
    await desk.change(hook, replace(hook, enabled=False))
    with pytest.raises(Conflict, match="switched off"):
        await desk.heard(token, "192.0.2.9")
    for _ in range(30):
        with pytest.raises(NotFound):
            await desk.heard(token + "x", "198.51.100.1")
    with pytest.raises(TooManyRequests):
        await desk.heard(token + "x", "198.51.100.1")
    with pytest.raises(NotFound):
        await desk.heard(token + "x", "198.51.100.2")


async def test_an_owner_who_is_out_of_use_is_not_heard(desk: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = await made(desk)
    await desk.heard(token, "")
    monkeypatch.setattr(People, "ann", replace(People.ann, is_active=False))
    desk.forget("ann")
    with pytest.raises(NotFound):
        await desk.heard(token, "")


async def test_one_in_use_is_remembered_and_what_changes_it_ends_that_at_once(desk: Webhooks) -> None:
    hook, token = await made(desk)
    assert await desk.heard(token, "") == (hook, People.ann)
    store = desk.store
    assert isinstance(store, MemoryWebhooks)
    store.hooks.clear()
    assert (await desk.heard(token, ""))[0] == hook, "not read again"
    await store.add(hook)
    off = await desk.change(hook, replace(hook, enabled=False))
    with pytest.raises(Conflict):
        await desk.heard(token, "")
    await desk.change(off, replace(off, enabled=True))
    await desk.heard(token, "")
    await desk.remove(hook)
    with pytest.raises(NotFound):
        await desk.heard(token, "")


async def test_one_that_was_heard_is_looked_at_as_it_is_now(desk: Webhooks) -> None:
    hook, _ = await made(desk, networks=("192.0.2.0/24",), per_minute=1)
    for _ in range(3):
        assert await desk.as_now(hook.token_hash, "192.0.2.7") == (hook, People.ann), "nothing is counted"
    with pytest.raises(Forbidden):
        await desk.as_now(hook.token_hash, "198.51.100.1")
    await desk.rotate(hook)
    with pytest.raises(NotFound):
        await desk.as_now(hook.token_hash, "192.0.2.7")


async def test_a_changed_rate_holds_at_once(desk: Webhooks) -> None:
    hook, token = await made(desk, per_minute=1)
    await desk.heard(token, "")
    with pytest.raises(TooManyRequests):
        await desk.heard(token, "")
    await desk.change(hook, replace(hook, terms=WebhookTerms(per_minute=2)))
    await desk.heard(token, "")


async def test_terms_and_their_number_have_bounds(desk: Webhooks) -> None:
    with pytest.raises(InvalidInput):
        await made(desk, window=1)
    hook, _ = await made(desk)
    with pytest.raises(InvalidInput):
        await desk.change(hook, replace(hook, terms=WebhookTerms(max_age=0)))
    for number in range(MOST_WEBHOOKS - 1):
        await made(desk, f"n{number}")
    with pytest.raises(Conflict, match="50 webhooks already"):
        await made(desk, "one more")


async def test_two_changes_from_one_reading_do_not_both_hold(desk: Webhooks) -> None:
    hook, _ = await made(desk)
    await desk.change(hook, replace(hook, name="First"))
    with pytest.raises(Conflict):
        await desk.change(hook, replace(hook, name="Second"))


async def test_old_deliveries_go_once_an_hour(desk: Webhooks) -> None:
    store = desk.store
    assert isinstance(store, MemoryWebhooks)
    line = Delivery(id="d", webhook_id="w", user_id="ann", received_at=0, address="", body="", body_hash="")
    await store.log(replace(line, received_at=NOW - KEPT_DAYS * 86_400 * SECOND - 1))
    await store.log(replace(line, id="young", received_at=NOW))
    await desk.tidy()
    assert list(store.rows) == ["young"]
    await store.log(replace(line, id="late"))
    await desk.tidy()
    assert "late" in store.rows


def test_each_webhook_has_one_turn(desk: Webhooks) -> None:
    first = desk.turn("a")
    assert desk.turn("a") is first
    assert desk.turn("b") is not first
