"""What a deployment with rules has made, in numbers, and which rule switches it off or on again.

Two lines are followed as fractions of what it was allotted, added up and not compounded: its own result, which is what
its books have made, and its shadow, which is what its targets would have made at the prices of their signals. The
shadow goes on while the deployment is off; there is nothing else to see a recovery by.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from evenkeel.domain.clock import SECOND
from evenkeel.domain.strategies import Switch, SwitchRules

BY_HAND = "by-hand"
_DAY = 86_400 * SECOND


class Track(Struct):
    """`prices` are those of the last signals, by instrument; `made` what was made by then, by account and instrument.

    The present record began with `began` made by each account, which had been `allotted` that much. Since then: `own`,
    its `peak`, its value at the end of each of the last `days` (number of the day, own), and the closed trades that
    lost in a row. `closed` is what an instrument had made when it was last flat. `lowest` is the shadow's since the
    deployment was switched off. The instruments `waiting` are to be traded to their targets at their next signals.
    """

    prices: dict[str, float] = field(default_factory=dict)
    made: dict[str, dict[str, float]] = field(default_factory=dict)
    closed: dict[str, float] = field(default_factory=dict)
    shadow: float = 0.0
    lowest: float = 0.0
    allotted: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    own: float = 0.0
    peak: float = 0.0
    days: list[tuple[int, float]] = field(default_factory=list)
    losses: int = 0
    waiting: set[str] = field(default_factory=set)

    def begin(self, allotted: Mapping[str, float]) -> None:
        """Begins a new record of its own result; the shadow goes on."""
        self.allotted = {account: amount for account, amount in allotted.items() if amount > 0.0}
        self.began = {account: sum(self.made.get(account, {}).values()) for account in self.allotted}
        self.own = self.peak = 0.0
        self.days = []
        self.losses = 0

    def saw(self, instrument_id: str, price: float, *, wanted: float, made: Mapping[str, float]) -> None:
        """A signal at `price`: `wanted` is the share of the whole that was its target until now, `made` by account."""
        before = self.prices.get(instrument_id)
        if before:
            self.shadow += wanted * (price / before - 1.0)
            self.lowest = min(self.lowest, self.shadow)
        self.prices[instrument_id] = price
        for account, amount in made.items():
            known = self.made.setdefault(account, {})
            if instrument_id not in known and account in self.began:
                self.began[account] += amount
            known[instrument_id] = amount
        if self.allotted:
            results = [
                (sum(self.made.get(account, {}).values()) - self.began[account]) / amount
                for account, amount in self.allotted.items()
            ]
            self.own = sum(results) / len(results)
            self.peak = max(self.peak, self.own)

    def keep_day(self, at: int, span: int) -> None:
        """Notes its own result of the day of `at`; of days more than `span` days back, the newest is kept."""
        today = at // _DAY
        if self.days and self.days[-1][0] == today:
            self.days.pop()
        self.days.append((today, self.own))
        while len(self.days) > 1 and self.days[1][0] <= today - span:
            self.days.pop(0)

    def closed_trade(self, instrument_id: str, made: float) -> None:
        """The deployment is flat in an instrument again, which has `made` so much altogether."""
        self.losses = self.losses + 1 if made < self.closed.get(instrument_id, 0.0) else 0
        self.closed[instrument_id] = made

    def split(self, instrument_id: str, ratio: float) -> None:
        """`ratio` new units for an old one."""
        if instrument_id in self.prices:
            self.prices[instrument_id] /= ratio

    def verdict(self, rules: SwitchRules, last: Switch | None, at: int) -> Switch | None:
        """The switch that is due at `at` (ns), or None."""
        if last is not None and at - last.at < rules.min_days * _DAY:
            return None
        if last is None or last.on:
            return self._off(rules, at)
        risen = self.shadow - self.lowest
        if rules.recovery is not None and risen >= rules.recovery:
            return _switch("recovery", rules.recovery, risen, at=at, on=True)
        return None

    def _off(self, rules: SwitchRules, at: int) -> Switch | None:
        fallen = self.peak - self.own
        if rules.max_drawdown is not None and fallen > rules.max_drawdown:
            return _switch("max-drawdown", rules.max_drawdown, fallen, at=at)
        if rules.max_losses is not None and self.losses >= rules.max_losses:
            return _switch("max-losses", rules.max_losses, self.losses, at=at)
        lately = self._lately(rules.return_days)
        if rules.min_return is not None and lately is not None and lately < rules.min_return:
            return _switch("min-return", rules.min_return, lately, at=at)
        return None

    def _lately(self, span: int) -> float | None:
        """Its own result since `span` days ago; None while the record is younger."""
        if not self.days or self.days[-1][0] - self.days[0][0] < span:
            return None
        return self.own - self.days[0][1]


def _switch(rule: str, limit: float, value: float, *, at: int, on: bool = False) -> Switch:
    return Switch(on=on, at=at, rule=rule, limit=f"{limit:g}", value=f"{value:.6g}")
