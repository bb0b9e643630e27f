"""Where cash and orders may go: books of accounts, what is free in them, and the portfolios that payments concern."""

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from evenkeel.domain.accounts import EXTERNAL_FLOWS, LedgerEntry
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.money import ZERO, minor_unit, rounded, sub, total
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.portfolios import RESERVED, Place
from evenkeel.trading.engine.portfolios.worth import cash_of, worth_of

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import State


def check(state: "State", place: Place, *, field: str) -> None:
    """Raises InvalidInput for a book that is not there, and for one of a portfolio that does not trade the account."""
    if place.book in RESERVED or place.book in state.deployments:
        return
    held = state.portfolios.get(place.book)
    message = _fault(state, place) if held is not None else f"no book is called {place.book!r}"
    if message:
        raise InvalidInput("the book is not valid", errors=(FieldError(field, message),))


def order_faults(state: "State", spec: OrderSpec) -> list[FieldError]:
    """What speaks against an order in the book of a portfolio."""
    if spec.book not in state.portfolios:
        return []
    message = _fault(state, Place(spec.account_id, spec.book))
    return [FieldError("book", message)] if message else []


def _fault(state: "State", place: Place) -> str:
    this = state.portfolios[place.book].portfolio
    if this.archived:
        return f"portfolio {this.name} is archived; restore it first"
    if place.account_id not in this.account_ids:
        return f"portfolio {this.name} does not trade this account; add the account to it first"
    return ""


def check_cash(state: "State", place: Place, *, amount: Decimal, field: str = "amount") -> None:
    """Raises InvalidInput where a book does not have so much cash.

    What no portfolio and no strategy is named for comes from all that an account holds beside its portfolios.
    """
    account = state.accounts[place.account_id]
    currency = account.account.currency
    if place.book in RESERVED:
        owned = [cash_of(account, book) for account_id, book in state.owners if account_id == place.account_id]
        free, whose = sub(account.cash_in(currency), total(owned)), "the account beside its portfolios"
    else:
        free, whose = cash_of(account, place.book), "this book"
    if amount > free:
        shown = rounded(max(ZERO, free), minor_unit(currency), ROUND_FLOOR)
        message = f"{whose} has {shown} {currency} in cash"
        raise InvalidInput("not that much cash", errors=(FieldError(field, message),))


def values(state: "State", entries: Iterable[LedgerEntry]) -> dict[str, Decimal]:
    """What each portfolio is worth now that a payment of these entries goes into, or out of."""
    flows = [(entry.account_id, entry.book) for entry in entries if entry.kind in EXTERNAL_FLOWS]
    owners = {state.owners[key] for key in flows if key in state.owners}
    return {owner: worth_of(state, state.portfolios[owner]).value for owner in sorted(owners)}
