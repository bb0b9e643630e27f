"""What is traded: an instrument has one id for ever; its symbols are dated aliases."""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.ids import derived

AROUND_THE_CLOCK = "24/7"


class AssetClass(StrEnum):
    EQUITY = "EQUITY"
    ETF = "ETF"
    FX = "FX"
    METAL = "METAL"
    CRYPTO = "CRYPTO"
    FUTURE = "FUTURE"
    OPTION = "OPTION"
    INDEX = "INDEX"


class OptionRight(StrEnum):
    CALL = "CALL"
    PUT = "PUT"


class Instrument(Struct, frozen=True):
    """One tradable thing. Prices are multiples of `tick_size`, quantities of `lot_size`, in `currency`.

    `multiplier` is units of currency per point per unit of quantity. `calendar` names the exchange calendar.
    """

    id: str
    symbol: str
    venue: str
    asset_class: AssetClass
    currency: str
    tick_size: Decimal
    lot_size: Decimal
    multiplier: Decimal = Decimal(1)
    calendar: str = AROUND_THE_CLOCK
    expiry: date | None = None
    strike: Decimal | None = None
    right: OptionRight | None = None
    underlying_id: str | None = None


class SymbolAlias(Struct, frozen=True):
    """A symbol under which `source` (ours, a broker, a data vendor) knew the instrument from one date to another."""

    instrument_id: str
    source: str
    symbol: str
    valid_from: date
    valid_to: date | None = None


def instrument_id(venue: str, symbol: str, discriminator: str = "") -> str:
    """The id given to an instrument when first listed; it stays when the symbol changes."""
    return derived(f"instrument:{venue}:{symbol}:{discriminator}")
