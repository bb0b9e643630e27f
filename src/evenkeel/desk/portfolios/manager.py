"""Portfolios for scripts: the portfolio half of `evenkeel.AccountManager`.

Answers are plain dictionaries with the column names of the tables, amounts as decimals. Purchases and sales are orders,
which a running desk takes; cash that comes in, goes out, is earned, charged or moved is recorded here.
"""

import time
from collections.abc import Callable, Iterable
from decimal import Decimal

from evenkeel.desk.manager import ACTOR, KINDS, OUT, Amount, Desk, Manager, Row, amount_of
from evenkeel.desk.portfolios.together import Totals, totals
from evenkeel.domain.accounts import MANUAL, LedgerKind
from evenkeel.domain.commands import CreatePortfolio, MoveCash, TransferCash
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.limits import RuleSet
from evenkeel.domain.money import ONE, ZERO, add, neg, ratio, rounded
from evenkeel.domain.portfolios import Place, Portfolio
from evenkeel.domain.positions import Position
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine.portfolios.standing import PortfolioState
from evenkeel.trading.engine.portfolios.worth import worth_of
from evenkeel.trading.engine.state import State

_STEP = Decimal("0.00000001")


class PortfolioManager:
    """Makes portfolios and reads what they hold. Everything goes through the journal."""

    def __init__(self, desk: Desk, manager: Manager, *, wall: Callable[[], int] = time.time_ns) -> None:
        self._desk, self._manager, self._wall = desk, manager, wall

    @property
    def state(self) -> State:
        return self._desk.state

    async def create(
        self,
        account: str,
        portfolio_name: str,
        *,
        strategy: str = "",
        risk_tolerance: Amount = "0.5",
        max_position_size: Amount | None = None,
        initial_cash: Amount = 0,
    ) -> Row:
        """A portfolio in an account, with cash from it. Raises NotFound, InvalidInput."""
        held, faults, now = self._manager.account(account), list[FieldError](), self._wall()
        tolerance = amount_of("risk_tolerance", risk_tolerance, faults)
        largest = None if max_position_size is None else amount_of("max_position_size", max_position_size, faults)
        cash = amount_of("initial_cash", initial_cash, faults)
        if faults:
            raise InvalidInput("the portfolio cannot be made", errors=tuple(faults))
        made = Portfolio(
            id=Random().public(now, 0, "portfolio"),
            user_id=held.account.user_id,
            name=portfolio_name,
            currency=held.account.currency,
            account_ids=(held.account.id,),
            strategy=strategy,
            risk_tolerance=tolerance,
        )
        rules = RuleSet(max_position_share=largest, max_gross_leverage=ONE)
        provenance = self._provenance(made.user_id)
        await self._desk.submit(CreatePortfolio(portfolio=made, rules=rules, cash=cash, provenance=provenance))
        return self._row(self.state.portfolio(made.id))

    def of_account(self, account: str) -> list[Row]:
        """The portfolios that trade an account. Raises NotFound."""
        wanted = self._manager.account(account).account.id
        return [self._row(held) for held in self._used() if wanted in held.portfolio.account_ids]

    async def of_user(self, user: str) -> list[Row]:
        """A person's portfolios. Raises NotFound."""
        owner = await self._manager.user(user)
        return [self._row(held) for held in self._used() if held.portfolio.user_id == owner.id]

    def _used(self) -> Iterable[PortfolioState]:
        return (held for held in self.state.portfolios.values() if not held.portfolio.archived)

    def positions(self, portfolio: str) -> list[Row]:
        """What a portfolio holds; `weight` is the share of what it is worth. Raises NotFound."""
        held = self.portfolio(portfolio)
        whole = worth_of(self.state, held).value
        return [
            self._position(position, whole)
            for account_id, book in held.books
            for position in self.state.accounts[account_id].positions.in_book(book)
            if position.quantity
        ]

    def _position(self, position: Position, whole: Decimal) -> Row:
        state, instrument = self.state, self.state.instruments[position.key.instrument_id]
        value, cost = state.value_of(position), position.average_price or ZERO
        return {
            "account_id": position.key.account_id,
            "symbol": instrument.symbol,
            "asset_class": instrument.asset_class.value,
            "quantity": position.quantity,
            "avg_cost": rounded(ratio(cost, instrument.multiplier), _STEP),
            "current_price": state.price_of(position),
            "market_value": value,
            "unrealized_pnl": state.unrealised(position),
            "weight": rounded(ratio(value, whole), _STEP) if whole else ZERO,
        }

    def aggregate(self, portfolios: Iterable[str], *, currency: str | None = None) -> Row:
        """`total_value`, `num_portfolios` and `total_positions` of several, in one currency. Raises NotFound."""
        named = {held.portfolio.id: held for held in map(self.portfolio, portfolios)}
        return self._summed(list(named.values()), currency)

    async def aggregate_user(self, user: str, *, currency: str | None = None) -> Row:
        """The same of all a person has. Raises NotFound."""
        owner = await self._manager.user(user)
        return self._summed([held for held in self._used() if held.portfolio.user_id == owner.id], currency)

    def _summed(self, held: list[PortfolioState], currency: str | None) -> Row:
        found = totals(self.state, held)
        base = currency or (found[0].currency if found else "USD")
        whole, left_out = Totals(base), list[str]()
        for one in found:
            way = self.state.rates.conversion(one.currency, base)
            if way is None:
                left_out.append(one.currency)
                continue
            whole.total_value = add(whole.total_value, way.of(one.total_value, base))
            whole.num_portfolios += one.num_portfolios
            whole.total_positions += one.total_positions
        return {
            "currency": base,
            "total_value": whole.total_value,
            "num_portfolios": whole.num_portfolios,
            "total_positions": whole.total_positions,
            "left_out": left_out,
        }

    async def record(
        self, portfolio: str, transaction_type: str, amount: Amount, *, account: str | None = None, note: str = ""
    ) -> Row:
        """Books a deposit, withdrawal, dividend, interest or fee. Raises NotFound, InvalidInput."""
        held, faults = self.portfolio(portfolio), list[FieldError]()
        value = amount_of("amount", amount, faults)
        if transaction_type not in KINDS:
            message = f"one of {', '.join(KINDS)}, not {transaction_type!r}; what is bought and sold are orders"
            faults.append(FieldError("transaction_type", message))
        if account is None and len(held.portfolio.account_ids) > 1:
            faults.append(FieldError("account", f"it trades {len(held.portfolio.account_ids)} accounts: say which"))
        if faults:
            raise InvalidInput("the transaction cannot be recorded", errors=tuple(faults))
        kind = LedgerKind(transaction_type)
        command = MoveCash(
            account_id=held.portfolio.account_ids[0] if account is None else self._manager.account(account).account.id,
            book=held.portfolio.id,
            amount=neg(value) if kind in OUT else value,
            kind=kind,
            component=note,
            provenance=self._provenance(held.portfolio.user_id),
        )
        await self._desk.submit(command)
        return self._row(held)

    async def transfer(self, account: str, amount: Amount, *, source: str, target: str, note: str = "") -> None:
        """Moves cash within an account from one portfolio to another; `manual` is what the account holds beside them.
        Raises NotFound, InvalidInput."""
        held, faults = self._manager.account(account), list[FieldError]()
        value = amount_of("amount", amount, faults)
        if faults:
            raise InvalidInput("the transfer is not valid", errors=tuple(faults))
        books = [one if one == MANUAL else self.portfolio(one).portfolio.id for one in (source, target)]
        command = TransferCash(
            source=Place(held.account.id, books[0]),
            target=Place(held.account.id, books[1]),
            amount=value,
            note=note,
            provenance=self._provenance(held.account.user_id),
        )
        await self._desk.submit(command)

    def portfolio(self, wanted: str) -> PortfolioState:
        """A portfolio by id or name. Raises NotFound, and Conflict for a name that several people have given."""
        known = self.state.portfolios.get(wanted)
        named = [one for one in self.state.portfolios.values() if one.portfolio.name == wanted]
        if known is None and not named:
            raise NotFound(f"there is no portfolio {wanted!r}")
        if known is None and len(named) > 1:
            raise Conflict(f"{len(named)} people have a portfolio {wanted!r}", hint="Name it by its id.")
        return known or named[0]

    def _row(self, held: PortfolioState) -> Row:
        this, worth = held.portfolio, worth_of(self.state, held)
        layer = self.state.layers.get(f"portfolio:{this.id}")
        return {
            "id": this.id,
            "user_id": this.user_id,
            "account_ids": list(this.account_ids),
            "portfolio_name": this.name,
            "strategy": this.strategy,
            "currency": this.currency,
            "risk_tolerance": this.risk_tolerance,
            "max_position_size": None if layer is None else layer.rules.max_position_share,
            "is_active": not this.archived,
            "total_value": worth.value,
            "cash_value": worth.cash,
            "positions_value": worth.positions_value,
            "num_positions": worth.positions,
        }

    def _provenance(self, user_id: str) -> Provenance:
        return Provenance(actor=user_id, source=Source.USER, cause_id=ACTOR, received=self._wall())
