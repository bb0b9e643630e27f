"""Exchange rates: taken as they are given, and at the end of a day from the last prices of spot pairs."""

from datetime import date
from decimal import Decimal

from evenkeel.domain.account_records import FxRatesSet
from evenkeel.domain.clock import from_ns
from evenkeel.domain.commands import SetFxRates
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.fx import FxRate, RateSource, is_rate, rate_faults
from evenkeel.domain.money import ONE, rounded
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

MOST = 10_000
_STEP = Decimal("0.00000001")
_BY_MARKET = Provenance(actor="evenkeel", source=Source.SYSTEM)


def set_rates(turn: Turn, command: SetFxRates) -> Outcome:
    """Records rates as they are given. Raises InvalidInput, and takes none, where one of them makes no sense."""
    if not 0 < len(command.rates) <= MOST:
        raise InvalidInput("the rates are not valid", errors=(FieldError("rates", f"1 to {MOST} rates"),))
    faults = rate_faults(command.rates, today=from_ns(turn.at).date())
    if faults:
        raise InvalidInput("the rates are not valid", errors=tuple(faults))
    turn.emit(FxRatesSet(at=turn.at, rates=command.rates, provenance=command.provenance))
    return Outcome("", created=True)


def take_from_market(turn: Turn, day: date) -> None:
    """Records the last price of every spot pair as its rate of a day, once a day and never over a later one."""
    state, found = turn.state, list[FxRate]()
    for instrument_id, (base, quote) in state.pairs.items():
        mark, known = state.mark(instrument_id), state.rates.get((base, quote))
        if mark is not None and is_rate(mark) and (known is None or known.day < day):
            found.append(FxRate(base, quote, day, mark, RateSource.FEED))
    if found:
        turn.emit(FxRatesSet(at=turn.at, rates=tuple(found), provenance=_BY_MARKET))


def marks_of(state: State, account: AccountState) -> dict[str, Decimal]:
    """What one unit of every currency with a known rate is worth in the account's, to eight places."""
    mine = account.account.currency
    found = {mine: ONE}
    for currency in sorted({name for pair in state.rates for name in pair} - {mine}):
        way = state.rates.conversion(currency, mine)
        if way is not None:
            found[currency] = rounded(way.rate, _STEP)
    return found
