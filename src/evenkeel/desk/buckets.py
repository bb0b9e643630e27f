"""Token buckets in memory: how much one person may ask for in a while of what is costly."""

import time
from collections import OrderedDict
from collections.abc import Callable

from evenkeel.domain.errors import TooManyRequests

_MOST = 20_000


class Buckets:
    """A bucket a key: full at first with `size` tokens, filled again at `rate` tokens a second."""

    def __init__(self, *, size: float = 60.0, rate: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.size, self.rate, self._clock = size, rate, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, cost: float = 1.0) -> None:
        """Takes `cost` tokens (no more than a full bucket). Raises TooManyRequests where there are not enough."""
        now = self._clock()
        left, since = self._left.pop(key, (self.size, now))
        left = min(self.size, left + (now - since) * self.rate)
        cost = min(cost, self.size)
        enough = left >= cost
        self._left[key] = (left - cost if enough else left, now)
        while len(self._left) > _MOST:
            self._left.popitem(last=False)
        if not enough:
            wait = (cost - left) / self.rate
            raise TooManyRequests("this is asked for too often", retry_after=wait, hint=f"Ask again in {wait:.0f} s.")
