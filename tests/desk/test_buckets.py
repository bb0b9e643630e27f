"""Token buckets: a full one at first, filled again with time, one a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.buckets import Buckets
from evenkeel.domain.errors import TooManyRequests


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 4)), max_size=60))
def test_no_more_is_taken_than_was_filled(asked: list[tuple[float, float]]) -> None:
    now = [0.0]
    buckets = Buckets(size=10, rate=2, clock=lambda: now[0])
    taken = 0.0
    for wait, cost in asked:
        now[0] += wait
        try:
            buckets.take("ann", cost)
        except TooManyRequests as error:
            now[0] += error.retry_after + 1e-9
            buckets.take("ann", cost)
        taken += cost
    assert taken <= 10 + 2 * now[0] + 1e-6


def test_each_key_has_its_own_and_a_cost_above_the_size_empties_it() -> None:
    buckets = Buckets(size=2, rate=1, clock=lambda: 0.0)
    buckets.take("ann", 100)
    with pytest.raises(TooManyRequests) as caught:
        buckets.take("ann")
    assert caught.value.retry_after == 1.0
    buckets.take("bob")
