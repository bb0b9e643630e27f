"""What a `Strategy` acts through: it records wishes and shows what the strategy may know.

A context holds no engine, broker or clock. `now` is the moment of the event being handled. Orders get ids
derived from the deployment, that moment and their number in it, so that events handed over again ask for the
same orders, not for more.
"""

from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from typing import TypedDict, Unpack

from msgspec import Struct

from evenkeel.domain.composites import Bracket
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.marketdata import Quote
from evenkeel.domain.money import ZERO, add
from evenkeel.domain.orders import OrderKind, OrderSpec, Product, Side, TimeInForce, Trail, Trigger
from evenkeel.domain.strategies import Deployment
from evenkeel.market.bars import Bars
from evenkeel.trading.strategies.parameters import Params

_LONGEST_ID = 36


class Cancel(Struct, frozen=True):
    """The wish to cancel the order that carries this client order id."""

    client_order_id: str


class How(TypedDict, total=False):
    """How to trade; what is left out has no say. Moments are ns UTC."""

    account_id: str | None
    limit: Decimal | None
    stop: Decimal | None
    trail: Trail | None
    trigger: Decimal | None
    time_in_force: TimeInForce
    expires_at: int
    not_before: int
    product: Product
    reduce_only: bool | None


Wish = OrderSpec | Bracket | Cancel
History = Callable[[str, int, str | None], Bars | None]
"""The last bars of an instrument, so many, of the deployment's timeframe or of a higher one."""


