"""One person's accounts as one: positions by instrument, cash and equity by currency, and totals in one currency.

Amounts of two currencies are never added up. Totals are converted once, from exact sums by currency, with recorded
rates; what no rate leads to is left out and named.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import Struct, field

from evenkeel.domain.clock import from_ns
from evenkeel.domain.fx import MOST_DAYS, Conversion, Rates
from evenkeel.domain.money import ZERO, add, mul, sub
from evenkeel.domain.positions import Position
from evenkeel.trading.engine.state import AccountState, State


class Figures(Struct):
    """Exact sums in one currency. `long` and `short` are market values without sign; `realised` is net of charges;
    `day_pnl` is None where it is not known."""

    cash: Decimal = ZERO
    equity: Decimal = ZERO
    long: Decimal = ZERO
    short: Decimal = ZERO
    day_pnl: Decimal | None = ZERO
    realised: Decimal = ZERO
    unrealised: Decimal = ZERO
    contributed: Decimal = ZERO
    accounts: int = 0
    positions: int = 0

    @property
    def gross(self) -> Decimal:
        return add(self.long, self.short)

    @property
    def net(self) -> Decimal:
        return sub(self.long, self.short)

    def take(self, more: "Figures") -> None:
        """Adds figures of the same currency."""
        for name in FIGURES:
            mine, theirs = getattr(self, name), getattr(more, name)
            setattr(self, name, None if mine is None or theirs is None else add(mine, theirs))
        self.accounts += more.accounts
        self.positions += more.positions


FIGURES = ("cash", "equity", "long", "short", "day_pnl", "realised", "unrealised", "contributed")


class Part(Struct, gc=False):
    """What one account holds of an instrument, all its books together."""

    account_id: str
    quantity: Decimal = ZERO
    total_cost: Decimal = ZERO
    value: Decimal = ZERO
    unrealised: Decimal = ZERO
    realised: Decimal = ZERO

    def take(self, position: Position, *, value: Decimal, realised: Decimal) -> None:
        """Adds a position of another book or product."""
        self.quantity = add(self.quantity, position.quantity)
        self.total_cost = add(self.total_cost, position.total_cost)
        self.value = add(self.value, value)
        self.unrealised = add(self.unrealised, sub(value, position.total_cost))
        self.realised = add(self.realised, realised)


class Merged(Struct):
    """What all accounts hold of an instrument, in its currency; `price` is the last one, None where there is none."""

    instrument_id: str
    currency: str
    price: Decimal | None
    parts: list[Part] = field(default_factory=list)

    @property
    def whole(self) -> Part:
        """All parts together, of no account."""
        if len(self.parts) == 1:
            return self.parts[0]
        sums = Part("")
        for part in self.parts:
            for name in ("quantity", "total_cost", "value", "unrealised", "realised"):
                setattr(sums, name, add(getattr(sums, name), getattr(part, name)))
        return sums


class Whole(Struct):
    """Figures converted to `currency` and added up, of the `sums` by currency. `left_out`: currencies with no rate;
    `stale`: with an old one."""

    currency: str
    figures: Figures
    sums: Mapping[str, Figures]
    ways: dict[str, Conversion | None]
    left_out: tuple[str, ...]
    stale: tuple[str, ...]


class Account(NamedTuple):
    """One account read once: its figures, in its currency, and what it holds by instrument."""

    held: AccountState
    figures: Figures
    parts: dict[str, Part]


def read(state: State, held: AccountState) -> Account:
    """Reads an account at the last prices."""
    account_id, parts, realised = held.account.id, dict[str, Part](), ZERO
    value_of = _prices(state, held)
    for key, position in held.positions.items():
        made = sub(position.realised, position.charges)
        realised = add(realised, made)
        if position.quantity:
            value = value_of(position)
            part = parts.get(key.instrument_id)
            if part is None:
                unrealised = sub(value, position.total_cost)
                parts[key.instrument_id] = Part(
                    account_id, position.quantity, position.total_cost, value, unrealised, made
                )
            else:
                part.take(position, value=value, realised=made)
    return Account(held, _figures(held, parts, realised=realised), parts)


def _figures(held: AccountState, parts: dict[str, Part], *, realised: Decimal) -> Figures:
    long = short = unrealised = ZERO
    for part in parts.values():
        unrealised = add(unrealised, part.unrealised)
        if part.value >= 0:
            long = add(long, part.value)
        else:
            short = sub(short, part.value)
    cash = held.cash_in(held.account.currency)
    equity = add(cash, sub(long, short))
    return Figures(
        cash=cash,
        equity=equity,
        long=long,
        short=short,
        day_pnl=sub(equity, held.day_start_equity),
        realised=realised,
        unrealised=unrealised,
        contributed=held.contributed,
        accounts=1,
        positions=sum(1 for part in parts.values() if part.quantity),
    )


def _prices(state: State, held: AccountState) -> Callable[[Position], Decimal]:
    """What a position of the account is worth; one look-up of its price an instrument."""
    known: dict[str, Decimal] = {}
    instruments, marks = state.instruments, state.marks

    def value_of(position: Position) -> Decimal:
        name = position.key.instrument_id
        each = known.get(name)
        if each is None:
            each = mul(state.price_of(position), instruments[name].multiplier)
            if name in marks:  # else what the very position cost stands in for a price
                known[name] = each
        return mul(position.quantity, each)

    return value_of


def merged(state: State, accounts: Iterable[Account]) -> list[Merged]:
    """The open positions of the accounts by instrument, each with the accounts that hold it."""
    found: dict[str, Merged] = {}
    for account in accounts:
        for instrument_id, part in account.parts.items():
            whole = found.get(instrument_id)
            if whole is None:
                currency = state.instruments[instrument_id].currency
                whole = found[instrument_id] = Merged(instrument_id, currency, state.mark(instrument_id))
            whole.parts.append(part)
    return list(found.values())


def by_currency(each: Iterable[tuple[str, Figures]]) -> dict[str, Figures]:
    """Figures added up by currency."""
    found: dict[str, Figures] = {}
    for currency, figures in each:
        found.setdefault(currency, Figures()).take(figures)
    return dict(sorted(found.items()))


def in_currency(sums: Mapping[str, Figures], currency: str, *, rates: Rates, today: date) -> Whole:
    """The sums of every currency in one, as far as recorded rates lead there."""
    ways = {name: rates.conversion(name, currency) for name in sums}
    whole = Figures()
    for name, figures in sums.items():
        way = ways[name]
        if way is not None:
            turned: dict[str, Any] = {}
            for figure in FIGURES:
                known = getattr(figures, figure)
                turned[figure] = None if known is None else way.of(known, currency)
            whole.take(Figures(**turned, accounts=figures.accounts, positions=figures.positions))
    return Whole(
        currency,
        whole,
        sums,
        ways,
        tuple(name for name, way in ways.items() if way is None),
        tuple(name for name, way in ways.items() if way is not None and is_stale(way, today)),
    )


def together(state: State, accounts: Iterable[AccountState], currency: str) -> tuple[list[Account], Whole]:
    """Accounts at the last prices, and all of them in one currency as of today."""
    rows = [read(state, held) for held in accounts]
    sums = by_currency((one.held.account.currency, one.figures) for one in rows)
    return rows, in_currency(sums, currency, rates=state.rates, today=today_of(state))


def today_of(state: State) -> date:
    """The day of engine time, which ages are counted to."""
    return from_ns(state.time).date()


def is_stale(way: Conversion, today: date) -> bool:
    """Whether a rate is too old to be taken for today's."""
    return way.age(today) > MOST_DAYS
