"""Rebalances in the engine: taken as a whole, sold before bought, and ended when nothing of them works any more.

What is still to be done follows from the orders there are, which bear its name: a start after a crash goes on
where the journal ends. Every order takes the one path through risk.
"""

from decimal import Decimal

from msgspec.structs import replace

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.commands import RebalancePortfolio, SubmitComposite
from evenkeel.domain.composite_records import CompositeEnded
from evenkeel.domain.composites import Slices
from evenkeel.domain.errors import Conflict, FieldError, IdempotencyConflict, InvalidInput
from evenkeel.domain.execution import Execution
from evenkeel.domain.money import ZERO, add, mul, neg, plain, ratio, rounded, sub, total
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.rebalancing import MOST_TRADES, PlannedTrade, Rebalance, RebalanceEnded, RebalanceStarted
from evenkeel.domain.records import AccountReconciled, FillBooked, OrderMoved
from evenkeel.trading.engine.composites import following
from evenkeel.trading.engine.composites import terms as composites
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.orders import check_spec, place
from evenkeel.trading.engine.portfolios.underway import Underway
from evenkeel.trading.engine.portfolios.worth import cash_of, holdings_of, worth_of_book
from evenkeel.trading.engine.risk_views import reserved_cash
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import MARKET_BUFFER

_SHARE = Decimal("0.000001")
_WHOLE = Execution()


def start(turn: Turn, command: RebalancePortfolio) -> Outcome:
    """Takes a rebalance, or recalls the one of that name; with `retry`, what came to nothing of it is placed anew.

    Raises Conflict while another is under way, and where positions are not what the plan was made for any more;
    InvalidInput for trades that cannot be placed; IdempotencyConflict where the name means another rebalance.
    """
    state, this = turn.state, command.rebalance
    state.portfolio(this.portfolio_id)
    known = state.rebalances.find(this.portfolio_id, this.name)
    if known is not None:
        return _again(turn, known, command)
    check(turn, this)
    turn.emit(RebalanceStarted(at=turn.at, rebalance=this, provenance=command.provenance))
    _advance(turn, state.rebalances.all[this.id])
    return Outcome(this.id)


def check(turn: Turn, this: Rebalance) -> None:
    """Raises what speaks against beginning a new rebalance now."""
    if turn.state.rebalances.find(this.portfolio_id, this.name) is not None:
        raise Conflict(f"{this.name!r} already names a rebalance of this portfolio")
    held = turn.state.portfolio(this.portfolio_id)
    if held.portfolio.archived:
        raise Conflict(f"portfolio {held.portfolio.name} is archived", hint="Restore it first.")
    _check_free(turn.state, this.portfolio_id)
    _check(turn, this, this.trades)


def _check_free(state: State, portfolio_id: str) -> None:
    if portfolio_id in state.rebalances.running:
        raise Conflict("a rebalance of this portfolio is under way", hint="Wait until it has ended.")


def _again(turn: Turn, known: Underway, command: RebalancePortfolio) -> Outcome:
    this, state = known.rebalance, turn.state
    if this.asked != command.rebalance.asked:
        raise IdempotencyConflict(
            f"{this.name!r} already names another rebalance of this portfolio",
            hint="Send the same body again, or choose a new client_rebalance_id.",
        )
    if not command.retry or known.ended is None or known.ended.success:
        return Outcome(this.id, created=False)
    _check_free(state, this.portfolio_id)
    left = tuple(_left(state, known, place) for place in range(len(known.trades)))
    trades = tuple(one for one in left if one is not None)
    _check(turn, this, trades)
    record = RebalanceStarted(
        at=turn.at,
        rebalance=replace(this, trades=trades),
        provenance=command.provenance,
        attempt=known.attempt + 1,
    )
    turn.emit(record)
    _advance(turn, known)
    return Outcome(this.id, created=False)


def _left(state: State, known: Underway, number: int) -> PlannedTrade | None:
    """What has not been filled of a trade, from what is held now."""
    trade, placed = known.trades[number], known.placed(state, number)
    filled = ZERO if placed is None else placed.filled
    left = sub(abs(trade.quantity), filled)
    if left <= 0:
        return None
    held = _held(state, known.rebalance.portfolio_id, trade)
    return replace(trade, quantity=left if trade.quantity > 0 else neg(left), held=held)


