"""People and their accounts for scripts: what `evenkeel.AccountManager` does, over the rooms that the doors use.

Answers are plain dictionaries with the column names of the tables, amounts as decimals.
"""

import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.consolidated import merged, together
from evenkeel.desk.ports import User
from evenkeel.desk.users import People
from evenkeel.domain.accounts import Account, AccountType, LedgerKind, Limits
from evenkeel.domain.commands import AnyCommand, MoveCash, OpenAccount
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.money import CURRENCIES, neg
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import AccountState, State

ACTOR = "library"
Amount = Decimal | int | str
Row = dict[str, Any]


class Desk(Protocol):
    """The runner, as far as it is needed here."""

    @property
    def state(self) -> State: ...

    async def submit(self, command: AnyCommand) -> Outcome: ...


class Manager:
    """Makes people and accounts of one home, and reads what they hold. Everything goes through the journal."""

    def __init__(
        self,
        desk: Desk,
        people: People,
        directory: AccountDirectory,
        *,
        limits: Limits,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._desk, self._people, self._directory, self._limits, self._wall = desk, people, directory, limits, wall

    @property
    def state(self) -> State:
        return self._desk.state

    async def create_user(
        self,
        username: str,
        password: str | None = None,
        *,
        email: str | None = None,
        full_name: str | None = None,
        role: str = "trader",
    ) -> Row:
        """A new person; without a password, one who has to set it by a link. Raises InvalidInput, Conflict."""
        return _user(await self._people.create(username, password, role=role, email=email, full_name=full_name))

    async def user(self, wanted: str) -> User:
        """A person by id or user name. Raises NotFound."""
        found = await self._people.users.by_id(wanted) or await self._people.users.by_name(wanted)
        if found is None:
            raise NotFound(f"there is no user {wanted!r}")
        return found

    async def create_account(
        self,
        user: str,
        account_name: str,
        *,
        broker: str = "simulated",
        account_type: str = "cash",
        account_number: str = "",
        initial_balance: Amount = 0,
        currency: str = "USD",
    ) -> Row:
        """Opens a paper account with a first deposit. Raises NotFound, InvalidInput, Conflict, Forbidden."""
        owner, faults, now = await self.user(user), list[FieldError](), self._wall()
        if account_type not in tuple(AccountType):
            faults.append(FieldError("account_type", f"one of {', '.join(AccountType)}, not {account_type!r}"))
        if currency not in CURRENCIES:
            faults.append(FieldError("currency", f"no currency is called {currency}; USD, EUR, INR and BTC are some"))
        cash = amount_of("initial_balance", initial_balance, faults)
        if faults:
            raise InvalidInput("the account cannot be opened", errors=tuple(faults))
        account = Account(
            id=Random().public(now, 0, "account"),
            user_id=owner.id,
            name=account_name,
            broker=broker,
            currency=currency,
            type=AccountType(account_type),
            limits=self._limits,
        )
        await self._desk.submit(OpenAccount(account=account, initial_cash=cash, provenance=self._provenance(owner)))
        if account_number:
            await self._directory.describe(account.id, owner.id, number=account_number)
        return self._account(self.state.account(account.id))

    async def get_user_accounts(self, user: str) -> list[Row]:
        """A person's accounts, in the order they were opened. Raises NotFound."""
        owner = await self.user(user)
        held = (one for one in self.state.accounts.values() if one.account.user_id == owner.id)
        return [self._account(one) for one in held]

    async def move_cash(self, account: str, amount: Amount, *, kind: str = "deposit", note: str = "") -> Row:
        """Books a deposit, withdrawal, dividend, interest or fee by hand. `amount` is above zero for what comes in and
        for what a withdrawal or a fee takes out. Raises NotFound, InvalidInput, Conflict."""
        held, faults = self.account(account), list[FieldError]()
        value = amount_of("amount", amount, faults)
        if kind not in KINDS:
            faults.append(FieldError("kind", f"one of {', '.join(KINDS)}, not {kind!r}"))
        if faults:
            raise InvalidInput("the payment cannot be booked", errors=tuple(faults))
        owner = await self.user(held.account.user_id)
        command = MoveCash(
            account_id=held.account.id,
            amount=neg(value) if kind in OUT else value,
            kind=LedgerKind(kind),
            component=note,
            provenance=self._provenance(owner),
        )
        await self._desk.submit(command)
        return self._account(held)

    def account(self, wanted: str) -> AccountState:
        """An account by id or name. Raises NotFound, and InvalidInput for a name that several people's have."""
        known = self.state.accounts.get(wanted)
        named = [one for one in self.state.accounts.values() if one.account.name == wanted]
        found = known or next(iter(named), None)
        if found is None:
            raise NotFound(f"there is no account {wanted!r}")
        if known is None and len(named) > 1:
            ids = ", ".join(one.account.id for one in named)
            raise InvalidInput(f"several people have an account {wanted!r}", hint=f"Give the id: {ids}.")
        return found

    async def consolidated(self, user: str, currency: str | None = None) -> Row:
        """A person's accounts as one, in one currency: `total_value`, `cash`, `positions` by instrument, and what no
        exchange rate leads to as `left_out`. Without a desk there are no prices: what has none is valued at cost."""
        owner = await self.user(user)
        mine = [one for one in self.state.accounts.values() if one.account.user_id == owner.id]
        base = currency or self._directory.currency(owner.id, mine)
        rows, whole = together(self.state, mine, base)
        return {
            "currency": base,
            "total_value": whole.figures.equity,
            "cash": whole.figures.cash,
            "num_accounts": whole.figures.accounts,
            "total_positions": whole.figures.positions,
            "left_out": list(whole.left_out),
            "positions": [self._position(one.instrument_id, one.whole) for one in merged(self.state, rows)],
        }

    def _position(self, instrument_id: str, part: Any) -> Row:
        instrument = self.state.instruments[instrument_id]
        return {
            "symbol": instrument.symbol,
            "currency": instrument.currency,
            "asset_class": instrument.asset_class.value,
            "quantity": part.quantity,
            "total_cost": part.total_cost,
            "market_value": part.value,
            "unrealized_pnl": part.unrealised,
        }

    def _account(self, held: AccountState) -> Row:
        this = held.account
        return {
            "id": this.id,
            "user_id": this.user_id,
            "account_name": this.name,
            "broker": this.broker,
            "account_number": self._directory.details(this.id, this.user_id).number,
            "account_type": this.type.value,
            "currency": this.currency,
            "initial_balance": held.contributed,
            "current_balance": held.cash_in(this.currency),
            "equity": self.state.equity(held),
            "is_paper": this.is_simulated,
            "is_active": not held.retired,
        }

    def _provenance(self, owner: User) -> Provenance:
        return Provenance(actor=owner.id, source=Source.USER, cause_id=ACTOR, received=self._wall())


OUT = frozenset({LedgerKind.WITHDRAWAL, LedgerKind.FEE})
KINDS = ("deposit", "withdrawal", "dividend", "interest", "fee")


def amount_of(field: str, given: Amount, faults: list[FieldError]) -> Decimal:
    """An exact amount; a float is a fault, since it is not what was meant to the last digit."""
    try:
        value = Decimal(given) if not isinstance(given, float) else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or value < 0:
        faults.append(FieldError(field, f"a Decimal, a whole number or a text such as '1000.50', not {given!r}"))
        return Decimal(0)
    return value


def _user(user: User) -> Row:
    names = ("id", "username", "email", "full_name", "role", "is_active")
    return {name: getattr(user, name) for name in names}
