"""How fast an account may send: a token bucket whose last tokens are kept for what must get through.

Nothing here knows a clock: whoever asks says what time it is, in seconds that never go back.
"""

from math import isfinite

from evenkeel.domain.accounts import SendRate
from evenkeel.trading.engine.effects import Lane

_WHOLE = 1.0 - 1e-9


class Limiter:
    """The bucket of one account; full at first.

    In any T seconds it lets at most `burst + per_second * T` requests out. A panic may take the last token, a cancel
    all but half of those reserved, and the rest only what is above them.
    """

    def __init__(self, rate: SendRate, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = now
        self._held_until = now
        self._floors = {Lane.PANIC: 0, Lane.CANCEL: rate.kept // 2, Lane.REDUCE: rate.kept, Lane.OPEN: rate.kept}

    def tokens(self, now: float) -> float:
        """The tokens at hand; none while the venue has asked for a pause."""
        self._fill(now)
        return self._tokens if now >= self._held_until else 0.0

    def take(self, lane: Lane, now: float) -> bool:
        """Takes a token for one request, if this lane may have one now."""
        if self.wait(lane, now) > 0.0:
            return False
        self._tokens = max(0.0, self._tokens - 1.0)
        return True

    def give_back(self, now: float) -> None:
        """Returns the token of a request that was not sent after all."""
        self._fill(now)
        self._tokens = min(float(self.rate.burst), self._tokens + 1.0)

    def wait(self, lane: Lane, now: float) -> float:
        """Seconds until `take` would succeed, were nothing else taken in between; 0 where it does now."""
        self._fill(now)
        missing = self._floors[lane] + _WHOLE - self._tokens
        due = missing / self.rate.per_second if missing > 0.0 else 0.0
        return max(due, self._held_until - now, 0.0)

    def hold(self, until: float) -> None:
        """The venue has had too many: no token before `until`, and no burst then."""
        if isfinite(until):
            self._held_until = max(self._held_until, until)
            self._tokens = 0.0
            self._at = max(self._at, until - 1.0 / self.rate.per_second)

    def change(self, rate: SendRate, now: float) -> "Limiter":
        """A bucket of another rate that has what this one has, as far as it fits."""
        changed = Limiter(rate, now)
        changed._tokens = min(self.tokens(now), float(rate.burst))
        changed._held_until = self._held_until
        return changed

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(float(self.rate.burst), self._tokens + (now - self._at) * self.rate.per_second)
            self._at = now