def _held(state: State, portfolio_id: str, trade: PlannedTrade) -> Decimal:
    return state.position(PositionKey(trade.account_id, portfolio_id, trade.instrument_id)).quantity


def _check(turn: Turn, this: Rebalance, trades: tuple[PlannedTrade, ...]) -> None:
    if len(trades) > MOST_TRADES:
        raise InvalidInput("the rebalance is too large", errors=(FieldError("trades", f"at most {MOST_TRADES}"),))
    state, portfolio_id = turn.state, this.portfolio_id
    faults, keys = list[FieldError](), {(one.account_id, one.instrument_id) for one in trades}
    if len(keys) < len(trades):
        faults.append(FieldError("trades", "each instrument once in an account"))
    for number, trade in enumerate(trades):
        account = state.account(trade.account_id)
        if not trade.quantity:
            faults.append(FieldError(f"trades.{number}.quantity", "not zero"))
        try:
            _check_terms(turn, this, trade, name=f"{this.id}:r0:{number}")
        except InvalidInput as error:
            faults += [FieldError(f"trades.{number}.{one.field}", one.message) for one in error.errors]
            continue
        symbol = state.instruments[trade.instrument_id].symbol
        if _held(state, portfolio_id, trade) != trade.held:
            raise Conflict(f"what is held of {symbol} is not what the plan was made for", hint="Plan again.")
        if trade.instrument_id in busy(state, account, portfolio_id):
            raise Conflict(
                f"an order of the portfolio over {symbol} works", hint="Cancel it, or wait; then plan again."
            )
    if faults:
        raise InvalidInput("the rebalance is not valid", errors=tuple(faults))


def _check_terms(turn: Turn, this: Rebalance, trade: PlannedTrade, *, name: str) -> None:
    spec, how = spec_of(this.portfolio_id, trade, name=name), this.execution or _WHOLE
    check_spec(turn.state, spec)
    if how.is_sliced:
        composites.check(turn.state, Slices(spec, how.pace(trade.instrument_id, at=turn.at)))


def busy(state: State, account: AccountState, book: str) -> set[str]:
    """The instruments over which an order of the book works in the account, or a composite one that places such."""
    found = {order.spec.instrument_id for order in account.open_orders() if order.spec.book == book}
    for one in state.composites.values():
        if (one.account_id, one.book) == (account.account.id, book):
            found.add(one.lead.instrument_id)
    return found


def spec_of(portfolio_id: str, trade: PlannedTrade, *, name: str) -> OrderSpec:
    """The order of a trade: at the market, in the portfolio's own book."""
    return OrderSpec(
        account_id=trade.account_id,
        book=portfolio_id,
        instrument_id=trade.instrument_id,
        side=trade.side,
        quantity=abs(trade.quantity),
        kind=OrderKind.MARKET,
        client_order_id=name,
    )


def follow(turn: Turn) -> None:
    """Goes on with the rebalances whose orders the turn's records concern."""
    state, moved = turn.state, set[str]()
    for record in turn.records:
        if isinstance(record, FillBooked):
            moved.add(record.fill.book)
        elif isinstance(record, OrderMoved):
            moved.add(state.orders[record.order_id].spec.book)
        elif isinstance(record, CompositeEnded):
            moved.add(state.composites.ended[record.id].book)
        elif isinstance(record, AccountReconciled):
            books = {book for account_id, book in state.owners if account_id == record.account_id}
            moved |= books & state.rebalances.running.keys()
    for book in moved:
        running = state.rebalances.running.get(book)
        if running is not None:
            _advance(turn, running, waits=True)


def _advance(turn: Turn, this: Underway, *, waits: bool = False) -> None:
    """Places what may go now: all sales, and the purchases of accounts whose sales have ended, or, of sliced ones, that
    have the cash for them. What comes later `waits` for an account that is not reconciled, as after a start."""
    state, accounts = turn.state, dict.fromkeys(trade.account_id for trade in this.trades)
    _place(turn, this, [number for number, trade in enumerate(this.trades) if trade.side is Side.SELL])
    for account_id in accounts:
        own = [number for number, trade in enumerate(this.trades) if trade.account_id == account_id]
        sales = [number for number in own if this.trades[number].side is Side.SELL]
        purchases = [number for number in own if number not in sales]
        if waits and state.accounts[account_id].readiness is Readiness.NOT_READY:
            continue
        if not any(_works(state, this, number) for number in sales) or _are_paid(state, this, purchases):
            _place(turn, this, purchases)
    if not any(_works(state, this, number) for number in range(len(this.trades))):
        _end(turn, this)


