"""What risk sees of an order: gathered from the state, for the account and for every layer of limits over it."""

from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from evenkeel.domain.money import ZERO, add, exact, mul, sub
from evenkeel.domain.orders import Order, OrderSpec, Side
from evenkeel.domain.provenance import Source
from evenkeel.quant.costs import total_charge
from evenkeel.trading.engine import figures, halts, keeping, layers, reach
from evenkeel.trading.engine.mtm import gates
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.risk import RiskView, buffer_of

_CENT = Decimal("0.01")


def risk_view(
    state: State,
    account: AccountState,
    spec: OrderSpec,
    quantity: Decimal,
    *,
    without: str | None = None,
    source: str = Source.USER,
    at: int | None = None,
) -> RiskView:
    """What risk sees of an order for `quantity` more units from `source` at a moment (ns); None: the last known.

    `without` leaves a working order out: it is this one, judged again, and is not one more trade of the day.
    """
    spec, cannot = keeping.judged(state, account, spec)
    instrument_id, limits, standing = spec.instrument_id, account.limits, account.standing
    buys = sells = reserved = ZERO
    needs_charges = limits.cash_check and spec.side.sign > 0
    if account.working and not spec.is_exit:  # of what closes a position, only one does
        buys, sells, reserved = _on_the_way(state, spec, without=without)
    mark = state.mark(instrument_id)
    price = _dearest(spec.side, limit=spec.limit_price, stop=spec.stop_price, mark=mark)
    rate = state.rate_of(account)
    equity = state.equity(account) if "equity" in standing.needs else ZERO
    view = RiskView(
        spec=spec,
        quantity=quantity,
        instrument=state.instruments[instrument_id],
        rules=limits,
        plan=standing.plan,
        tier=standing.tier,
        account_type=account.account.type,
        account_currency=account.account.currency,
        readiness=account.readiness,
        readiness_reason=account.readiness_reason,
        in_doubt=account.working.in_doubt(instrument_id),
        cannot=cannot,
        waiting=len(account.working.unheard) if without is None else 0,
        most_waiting=None if rate is None else rate.most_waiting,
        price=price,
        held=account.net.get(instrument_id, ZERO),
        working_buys=buys,
        working_sells=sells,
        cash=account.cash_in(account.account.currency),
        reserved=reserved,
        charges=charges_of(state, account, spec, quantity=quantity, price=price) if needs_charges else ZERO,
        equity=equity,
        drawdown=account.growth.fallen(equity) if "drawdown" in standing.needs else ZERO,
        day_start_equity=account.day_start_equity,
        trades_today=account.trades_today - (reach.counted(account, state.orders[without]) if without else 0),
        **_stops(state, spec, source=source, at=at),
    )
    if mark is None and not view.reduces and not _is_capped(spec.side, spec.limit_price):
        view = msgspec.structs.replace(view, price=None)
    return _in_layers(state, view, without=without, at=state.time if at is None else at)


def _stops(state: State, spec: OrderSpec, *, source: str, at: int | None) -> dict[str, Any]:
    """What lets nothing in, or reductions only: panics, levels of mark-to-market control, sessions at rest."""
    found: dict[str, Any] = {"may_reduce": source != Source.DEPLOYMENT or spec.is_exit}
    if source == Source.PANIC:
        return found
    session = state.accounts[spec.account_id].session
    if session is not None:
        found["idle"] = session.idle
    halt = halts.over(state, spec) if state.halts else None
    if halt is not None and not halt.rule:
        found["halted"] = halts.title(state, halt.scope)
    if halt is not None or state.mtm:
        found["stopped"] = gates.stop_of(state, spec, halt=halt, at=at)
    return found


def _in_layers(state: State, view: RiskView, *, without: str | None, at: int) -> RiskView:
    """The view with what further rules of the account read, and with those of the other layers, where there are any."""
    account = state.accounts[view.spec.account_id]
    needs = account.standing.needs if at >= account.day_end else account.standing.further
    if state.correlations is None:
        needs -= layers.MEASURED
    if not (needs or state.layers) or view.reduces:
        return view
    asked = reach.Asked(
        account=account,
        spec=view.spec,
        quantity=view.quantity,
        price=view.price,
        at=at,
        reserve=partial(reserve_of, state),
        without=None if without is None else state.orders[without],
    )
    own = figures.figures(
        reach.of_account(state, account), asked, standing=account.standing, rules=account.limits, needs=needs
    )
    return msgspec.structs.replace(view, **own, layers=figures.views(state, asked))


def _on_the_way(state: State, spec: OrderSpec, *, without: str | None) -> tuple[Decimal, Decimal, Decimal]:
    """(quantity being bought, quantity being sold, cash that buys may use) of the account's working orders."""
    instrument_id, working = spec.instrument_id, state.accounts[spec.account_id].working
    left_out, reserve = working.get(without or ""), partial(reserve_of, state)
    buys = working.quantity(instrument_id, reserve, is_buy=True)
    sells = working.quantity(instrument_id, reserve, is_buy=False)
    reserved = working.reserved(reserve, state.mark)
    if left_out is None or left_out.spec.is_exit:
        return buys, sells, reserved
    is_here = left_out.spec.instrument_id == instrument_id
    if left_out.spec.side.sign < 0:
        return buys, sub(sells, left_out.remaining) if is_here else sells, reserved
    return sub(buys, left_out.remaining) if is_here else buys, sells, sub(reserved, reserve(left_out))


def _is_capped(side: Side, limit: Decimal | None) -> bool:
    """Whether the order itself says what it fills at in the worst case: only a buy's limit does."""
    return side.sign > 0 and limit is not None


def _dearest(side: Side, *, limit: Decimal | None, stop: Decimal | None, mark: Decimal | None) -> Decimal | None:
    """The price that an order is judged at: a buy's limit, else the highest of what it names and the last price.

    A sale's limit is a floor, and a stop that the market has passed already fills at the market.
    """
    if _is_capped(side, limit):
        return limit
    if limit is None and stop is None:
        return mark
    return max((price for price in (limit, stop, mark) if price is not None), default=None)


def reserved_cash(state: State, account: AccountState) -> Decimal:
    """The cash that the account's working buys may still use."""
    return account.working.reserved(partial(reserve_of, state), state.mark)


def reserve_of(state: State, order: Order) -> Decimal:
    """What a working buy may still use of its account's cash."""
    mark, account = state.mark(order.spec.instrument_id), state.accounts[order.spec.account_id]
    price = _dearest(order.spec.side, limit=order.limit_price, stop=order.stop_price, mark=mark)
    if price is None:
        return ZERO
    charges = charges_of(state, account, order.spec, quantity=order.remaining, price=price)
    price = mul(price, buffer_of(order.spec.kind))
    return add(state.notional(order.spec.instrument_id, order.remaining, price), charges)


def charges_of(
    state: State, account: AccountState, spec: OrderSpec, *, quantity: Decimal, price: Decimal | None
) -> Decimal:
    """What a fill is expected to be charged by the account's schedule; nothing without a price."""
    if price is None:
        return ZERO
    schedule = state.find_schedule(account.account.costs)
    if not schedule.components:
        return ZERO
    notional = float(quantity) * float(price) * float(state.instruments[spec.instrument_id].multiplier)
    estimate = total_charge(schedule, spec.side, quantity=float(quantity), notional=notional)
    return exact(estimate, _CENT, "ROUND_UP")
