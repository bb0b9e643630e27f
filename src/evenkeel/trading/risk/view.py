"""What risk may see of the world when it judges one order: plain numbers, gathered by the engine."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.accounts import AccountType, Limits, Readiness
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, add, neg, sub
from evenkeel.domain.orders import OrderSpec


class RiskView(Struct, frozen=True, kw_only=True, gc=False):
    """One order and its account. Every rule reads the whole account, all books together.

    `price` is what the order is judged at (limit, stop, or last); None when nothing has been quoted.
    `held` is the account's signed position; `working_buys` and `working_sells` the unsigned quantities already
    on their way in this instrument; `reserved` the cash that working buys of all instruments may still use.
    `in_doubt` is an order of this instrument whose fate is unknown. `halted` says by what trading is halted, empty
    where it is not; even then what `reduces` may pass, if `may_reduce`. `waiting` orders have not been heard of by the
    venue yet, of which `most_waiting` may be there; None: any number. `charges` is the estimate of its own costs;
    they, and `equity`, are zero where no limit in force reads them.
    """

    spec: OrderSpec
    quantity: Decimal
    instrument: Instrument
    limits: Limits
    account_type: AccountType
    account_currency: str
    readiness: Readiness
    readiness_reason: str | None
    in_doubt: str | None = None
    halted: str = ""
    may_reduce: bool = True
    waiting: int = 0
    most_waiting: int | None = None
    price: Decimal | None
    held: Decimal
    working_buys: Decimal
    working_sells: Decimal
    cash: Decimal
    reserved: Decimal
    charges: Decimal
    equity: Decimal
    day_start_equity: Decimal
    trades_today: int

    @property
    def signed(self) -> Decimal:
        return self.quantity if self.spec.side.sign > 0 else neg(self.quantity)

    @property
    def reduces(self) -> bool:
        """True when the order only closes what is held and not already being closed."""
        if not self.held or (self.held > 0) == (self.spec.side.sign > 0):
            return False
        if self.held > 0:
            return self.quantity <= sub(self.held, self.working_sells)
        return self.quantity <= sub(neg(self.held), self.working_buys)

    @property
    def worst_position(self) -> Decimal:
        """The largest unsigned position this can lead to: working orders of its side fill, the others do not."""
        if self.signed > 0:
            after = add(add(self.held, self.working_buys), self.quantity)
        else:
            after = sub(sub(self.held, self.working_sells), self.quantity)
        return max(ZERO, after if self.signed > 0 else neg(after))
