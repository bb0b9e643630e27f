"""A small market to test brokers with: one equity, daily sessions, and one maker each of orders and bars."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from evenkeel.domain.accounts import Account, AccountType
from evenkeel.domain.clock import to_ns
from evenkeel.domain.instruments import AssetClass, Instrument, instrument_id
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote, Split
from evenkeel.domain.orders import OrderKind, OrderSpec, Side, TimeInForce
from evenkeel.domain.risk import Approved
from evenkeel.trading.brokers.ports import Amendment, Cancellation, Ticket

D = Decimal
CASH = D("100000.00")
ACME = Instrument(
    id=instrument_id("TEST", "ACME"),
    symbol="ACME",
    venue="TEST",
    asset_class=AssetClass.EQUITY,
    currency="USD",
    tick_size=D("0.01"),
    lot_size=D(1),
)
ALPHA = Account(id="alpha", user_id="u", name="Alpha", broker="simulated", currency="USD", type=AccountType.MARGIN)
BRAVO = Account(id="bravo", user_id="u", name="Bravo", broker="simulated", currency="USD", costs="us-per-share")
FIRST_DAY = date(2024, 3, 4)


def opens(day: int) -> int:
    """The moment (ns) at which session `day` opens: 14:30 UTC of the day-th date."""
    moment = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 14, 30, tzinfo=UTC)
    return to_ns(moment + timedelta(days=day))


def closes(day: int) -> int:
    return opens(day) + 23_400 * 1_000_000_000


def bar(day: int, open_: float, high: float, low: float, close: float, volume: float = 1e6) -> Bar:
    """The daily bar of session `day`."""
    return Bar(ACME.id, opens(day), closes(day), open_, high, low, close, volume)


def flat(day: int, price: float, volume: float = 1e6) -> Bar:
    return bar(day, price, price, price, price, volume)


def shown(*bars: Bar, splits: tuple[Split, ...] = ()) -> MarketSlice:
    """One slice of bars that close together."""
    return MarketSlice(bars[0].close_ts, bars, splits=splits)


def quoted(at: int, bid: float, ask: float) -> MarketSlice:
    return MarketSlice(at, quotes=(Quote(ACME.id, at, bid, ask, (bid + ask) / 2),))


def spec(
    side: Side = Side.BUY,
    quantity: object = 100,
    *,
    limit: object = None,
    stop: object = None,
    time_in_force: TimeInForce = TimeInForce.DAY,
    account: Account = ALPHA,
    book: str = "manual",
) -> OrderSpec:
    """An order for ACME; its kind follows from the prices given."""
    kinds = {
        (False, False): OrderKind.MARKET,
        (True, False): OrderKind.LIMIT,
        (False, True): OrderKind.STOP,
        (True, True): OrderKind.STOP_LIMIT,
    }
    return OrderSpec(
        account_id=account.id,
        book=book,
        instrument_id=ACME.id,
        side=side,
        quantity=D(str(quantity)),
        kind=kinds[limit is not None, stop is not None],
        client_order_id="c",
        limit_price=None if limit is None else D(str(limit)),
        stop_price=None if stop is None else D(str(stop)),
        time_in_force=time_in_force,
    )


def ticket(name: str, order: OrderSpec, *, day: int = 0) -> Ticket:
    """`order` decided at the close of session `day`, sent under client id `name`."""
    return Ticket(order_id=f"order-{name}", venue_client_id=name, spec=order, approval=Approved(()), at=closes(day))


def cancellation(name: str, *, day: int = 0, account: Account = ALPHA) -> Cancellation:
    return Cancellation(account_id=account.id, venue_client_id=name, venue_order_id=None, at=closes(day))


def amendment(name: str, order: OrderSpec, *, day: int = 0) -> Amendment:
    return Amendment(
        account_id=order.account_id,
        venue_client_id=name,
        venue_order_id=None,
        spec=order,
        approval=Approved(()),
        at=closes(day),
    )
