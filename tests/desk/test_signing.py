"""Signed requests: what was signed is what is asked, within half a minute, and once."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk import signing
from evenkeel.desk.signing import NONCE, SIGNATURE, TIMESTAMP, WINDOW, Asking, Signatures, signature, signed_headers
from evenkeel.domain.errors import NotReady, TooManyRequests, Unauthenticated
from evenkeel.storage.signed_until import SignedUntil

SECRET = "evs_secret"
NOW = 1_700_000_000
ASKED = Asking("POST", "/api/v2/trading/orders", "a=1&b=%20", b'{"quantity":"1"}')


class Clock:
    def __init__(self) -> None:
        self.seconds = NOW

    def __call__(self) -> int:
        return self.seconds * 10**9


def signed(asked: Asking = ASKED, *, at: int = NOW, nonce: str = "n" * 16, secret: str = SECRET) -> dict[str, str]:
    made = signature(secret, asked, timestamp=str(at), nonce=nonce)
    return {TIMESTAMP: str(at), NONCE: nonce, SIGNATURE: made}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checks(clock: Clock) -> Signatures:
    found = Signatures(clock)
    clock.seconds += 100
    return found


def check(checks: Signatures, headers: dict[str, str], asked: Asking = ASKED) -> None:
    checks.check("key", (SECRET,), asked=asked, headers=headers)


def test_the_signature_is_the_one_the_documentation_describes() -> None:
    import hmac
    from hashlib import sha256

    told = (
        "EVK1\nPOST\n/api/v2/trading/orders\na=1&b=%20\n1700000000\nnnnnnnnnnnnnnnnn\n" + sha256(ASKED.body).hexdigest()
    )
    assert signed()[SIGNATURE] == hmac.new(SECRET.encode(), told.encode(), sha256).hexdigest()


def test_a_signature_holds_once(checks: Signatures) -> None:
    headers = signed(at=NOW + 100)
    check(checks, headers)
    with pytest.raises(Unauthenticated, match="used before"):
        check(checks, headers)
    check(checks, signed(at=NOW + 100, nonce="m" * 16))


@pytest.mark.parametrize("skew", [-WINDOW - 1, WINDOW + 1, -3600])
def test_its_time_may_not_be_over_nor_to_come(checks: Signatures, skew: int) -> None:
    with pytest.raises(Unauthenticated, match="time is over"):
        check(checks, signed(at=NOW + 100 + skew))


@pytest.mark.parametrize("skew", [-WINDOW, 0, WINDOW])
def test_it_holds_to_the_edges_of_the_window_and_no_nonce_is_forgotten_within(
    checks: Signatures, clock: Clock, skew: int
) -> None:
    headers = signed(at=NOW + 100 + skew)
    check(checks, headers)
    clock.seconds = NOW + 100 + skew + WINDOW
    with pytest.raises(Unauthenticated, match="used before"):
        check(checks, headers)


def test_one_of_before_the_start_is_refused_for_its_nonce_is_not_known_any_more(clock: Clock) -> None:
    fresh = Signatures(clock)
    with pytest.raises(Unauthenticated, match="time is over"):
        check(fresh, signed(at=NOW - 1))
    check(fresh, signed(at=NOW))


ALTERED = st.sampled_from(
    [
        Asking("PUT", ASKED.path, ASKED.query, ASKED.body),
        Asking("POST", ASKED.path + "/", ASKED.query, ASKED.body),
        Asking("POST", ASKED.path, "a=2&b=%20", ASKED.body),
        Asking("POST", ASKED.path, ASKED.query, b'{"quantity":"9"}'),
        Asking("POST", ASKED.path + "\na=1&b=%20", "", ASKED.body),
    ]
)


@given(ALTERED)
def test_nothing_that_is_asked_may_differ_from_what_was_signed(asked: Asking) -> None:
    clock = Clock()
    with pytest.raises(Unauthenticated, match="does not fit"):
        check(Signatures(clock), signed(), asked)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (TIMESTAMP, ""), (TIMESTAMP, "1e9"), (TIMESTAMP, "١٧٠٠٠٠٠٠٠٠"), (TIMESTAMP, "9" * 40),
        (NONCE, ""), (NONCE, "short"), (NONCE, "n" * 65), (NONCE, "n" * 15 + "\n"),
        (SIGNATURE, ""), (SIGNATURE, "0" * 64), (SIGNATURE, "é" * 64),
    ],
)  # fmt: skip
def test_headers_that_are_none_are_refused(checks: Signatures, header: str, value: str) -> None:
    with pytest.raises(Unauthenticated):
        check(checks, signed(at=NOW + 100) | {header: value})


def test_a_signature_by_another_secret_does_not_hold_and_a_former_server_key_does(checks: Signatures) -> None:
    headers = signed(at=NOW + 100, secret="evs_former")
    with pytest.raises(Unauthenticated):
        check(checks, headers)
    checks.check("key", (SECRET, "evs_former"), asked=ASKED, headers=headers)


def test_a_refused_signature_spends_no_nonce(checks: Signatures) -> None:
    with pytest.raises(Unauthenticated):
        check(checks, signed(at=NOW + 100) | {SIGNATURE: "0" * 64})
    check(checks, signed(at=NOW + 100))


def test_nonces_are_bounded_by_refusing_not_by_forgetting(
    checks: Signatures, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "MOST_NONCES", 3)
    for number in range(3):
        check(checks, signed(at=NOW + 100, nonce=f"{number:016}"))
    with pytest.raises(TooManyRequests):
        check(checks, signed(at=NOW + 100, nonce="m" * 16))
    checks.check("another", (SECRET,), asked=ASKED, headers=signed(at=NOW + 100, nonce="m" * 16))
    clock.seconds += WINDOW + 1
    check(checks, signed(at=clock.seconds, nonce="m" * 16))


def test_the_helper_signs_what_the_server_reads() -> None:
    headers = signed_headers(
        "evk_0123456789ab_secret_with_lines", SECRET, method="post", url="http://h/api/v2/x?a=1&b=%20", body=b"{}"
    )
    assert headers["X-API-Key"] == "evk_0123456789ab", "the secret is not sent"
    asked = Asking("POST", "/api/v2/x", "a=1&b=%20", b"{}")
    Signatures(lambda: int(headers["X-Evenkeel-Timestamp"]) * 10**9).check(
        "key", (SECRET,), asked=asked, headers={name.lower(): value for name, value in headers.items()}
    )


class Kept:
    """The horizon of a home; `down` makes it fail as a full disk would."""

    def __init__(self, at: int | None = 0) -> None:
        self.at, self.down, self.moves = at, False, 0

    def read(self) -> int | None:
        return self.at

    async def move(self, at: int) -> None:
        if self.down:
            raise NotReady("no space left")
        self.at, self.moves = at, self.moves + 1


async def take(checks: Signatures, headers: dict[str, str]) -> None:
    await checks.take("key", (SECRET,), asked=ASKED, headers=headers)


@pytest.mark.parametrize("ahead", range(WINDOW + 1))
@pytest.mark.parametrize("pause", [0, 1, WINDOW])
async def test_what_was_taken_before_a_restart_is_not_taken_after_it(clock: Clock, ahead: int, pause: int) -> None:
    """However far the signer's clock is ahead, and however soon the desk is back."""
    kept = Kept()
    before = Signatures(clock, kept)
    headers = signed(at=NOW + ahead)
    await take(before, headers)
    clock.seconds += pause
    after = Signatures(lambda: clock() + 1, kept)  # a moment later, within the same second
    with pytest.raises(Unauthenticated):
        await take(after, headers)
    clock.seconds += 1
    await take(after, signed(at=clock.seconds + ahead, nonce="m" * 16))


