"""The limiter and the outbox in front of it: never faster than agreed, panics first, nothing lost and nothing twice."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.accounts import SendRate
from evenkeel.domain.errors import RateLimited
from evenkeel.trading.brokers.ports import Cancellation
from evenkeel.trading.engine.effects import Effect, Lane, SendCancel, WantReconcile
from evenkeel.trading.live.limiter import Limiter
from evenkeel.trading.live.outbox import Outbox

RATES = st.builds(
    SendRate,
    per_second=st.sampled_from([0.5, 1.0, 3.0, 8.0, 10.0, 100.0]),
    burst=st.integers(1, 20),
    reserved=st.integers(0, 25),
)
STEPS = st.lists(st.tuples(st.floats(0.0, 0.7), st.sampled_from(Lane)), max_size=120)


def cancel(name: str, lane: Lane = Lane.CANCEL) -> SendCancel:
    """Stands for any request: the outbox looks at its lane only."""
    asked = Cancellation(account_id="A", venue_client_id=name, venue_order_id=None, at=1)
    return SendCancel(name, asked, lane)


@given(RATES, STEPS)
def test_no_stretch_of_time_has_more_than_its_burst_and_its_rate(
    rate: SendRate, steps: list[tuple[float, Lane]]
) -> None:
    limiter, now, sent = Limiter(rate, 0.0), 0.0, []
    for wait, lane in steps:
        now += wait
        if limiter.take(lane, now):
            sent.append(now)
    for first, begin in enumerate(sent):
        for last, end in enumerate(sent[first:], first):
            assert last - first + 1 <= rate.burst + rate.per_second * (end - begin) + 1e-6


@given(RATES, STEPS)
def test_it_says_how_long_to_wait_and_keeps_its_word(rate: SendRate, steps: list[tuple[float, Lane]]) -> None:
    limiter, now = Limiter(rate, 5.0), 5.0
    for wait, lane in steps:
        now += wait
        due = limiter.wait(lane, now)
        assert limiter.take(lane, now) == (due == 0.0)
        if due:
            now += due * (1 + 1e-9)
            assert limiter.take(lane, now)


def test_the_last_tokens_are_for_what_must_get_through() -> None:
    limiter = Limiter(SendRate(10.0, 6, reserved=4), 0.0)
    taken = {lane: sum(limiter.take(lane, 0.0) for _ in range(10)) for lane in reversed(Lane)}
    assert taken == {Lane.OPEN: 2, Lane.REDUCE: 0, Lane.CANCEL: 2, Lane.PANIC: 2}
    assert limiter.wait(Lane.OPEN, 0.0) == pytest.approx(0.5)
    assert limiter.wait(Lane.PANIC, 0.0) == pytest.approx(0.1)


def test_what_is_reserved_never_is_everything() -> None:
    limiter = Limiter(SendRate(2.0, 1, reserved=5), 0.0)
    assert limiter.take(Lane.OPEN, 0.0)
    assert limiter.wait(Lane.OPEN, 0.0) == pytest.approx(0.5)


def test_a_venue_that_had_too_many_is_left_alone_and_gets_no_burst_then() -> None:
    """F29: after a 429, nothing until the moment it named, and then one request at a time."""
    outbox = Outbox()
    outbox.set_rate(SendRate(10.0, 5, reserved=0), 0.0)
    outbox.heed(RateLimited("too many requests", retry_after=2.0), 1.0)
    assert outbox.limiter is not None
    assert outbox.limiter.tokens(2.9) == 0.0
    assert not outbox.limiter.take(Lane.PANIC, 2.9)
    assert [outbox.limiter.take(Lane.PANIC, 3.0) for _ in range(3)] == [True, False, False]


def test_a_new_rate_does_not_fill_the_bucket() -> None:
    outbox = Outbox()
    outbox.set_rate(SendRate(1.0, 4, reserved=0), 0.0)
    assert outbox.limiter is not None
    assert [outbox.limiter.take(Lane.OPEN, 0.0) for _ in range(4)] == [True] * 4
    outbox.set_rate(SendRate(2.0, 10, reserved=0), 1.0)
    assert outbox.limiter is not None
    assert outbox.limiter.tokens(1.0) == pytest.approx(1.0)
    outbox.set_rate(None, 1.0)
    assert outbox.limiter is None


def drained(outbox: Outbox, now: float) -> list[Effect]:
    """What two workers send, the one for panics first, as time goes by."""
    sent: list[Effect] = []
    while len(outbox):
        waits = []
        for urgent in (True, False):
            found = outbox.take(now, urgent=urgent)
            if isinstance(found, tuple):
                sent.append(found[0])
            elif found is not None:
                waits.append(found)
        now += min(waits, default=0.0) + 1e-6
    return sent


@given(st.none() | RATES, st.lists(st.tuples(st.integers(0, 8), st.sampled_from(Lane)), max_size=40))
def test_everything_goes_out_once_in_order_of_lane(rate: SendRate | None, wanted: list[tuple[int, Lane]]) -> None:
    outbox = Outbox()
    outbox.set_rate(rate, 0.0)
    put = [(effect, outbox.put(effect, 0.0)) for effect in (cancel(f"o{name}", lane) for name, lane in wanted)]
    assert len(outbox) + outbox.gone == sum(taken for _, taken in put)
    sent = [effect for effect in drained(outbox, 0.0) if isinstance(effect, SendCancel)]
    assert {effect.order_id for effect in sent} == {f"o{name}" for name, _ in wanted}
    if rate is not None:
        lanes = [effect.lane for effect in sent]
        assert lanes == sorted(lanes)


def test_a_cancel_that_waits_is_not_queued_twice_and_may_become_urgent() -> None:
    outbox = Outbox()
    assert outbox.put(cancel("one"), 0.0)
    assert not outbox.put(cancel("one"), 0.1)
    assert outbox.put(cancel("one", Lane.PANIC), 0.2), "a panic's overtakes it"
    assert not outbox.put(cancel("one"), 0.3)
    assert (len(outbox), outbox.gone) == (1, 1)
    found = outbox.take(1.0, urgent=True)
    assert isinstance(found, tuple)
    assert found[0] == cancel("one", Lane.PANIC)
    assert outbox.take(1.0, urgent=False) is None
    assert outbox.put(cancel("one"), 1.0), "what has gone out may be asked again"


def test_while_a_panic_waits_nobody_else_gets_a_token() -> None:
    outbox = Outbox()
    outbox.set_rate(SendRate(10.0, 2, reserved=0), 0.0)
    for number in range(4):
        outbox.put(cancel(f"p{number}", Lane.PANIC), 0.0)
        outbox.put(cancel(f"c{number}"), 0.0)
    outbox.put(WantReconcile("A", "a picture costs no token"), 0.0)
    found = outbox.take(0.0, urgent=False)
    assert isinstance(found, tuple)
    assert isinstance(found[0], WantReconcile)
    assert outbox.take(0.0, urgent=False) is None
    names = Counter(order.order_id[0] for order in drained(outbox, 0.0)[:4] if isinstance(order, SendCancel))
    assert names == {"p": 4}


def test_how_it_stands() -> None:
    outbox = Outbox()
    outbox.set_rate(SendRate(10.0, 2), 0.0)
    outbox.put(cancel("one"), 1.0)
    outbox.put(cancel("two", Lane.PANIC), 3.0)
    standing = outbox.standing(4.0, 1)
    assert (standing.tokens, standing.oldest, standing.under_way) == (2.0, 3.0, 1)
    assert standing.waiting == {Lane.PANIC: 1, Lane.CANCEL: 1, Lane.REDUCE: 0, Lane.OPEN: 0}


def test_a_run_that_repeats_itself_has_neither_lanes_nor_limits() -> None:
    outbox = Outbox(lanes=False)
    for name, lane in (("a", Lane.OPEN), ("b", Lane.PANIC), ("c", Lane.CANCEL)):
        outbox.put(cancel(name, lane), 0.0)
    taken = [outbox.take(0.0, urgent=False) for _ in range(3)]
    assert [found[0].order_id for found in taken if isinstance(found, tuple) and isinstance(found[0], SendCancel)] == [
        "a", "b", "c",
    ]  # fmt: skip
    assert outbox.take(0.0, urgent=True) is None