def _works(state: State, this: Underway, number: int) -> bool:
    placed = this.placed(state, number)
    return placed is None or placed.is_open


def _are_paid(state: State, this: Underway, purchases: list[int]) -> bool:
    """Whether sliced purchases of an account need not wait for its sales: there is the cash for all of them."""
    if not purchases or not (this.rebalance.execution or _WHOLE).is_sliced:
        return False
    needed = this.rebalance.cost
    for number in purchases:
        trade = this.trades[number]
        price = state.mark(trade.instrument_id) or trade.price
        needed = add(needed, mul(state.notional(trade.instrument_id, trade.quantity, price), MARKET_BUFFER))
    account = state.accounts[this.trades[purchases[0]].account_id]
    cash = cash_of(account, this.rebalance.portfolio_id)
    if account.limits.cash_check:
        cash = min(cash, sub(account.cash_in(account.account.currency), reserved_cash(state, account)))
    return cash >= needed


def _place(turn: Turn, this: Underway, numbers: list[int]) -> None:
    provenance, how = replace(this.provenance, cause_id=this.rebalance.id), this.rebalance.execution or _WHOLE
    for number in numbers:
        if this.placed(turn.state, number) is not None:
            continue
        trade = this.trades[number]
        spec = spec_of(this.rebalance.portfolio_id, trade, name=this.name(number))
        if how.is_sliced:
            terms = Slices(spec, how.pace(trade.instrument_id, at=turn.at))
            command = SubmitComposite(terms=terms, client_order_id=this.name(number), provenance=provenance)
            composite_id = following.begin(turn, command)
            if composite_id in turn.state.composites:
                following.due(turn, composite_id)
        else:
            place(turn, turn.state.accounts[trade.account_id], spec, provenance)


def _end(turn: Turn, this: Underway) -> None:
    state, portfolio_id = turn.state, this.rebalance.portfolio_id
    reasons = tuple(
        reason for number in range(len(this.trades)) if (reason := _why_less(state, this, number)) is not None
    )
    turn.emit(
        RebalanceEnded(
            at=turn.at,
            id=this.rebalance.id,
            portfolio_id=portfolio_id,
            after=weights_of(state, portfolio_id),
            traded=this.traded,
            cost=this.cost,
            success=not reasons,
            reasons=reasons,
        )
    )
    if reasons:
        name = state.portfolios[portfolio_id].portfolio.name
        message = f"The rebalance {this.rebalance.name} of portfolio {name} is incomplete: {reasons[0]}"
        turn.alert("warning", "rebalance-incomplete", message)


def _why_less(state: State, this: Underway, number: int) -> str | None:
    """What kept a trade from being filled in full; None where nothing did."""
    trade, placed = this.trades[number], this.placed(state, number)
    assert placed is not None
    if placed.filled >= abs(trade.quantity):
        return None
    symbol, account = state.instruments[trade.instrument_id].symbol, state.accounts[trade.account_id].account.name
    what = f"{trade.side} {plain(abs(trade.quantity))} {symbol} in {account}"
    why = placed.state if placed.reason is None else f"{placed.state}: {placed.reason}"
    return f"{what}: {plain(placed.filled)} filled, {why}"


def weights_of(state: State, portfolio_id: str) -> dict[str, Decimal]:
    """What the portfolio's own book holds, in all accounts together, as shares of its worth, by instrument."""
    books = [(account_id, portfolio_id) for account_id in state.portfolios[portfolio_id].portfolio.account_ids]
    whole = total([worth_of_book(state, state.accounts[account_id], book).value for account_id, book in books])
    if whole <= 0:
        return {}
    return {name: rounded(ratio(value, whole), _SHARE) for name, value in holdings_of(state, books).items()}