class Context:
    """One deployment's view and voice. Quantities and prices are raw: lots and ticks of the instrument."""

    def __init__(self, deployment: Deployment, params: Params, *, history: History) -> None:
        self.parameters = params
        self.instrument_ids = deployment.instrument_ids
        self.account_ids = tuple(allocation.account_id for allocation in deployment.accounts)
        self.now = 0
        self.timers: dict[str, int] = {}
        self._deployment_id = deployment.id
        self._prefix = _short(deployment.id)
        self._history = history
        self.wishes: list[Wish] = []
        self._numbered = (0, 0)
        self._positions: dict[tuple[str, str], Decimal] = {}
        self.shown: dict[str, Quote] = {}
        """The last quote of each instrument. For the host."""

    def bars(self, count: int, instrument_id: str | None = None, *, timeframe: str | None = None) -> Bars:
        """The last `count` bars or as many as there are, adjusted as known now.

        With a higher timeframe, which the strategy declares in `timeframes`: its finished bars only. Raises NotFound
        before the first, and InvalidInput for a timeframe that is not higher.
        """
        name = self._instrument(instrument_id)
        bars = self._history(name, count, timeframe)
        if bars is None:
            raise NotFound(f"no {'finished ' if timeframe else ''}bar of {name} has been seen yet")
        return bars

    def quote(self, instrument_id: str | None = None) -> Quote | None:
        """The last quote seen, if any."""
        return self.shown.get(self._instrument(instrument_id))

    def position(self, instrument_id: str | None = None, account_id: str | None = None) -> Decimal:
        """The signed quantity this deployment holds, in one account or, without `account_id`, in all
        together.
        """
        name = self._instrument(instrument_id)
        held = ZERO
        for (account, instrument), quantity in self._positions.items():
            if instrument == name and account_id in (None, account):
                held = add(held, quantity)
        return held

    def buy(self, quantity: Decimal | int, instrument_id: str | None = None, **how: Unpack[How]) -> str:
        """Asks to buy and returns the client order id. See `submit`."""
        return self.submit(Side.BUY, quantity, instrument_id=instrument_id, **how)

    def sell(self, quantity: Decimal | int, instrument_id: str | None = None, **how: Unpack[How]) -> str:
        """Asks to sell and returns the client order id. See `submit`."""
        return self.submit(Side.SELL, quantity, instrument_id=instrument_id, **how)

    def submit(
        self, side: Side, quantity: Decimal | int, *, instrument_id: str | None = None, **how: Unpack[How]
    ) -> str:
        """Asks for an order; with a limit, a stop or both it is of that kind, with a trail a trailing stop, else a
        market order. With a `trigger` price it is held until that is reached, with `not_before` (ns) until then; with
        `expires_at` (ns) it is good till then, else for `time_in_force`, which is DAY unless it is given. It closes a
        position at most where it is `reduce_only`, as orders are that wait for a price to close, if that is not said.

        The instrument or account may be left out where the deployment has just one; without an account, each
        of several is asked. Raises InvalidInput for what could never be an order; risk decides on the rest.
        """
        specs = self._specs(side, quantity, instrument_id, how)
        self.wishes += specs
        return specs[0].client_order_id

    def bracket(
        self,
        side: Side,
        quantity: Decimal | int,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        stop_trail: Trail | None = None,
        instrument_id: str | None = None,
        **how: Unpack[How],
    ) -> str:
        """Asks for an order, as `submit` does, with exits for what it will have filled; returns the client order id.

        The engine looks after the exits. Their orders and the entry's reach `on_order` with ids of their own, under
        which each may be cancelled.
        """
        specs = self._specs(side, quantity, instrument_id, how)
        self.wishes += [Bracket(spec, stop_loss, take_profit, stop_trail) for spec in specs]
        return specs[0].client_order_id

    def _specs(self, side: Side, quantity: Decimal | int, instrument_id: str | None, how: How) -> list[OrderSpec]:
        """The same order for each account that is asked, under one client id."""
        size, limit, stop, trail = Decimal(quantity), how.get("limit"), how.get("stop"), how.get("trail")
        trigger, expires_at, account_id = how.get("trigger"), how.get("expires_at", 0), how.get("account_id")
        self._check(size, limit, stop)
        client_order_id = self._next_id()
        return [
            OrderSpec(
                account_id=account,
                book=self._deployment_id,
                instrument_id=self._instrument(instrument_id),
                side=side,
                quantity=size,
                kind=_kind(limit, stop) if trail is None else _following(trail),
                client_order_id=client_order_id,
                limit_price=limit,
                stop_price=stop,
                time_in_force=how.get("time_in_force", TimeInForce.GTD if expires_at else TimeInForce.DAY),
                product=how.get("product", Product.NONE),
                trigger=None if trigger is None else Trigger(trigger),
                trail=trail,
                expires_at=expires_at,
                not_before=how.get("not_before", 0),
                reduce_only=how.get("reduce_only"),
            )
            for account in (self.account_ids if account_id is None else (self._account(account_id),))
        ]

    def cancel(self, client_order_id: str) -> None:
        """Asks to cancel the order(s) placed under that client order id."""
        self.wishes.append(Cancel(client_order_id))

    def set_timer(self, name: str, at: int) -> None:
        """Calls `on_timer(name)` once at `at` (ns UTC) or at the first event after it; replaces the same
        name.
        """
        self.timers[name] = at

    def clear_timer(self, name: str) -> None:
        self.timers.pop(name, None)

    def take_wishes(self) -> list[Wish]:
        """What was asked for since the last call. For the host."""
        wishes = self.wishes.copy()
        self.wishes.clear()
        return wishes

    def set_position(self, account_id: str, instrument_id: str, quantity: Decimal) -> None:
        """For the host: the position as the engine's owner states it."""
        self._positions[account_id, instrument_id] = quantity

    def add_position(self, account_id: str, instrument_id: str, quantity: Decimal) -> None:
        """For the host: a signed execution."""
        key = (account_id, instrument_id)
        self._positions[key] = add(self._positions.get(key, ZERO), quantity)

    def _instrument(self, instrument_id: str | None) -> str:
        if instrument_id is None and len(self.instrument_ids) == 1:
            return self.instrument_ids[0]
        if instrument_id not in self.instrument_ids:
            said = "name an instrument" if instrument_id is None else f"{instrument_id} is not one"
            raise InvalidInput(f"{said} of this deployment: {', '.join(self.instrument_ids)}")
        return instrument_id

    def _account(self, account_id: str) -> str:
        if account_id not in self.account_ids:
            raise InvalidInput(f"{account_id} is not an account of this deployment")
        return account_id

    def _check(self, size: Decimal, limit: Decimal | None, stop: Decimal | None) -> None:
        if limit is None and stop is None and size.is_finite() and size > 0:
            return
        faults = []
        if not size.is_finite() or size <= 0:
            faults.append(FieldError("quantity", f"expected more than zero, not {size}"))
        for field, price in (("limit", limit), ("stop", stop)):
            if price is not None and not Decimal(price).is_finite():
                faults.append(FieldError(field, f"expected a price, not {price}"))
        if faults:
            said = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
            raise InvalidInput(f"this is not an order: {said}", errors=tuple(faults))

    def _next_id(self) -> str:
        at, count = self._numbered
        self._numbered = (self.now, count + 1 if at == self.now else 1)
        return f"{self._prefix}:{self.now}:{self._numbered[1]}"


def _following(trail: Trail) -> OrderKind:
    return OrderKind.TRAILING_STOP if trail.limit_offset is None else OrderKind.TRAILING_STOP_LIMIT


def _kind(limit: Decimal | None, stop: Decimal | None) -> OrderKind:
    if stop is not None:
        return OrderKind.STOP if limit is None else OrderKind.STOP_LIMIT
    return OrderKind.MARKET if limit is None else OrderKind.LIMIT


def _short(deployment_id: str) -> str:
    if len(deployment_id) <= _LONGEST_ID:
        return deployment_id
    return blake2b(deployment_id.encode(), digest_size=16).hexdigest()
