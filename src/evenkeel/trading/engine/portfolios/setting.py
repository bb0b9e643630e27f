"""Commands that shape portfolios: making and changing them, adopting books, and moving cash between books."""

from decimal import Decimal

from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import LedgerEntry, LedgerKind
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput
from evenkeel.domain.limits import NO_RULES, Layer, LimitScope
from evenkeel.domain.limits import faults as rule_faults
from evenkeel.domain.money import neg
from evenkeel.domain.portfolios import (
    MOST_ACCOUNTS,
    BookMoved,
    CashTransferred,
    Place,
    Portfolio,
    PortfolioChanged,
    name_faults,
    tolerance_faults,
)
from evenkeel.trading.engine import limiting, market
from evenkeel.trading.engine.admin import check_amount, check_free
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.portfolios import places
from evenkeel.trading.engine.portfolios.standing import PortfolioState
from evenkeel.trading.engine.portfolios.worth import cash_of, worth_of, worth_of_book
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn


def create(turn: Turn, command: c.CreatePortfolio) -> Outcome:
    """Makes a portfolio. Raises Conflict for an id that is taken, InvalidInput with every field at fault."""
    this, state = command.portfolio, turn.state
    if this.id in state.portfolios or this.id in state.deployments:
        raise Conflict(f"portfolio {this.id} exists already")
    found = [*_faults(state, this), *rule_faults(command.rules, "rules.")]
    if found:
        raise InvalidInput("the portfolio cannot be made", errors=tuple(found))
    first, own = Place(this.account_ids[0]), Place(this.account_ids[0], this.id)
    if command.cash:
        _check_transfer(state, first, own, amount=command.cash, field="cash")
        places.check_cash(state, first, amount=command.cash, field="cash")
    for place in command.adopt:
        _check_adoption(state, this, place)
    turn.emit(PortfolioChanged(at=turn.at, portfolio=this, provenance=command.provenance))
    if command.rules != NO_RULES:
        scope = LimitScope(Layer.PORTFOLIO, this.id)
        rules = c.SetScopeLimits(scope=scope, rules=command.rules, provenance=command.provenance)
        limiting.set_scope(turn, rules)
    if command.cash:
        _transfer(turn, c.TransferCash(source=first, target=own, amount=command.cash, provenance=command.provenance))
    for place in dict.fromkeys(command.adopt):
        _move_book(turn, state.portfolios[this.id], place, joins=True, source=command)
    return Outcome(this.id)


def _faults(state: State, this: Portfolio, *, known: str = "") -> list[FieldError]:
    """What is wrong with a portfolio; `known` is the id of the one it replaces."""
    found = [*name_faults(this.name), *tolerance_faults(this.risk_tolerance)]
    for other in (held.portfolio for held in state.portfolios.values()):
        if other.id != known and other.user_id == this.user_id and other.name.casefold() == this.name.casefold():
            hint = "which is archived: restore it" if other.archived else "in whatever case"
            found.append(FieldError("name", f"another portfolio is called {other.name!r}, {hint}"))
    if not 0 < len(this.account_ids) <= MOST_ACCOUNTS:
        found.append(FieldError("accounts", f"1 to {MOST_ACCOUNTS} accounts"))
    if len(set(this.account_ids)) < len(this.account_ids):
        found.append(FieldError("accounts", "each account once"))
    for place, account_id in enumerate(this.account_ids):
        message = _account_fault(state, this, account_id=account_id)
        if message:
            found.append(FieldError(f"accounts.{place}", message))
    return found


def _account_fault(state: State, this: Portfolio, *, account_id: str) -> str:
    held = state.accounts.get(account_id)
    if held is None or held.account.user_id != this.user_id:
        return f"there is no account {account_id!r}"
    if held.session is not None:
        return f"{held.account.name} is the account of a walk-forward session, and trades nothing else"
    if held.account.currency != this.currency:
        return f"{held.account.name} is kept in {held.account.currency}, the portfolio in {this.currency}"
    return ""


def change(turn: Turn, command: c.ChangePortfolio) -> Outcome:
    """Renames a portfolio, changes its notes, and has it trade further accounts; none is ever taken away."""
    state, given = turn.state, command.change
    known = _in_use(state, command.portfolio_id).portfolio
    now = replace(
        known,
        name=known.name if given.name is None else given.name,
        strategy=known.strategy if given.strategy is None else given.strategy,
        risk_tolerance=known.risk_tolerance if given.risk_tolerance is None else given.risk_tolerance,
        account_ids=tuple(dict.fromkeys((*known.account_ids, *given.account_ids))),
    )
    found = _faults(state, now, known=known.id)
    if found:
        raise InvalidInput("the portfolio cannot be changed so", errors=tuple(found))
    _record(turn, known, now, command)
    return Outcome(known.id, created=False)


def _in_use(state: State, portfolio_id: str) -> PortfolioState:
    """Raises NotFound, and Conflict for one that is archived."""
    held = state.portfolio(portfolio_id)
    if held.portfolio.archived:
        raise Conflict(f"portfolio {held.portfolio.name} is archived", hint="Restore it first.")
    return held


def _record(turn: Turn, known: Portfolio, now: Portfolio, command: c.Command) -> None:
    if now != known:
        turn.emit(PortfolioChanged(at=turn.at, portfolio=now, provenance=command.provenance))


