"""Slowing down: what a flood may not wash away, who is not locked out by strangers, and rates of the public doors."""

import pytest

from evenkeel.desk import buckets
from evenkeel.desk import throttle as module
from evenkeel.desk.throttle import Throttle, TooManyAttempts, line_of
from tests.desk.house import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock=clock.monotonic)


def waits(throttle: Throttle, name: str, address: str) -> bool:
    try:
        throttle.check(name, address)
    except TooManyAttempts:
        return True
    return False


def test_a_flood_of_other_names_does_not_free_a_name_that_waits(
    throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 100)
    for _ in range(5):
        throttle.failed("ann", "192.0.2.1")
    assert waits(throttle, "ann", "192.0.2.1")
    for number in range(1_000):
        throttle.failed(f"junk-{number}", f"198.51.{number // 250}.{number % 250}")
    assert waits(throttle, "ann", "192.0.2.1")


def test_memory_is_bounded(throttle: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 50)
    monkeypatch.setattr(buckets, "_MOST", 50)
    for number in range(500):
        throttle.failed(f"n{number}", f"10.0.{number // 250}.{number % 250}")
        throttle.succeeded(f"m{number}", f"10.1.{number // 250}.{number % 250}")
        throttle.take("session", f"10.2.{number // 250}.{number % 250}")
    sizes = [len(one._few) + len(one._many) for one in throttle._failures.values()]
    assert max(*sizes, len(throttle._known), *(len(one._left) for one in throttle._doors.values())) <= 100


def test_strangers_do_not_lock_a_person_out_of_where_they_have_been(throttle: Throttle) -> None:
    throttle.succeeded("ann", "192.0.2.1")
    for number in range(60):
        throttle.failed("ann", f"198.51.100.{number}")
    assert waits(throttle, "ann", "203.0.113.9")
    assert not waits(throttle, "ann", "192.0.2.1")
    for _ in range(5):
        throttle.failed("ann", "192.0.2.1")
    assert waits(throttle, "ann", "192.0.2.1"), "guesses from there count as they always do"


def test_an_ipv6_line_is_one_guesser(throttle: Throttle) -> None:
    for number in range(20):
        throttle.failed(f"name-{number}", f"2001:db8:1:2::{number:x}")
    assert waits(throttle, "another", "2001:db8:1:2:ffff::1")
    assert not waits(throttle, "another", "2001:db8:1:3::1")
    assert line_of("::ffff:192.0.2.7") == line_of("192.0.2.7")


def test_what_has_no_name_counts_against_its_address_alone(throttle: Throttle) -> None:
    for number in range(60):
        throttle.failed("", f"198.51.100.{number}")
    assert not waits(throttle, "", "192.0.2.1")


def test_a_class_of_doors_has_a_rate_for_each_address(clock: Clock) -> None:
    throttle = Throttle(clock=clock.monotonic, rates={"sign-in": (3.0, 0.5), "session": (1.0, 1.0)})
    for _ in range(3):
        throttle.take("sign-in", "192.0.2.1")
    with pytest.raises(TooManyAttempts) as refused:
        throttle.take("sign-in", "192.0.2.1")
    assert refused.value.retry_after == 2
    throttle.take("session", "192.0.2.1")
    throttle.take("sign-in", "192.0.2.2")
    clock.skip(2)
    throttle.take("sign-in", "192.0.2.1")


def test_codes_are_guessed_as_slowly_from_everywhere(throttle: Throttle, clock: Clock) -> None:
    for _ in range(5):
        throttle.check_code("user-1")
        throttle.code_failed("user-1")
    for expected in (1, 2, 4):
        with pytest.raises(TooManyAttempts) as refused:
            throttle.check_code("user-1")
        assert refused.value.retry_after == expected
        clock.skip(expected)
        throttle.code_failed("user-1")
    throttle.check_code("user-2")
    throttle.code_succeeded("user-1")
    throttle.check_code("user-1")
