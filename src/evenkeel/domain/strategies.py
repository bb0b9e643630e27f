"""Deployments and signals: a template runs as many deployments, each with its parameters, accounts and shares."""

from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

import msgspec
from msgspec import Struct

from evenkeel.domain.sizing import Sizing

Scalar = bool | int | float | str


class Allocation(Struct, frozen=True):
    """The share of one account's equity that a deployment may use, 0 to 1."""

    account_id: str
    share: Decimal


class SwitchRules(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a deployment is switched off for losing, and on again for having recovered. None: that rule is not used.

    Off: its own result lies `max_drawdown` below its best (0.1 is a tenth of what it was allotted); `max_losses` closed
    trades in a row have lost; its own result of the last `return_days` days is below `min_return` (-0.05). On again:
    the shadow, which goes on counting what its signals would have made, has risen by `recovery` from its lowest since
    then; without `recovery` only a person switches it on. Between two switches lie `min_days` days.
    """

    max_drawdown: float | None = None
    max_losses: int | None = None
    min_return: float | None = None
    return_days: int = 20
    recovery: float | None = None
    min_days: float = 1.0


class Switch(Struct, frozen=True, omit_defaults=True):
    """The last time a rule, or a person after one, switched a deployment; `limit` and `value` are those of the rule."""

    on: bool
    at: int
    rule: str
    limit: str = ""
    value: str = ""


class Revision(Struct, frozen=True):
    """What a deployment runs with: its template, parameters, size and rules, the saved template they came from, and how
    its orders go out."""

    template: str
    version: str
    parameters: dict[str, Scalar]
    sizing: Sizing | None = None
    rules: SwitchRules | None = None
    configuration: str | None = None
    entry: "Entry | None" = None


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the orders of a changed target go out: at a limit that is `offset` (a fraction) better than the last price.

    Such an order is good for the next bar only. A deployment without an entry sends market orders.
    """

    offset: float = 0.0


class Protection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exits that go out with every position a deployment opens, as fractions of price; None is not used.

    `stop_loss` and `take_profit` lie that far from the average price of entry, `trailing_stop` from the best price
    since. They are orders at the venue, of which one ends the others.
    """

    stop_loss: float | None = None
    take_profit: float | None = None
    trailing_stop: float | None = None


class Deployment(Struct, frozen=True, omit_defaults=True):
    """A template at work. Its id names its book in every account it trades.

    `sizing` says what a target of 1 stands for; None: the allocated share of equity, parted among the instruments.
    `configuration` names the saved template it was made from, with its version (`my-trend@3`). One that was `removed`
    is kept for its history only.
    """

    id: str
    name: str
    template: str
    version: str
    parameters: dict[str, Scalar]
    instrument_ids: tuple[str, ...]
    accounts: tuple[Allocation, ...]
    timeframe: str = "1d"
    enabled: bool = True
    paused: str | None = None
    sizing: Sizing | None = None
    rules: SwitchRules | None = None
    configuration: str | None = None
    switch: Switch | None = None
    removed: bool = False
    entry: Entry | None = None
    protection: Protection | None = None

    @property
    def is_on(self) -> bool:
        """Whether its targets are traded: no rule has switched it off."""
        return self.switch is None or self.switch.on

    @property
    def program(self) -> tuple[object, ...]:
        """What its strategy is run by; where it changes, the strategy begins anew."""
        return self.template, self.version, self.parameters, self.instrument_ids, self.timeframe

    @property
    def parameter_hash(self) -> str:
        """Sixteen hex digits that name (template, version, parameters, instruments) and the sizing, if one is given."""
        parts: list[object] = [self.template, self.version, sorted(self.parameters.items()), list(self.instrument_ids)]
        if self.sizing is not None:
            parts.append(self.sizing)
        return sha256(msgspec.json.encode(parts)).hexdigest()[:16]


class Action(StrEnum):
    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Signal(Struct, frozen=True, omit_defaults=True):
    """One evaluation of one instrument: a target in [-1, 1], or None = keep; HOLD is kept too.

    `scale` is what the deployment's size found in the bars, where it follows the market (see `domain.sizing`). `whole`:
    the target is of the deployment's whole allocation, not of its part for one instrument. `rebalance`: the position is
    brought back to the target in force though that has not changed.
    """

    deployment_id: str
    instrument_id: str
    at: int
    target: float | None
    confidence: float = 1.0
    details: dict[str, float | str] = {}
    scale: float = 1.0
    whole: bool = False
    rebalance: bool = False
