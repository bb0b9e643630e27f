"""The live switch: whether an account whose orders are real may trade, and who opens its credentials."""

from enum import StrEnum

from evenkeel.domain.accounts import Account, AccountMode
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record

OFF = "the account is not switched live"


class Custody(StrEnum):
    """Who can open an account's credentials after a restart.

    ATTENDED: its owner only, by unlocking their vault; until then nothing is sent, and no stop that rests here works.
    UNATTENDED: this server, with its own key; so can whoever holds that key and the database.
    """

    ATTENDED = "attended"
    UNATTENDED = "unattended"


class LiveSwitched(Record, frozen=True, tag="account.live/1"):
    """An account may trade live from here on, or no more. Off, it takes no new risk; what reduces it still passes."""

    account_id: str
    on: bool
    custody: Custody
    provenance: Provenance


AnyLiveRecord = LiveSwitched


def is_real(account: Account) -> bool:
    """Whether an account's orders are to reach a market, and not a simulation of one."""
    return account.mode is AccountMode.LIVE
