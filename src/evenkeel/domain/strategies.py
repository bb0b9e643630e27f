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


class Deployment(Struct, frozen=True, omit_defaults=True):
    """A template at work. Its id names its book in every account it trades.

    `sizing` says what a target of 1 stands for; None: the allocated share of equity, parted among the instruments.
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
    """One evaluation of one instrument: a target in [-1, 1], or None = keep; HOLD is kept too."""

    deployment_id: str
    instrument_id: str
    at: int
    target: float | None
    confidence: float = 1.0
    details: dict[str, float | str] = {}
