"""The journal's records of accounts taken out of use and put back, of names erased, and of exchange rates."""

from evenkeel.domain.fx import FxRate
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record


class AccountSwitched(Record, frozen=True, tag="account.switched/1"):
    """An account is out of use, or in use again. Out of use it takes no new risk; what reduces it still passes."""

    account_id: str
    active: bool
    provenance: Provenance
    reason: str = ""


class AccountRenamed(Record, frozen=True, tag="account.renamed/1"):
    """What an account is called from here on; `erased`: in the place of a name that a person had removed."""

    account_id: str
    name: str
    provenance: Provenance
    erased: bool = False


class FxRatesSet(Record, frozen=True, tag="fx.rates/1"):
    """Exchange rates that somebody, a file or the market has given."""

    rates: tuple[FxRate, ...]
    provenance: Provenance


AnyAccountRecord = AccountSwitched | AccountRenamed | FxRatesSet
