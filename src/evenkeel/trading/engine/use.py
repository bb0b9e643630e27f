"""Accounts out of use, their names, exchange rates, and the live switch: what the fold makes of their records."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from evenkeel.domain.account_records import AccountRenamed, AccountSwitched, FxRatesSet
from evenkeel.domain.clock import from_ns
from evenkeel.domain.fx import pair_of
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.live import LiveSwitched

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import State


def switched(state: "State", record: AccountSwitched) -> None:
    why = f": {record.reason}" if record.reason else ""
    retired = "" if record.active else f"the account is out of use since {from_ns(record.at):%Y-%m-%d}{why}"
    state.accounts[record.account_id].retired = retired


def live_switched(state: "State", record: LiveSwitched) -> None:
    held = state.accounts[record.account_id]
    held.is_off, held.custody = not record.on, record.custody


def renamed(state: "State", record: AccountRenamed) -> None:
    held = state.accounts[record.account_id]
    held.account = replace(held.account, name=record.name)


def rates_set(state: "State", record: FxRatesSet) -> None:
    for rate in record.rates:
        state.rates.take(rate)


def listed(state: "State", instrument: Instrument) -> None:
    """Notes a spot pair of currencies, whose last price is a rate at the end of a day."""
    pair = pair_of(instrument)
    if pair is not None:
        state.pairs[instrument.id] = pair