def archive(turn: Turn, command: c.ArchivePortfolio) -> Outcome:
    """Takes a portfolio out of use, or puts it back. Raises Conflict while it has money, positions, orders or books."""
    state = turn.state
    held = state.portfolio(command.portfolio_id)
    known = held.portfolio
    left = [] if command.restore else _left(state, held)
    if left:
        raise Conflict(
            f"{known.name} still has {', '.join(left)}",
            hint="Close or move what it holds, transfer its cash, and release the books it has adopted.",
        )
    _record(turn, known, replace(known, archived=not command.restore), command)
    return Outcome(known.id, created=False)


def _left(state: State, held: PortfolioState) -> list[str]:
    own, worth = held.portfolio.id, worth_of(state, held)
    working = sum(
        1 for name in held.portfolio.account_ids for one in state.accounts[name].open_orders() if one.spec.book == own
    )
    adopted = [book for _, book in held.books if book != own]
    cash = [one for name, book in held.books if (one := cash_of(state.accounts[name], book))]
    found = [
        (worth.positions, f"{worth.positions} positions"),
        (working, f"{working} working orders"),
        (len(adopted), f"{len(adopted)} adopted books"),
        (len(cash), f"{worth.cash} {held.portfolio.currency} in cash"),
    ]
    return [words for count, words in found if count]


def adopt(turn: Turn, command: c.AdoptBook) -> Outcome:
    """Has a strategy's book in an account join a portfolio, or leave it. Raises Conflict where that is not so."""
    state, place = turn.state, Place(command.account_id, command.book)
    held = _in_use(state, command.portfolio_id)
    if command.release:
        owner = state.owners.get((place.account_id, place.book))
        if owner != held.portfolio.id or place.book == owner:
            raise Conflict(f"{held.portfolio.name} has not adopted this book")
    else:
        _check_adoption(state, held.portfolio, place)
    _move_book(turn, held, place, joins=not command.release, source=command)
    return Outcome(held.portfolio.id, created=False)


def _move_book(turn: Turn, held: PortfolioState, place: Place, *, joins: bool, source: c.Command) -> None:
    """Records that a book joins or leaves, with what it is worth."""
    state = turn.state
    account = state.account(place.account_id)
    market.keep_day(turn, account)
    turn.emit(
        BookMoved(
            at=turn.at,
            portfolio_id=held.portfolio.id,
            account_id=place.account_id,
            book=place.book,
            joins=joins,
            worth=worth_of_book(state, account, place.book).value,
            value=worth_of(state, held).value,
            provenance=source.provenance,
        )
    )


def _check_adoption(state: State, this: Portfolio, place: Place) -> None:
    deployment = state.deployment(place.book).deployment
    if place.account_id not in this.account_ids:
        message = f"{this.name} does not trade this account; add the account to it first"
        raise InvalidInput("the book cannot be adopted", errors=(FieldError("account_id", message),))
    if deployment.removed:
        raise Conflict(f"{deployment.name} was removed")
    owner = state.owners.get((place.account_id, place.book))
    if owner is not None:
        raise Conflict(
            f"the book of {deployment.name} here belongs to portfolio {state.portfolios[owner].portfolio.name}"
        )


def transfer_cash(turn: Turn, command: c.TransferCash) -> Outcome:
    """Moves cash between books. Raises InvalidInput, and Forbidden between a paper account and a live one."""
    state, source, target = turn.state, command.source, command.target
    _check_transfer(state, source, target, amount=command.amount)
    places.check(state, source, field="source.book")
    places.check(state, target, field="target.book")
    places.check_cash(state, source, amount=command.amount)
    if source.account_id != target.account_id:
        check_free(state, state.accounts[source.account_id], command.amount)
    _transfer(turn, command)
    return Outcome(target.account_id, created=False)


def _check_transfer(state: State, source: Place, target: Place, *, amount: Decimal, field: str = "amount") -> None:
    here, there = state.account(source.account_id), state.account(target.account_id)
    check_amount(amount, here.account, field)
    found = []
    if amount <= 0:
        found.append(FieldError(field, "more than zero"))
    if source == target:
        found.append(FieldError("target", "another book than the one it comes from"))
    for name, held in (("source", here), ("target", there)):
        if held.session is not None:
            found.append(FieldError(f"{name}.account_id", "the account of a walk-forward session keeps its capital"))
    if here.account.currency != there.account.currency:
        found.append(FieldError("target.account_id", f"an account in {here.account.currency}"))
    if here.account.user_id != there.account.user_id:
        found.append(FieldError("target.account_id", f"there is no account {target.account_id!r}"))
    if found:
        raise InvalidInput("the transfer is not valid", errors=tuple(found))
    if here.account.mode is not there.account.mode:
        raise Forbidden(f"{here.account.mode} money does not become {there.account.mode} money")


def _transfer(turn: Turn, command: c.TransferCash) -> None:
    """Books a transfer that has been checked: two lines that add up to nothing."""
    state, places_ = turn.state, (command.source, command.target)
    accounts = {place.account_id: state.accounts[place.account_id] for place in places_}
    for account in accounts.values():
        market.keep_day(turn, account)
    entries = tuple(
        LedgerEntry(
            account_id=place.account_id,
            book=place.book,
            currency=accounts[place.account_id].account.currency,
            kind=LedgerKind.TRANSFER,
            amount=amount,
            value_date=accounts[place.account_id].day,
            component=command.note,
        )
        for place, amount in zip(places_, (neg(command.amount), command.amount), strict=True)
    )
    turn.emit(
        CashTransferred(
            at=turn.at,
            entries=entries,
            provenance=command.provenance,
            equity={name: state.equity(held) for name, held in accounts.items()} if len(accounts) > 1 else {},
            values=places.values(state, entries),
        )
    )