async def test_clocks_that_agree_cost_no_writing_and_those_ahead_one_a_second(checks: Signatures, clock: Clock) -> None:
    kept = Kept()
    checks = Signatures(clock, kept)
    for number in range(5):
        await take(checks, signed(at=clock.seconds, nonce=f"{number:016}"))
    assert kept.moves == 0
    for number in range(5):
        await take(checks, signed(at=clock.seconds + 1, nonce=f"{number:017}"))
    assert kept.moves == 1


async def test_moves_at_once_never_put_the_horizon_back(clock: Clock) -> None:
    class Slow(Kept):
        async def move(self, at: int) -> None:
            await asyncio.sleep(0.02 if at > NOW + 15 else 0)
            await super().move(at)

    kept = Slow()
    checks = Signatures(clock, kept)
    given = [signed(at=NOW + ahead, nonce=f"{ahead:016}") for ahead in (3, 20, 5, 19, 1)]
    await asyncio.gather(*(take(checks, headers) for headers in given))
    assert kept.at == NOW + 20


async def test_a_request_that_could_be_replayed_is_refused(checks: Signatures, clock: Clock) -> None:
    kept = Kept()
    kept.down = True
    checks = Signatures(clock, kept)
    with pytest.raises(NotReady):
        await take(checks, signed(at=NOW + 105, nonce="m" * 16))
    await take(checks, signed(at=NOW + 100))


@pytest.mark.parametrize("at", [None, NOW + 99 * 3600])
async def test_a_horizon_that_cannot_be_is_taken_for_the_furthest_there_may_be(clock: Clock, at: int | None) -> None:
    """A file that is damaged, or a clock that was set back, holds signed requests up for half a minute at most."""
    checks = Signatures(clock, Kept(at))
    with pytest.raises(Unauthenticated):
        await take(checks, signed(at=NOW + WINDOW))
    clock.seconds += WINDOW + 1
    await take(checks, signed(at=clock.seconds))


async def test_the_horizon_is_kept_in_a_private_file(tmp_path: Path) -> None:
    kept = SignedUntil(tmp_path)
    assert kept.read() == 0
    await kept.move(NOW)
    assert SignedUntil(tmp_path).read() == NOW
    path = tmp_path / "signed-until"
    assert path.stat().st_mode & 0o777 == 0o600
    for damaged in (b"\xff", b"x", b"9" * 30, b""):
        path.write_bytes(damaged)
        assert kept.read() is None
    path.unlink()
    path.mkdir()
    assert kept.read() is None
    with pytest.raises(NotReady, match="cannot be written"):
        await kept.move(NOW)
