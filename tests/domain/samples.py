"""One record of every type, every field set: what a journal may hold."""

from datetime import date, time
from decimal import Decimal

from evenkeel.domain import records as r
from evenkeel.domain.accounts import (
    Account,
    AccountMode,
    AccountType,
    LedgerEntry,
    LedgerKind,
    Limits,
    Readiness,
)
from evenkeel.domain.composite_records import SplitComposite
from evenkeel.domain.fills import Charge, Fill
from evenkeel.domain.instruments import AssetClass, Instrument, OptionRight, SymbolAlias
from evenkeel.domain.limits import Layer
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.orders import OrderEvent, OrderKind, OrderSpec, OrderState, Product, Side, TimeInForce
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Arrival, Provenance, Source
from evenkeel.domain.strategies import Action, Allocation, Deployment
from tests.domain.later_samples import KEPT, LATER, TERMS
from tests.domain.portfolio_samples import PORTFOLIOS

D = Decimal
DAY = date(2024, 3, 4)
WHO = Provenance("anna", Source.API_KEY, "cause", "parent", "sma 1", "00ff", 1_700_000_000_000_000_001)
SPEC = OrderSpec(
    "acc", "manual", "ins", Side.SELL, D("10.50"), OrderKind.STOP_LIMIT, "mine-1", D("9.90"), D("10.00"),
    TimeInForce.GTC, Product.MIS,
)  # fmt: skip
KEY = PositionKey("acc", "manual", "ins", Product.MIS, Side.SELL)
ENTRY = LedgerEntry("acc", "manual", "USD", LedgerKind.FEE, D("-1.00"), DAY, "commission", "ord")
CHECK = r.Check("cash", "100.00", "99.00", "needs more")
LIMITS = Limits(D("0.2"), D("0.03"), 7, allow_short=True, cash_check=False)
INSTRUMENT = Instrument(
    "ins", "ACME", "TEST", AssetClass.OPTION, "USD", D("0.05"), D("25"), D("100"), "NYSE", date(2024, 6, 21),
    D("120"), OptionRight.PUT, "und",
)  # fmt: skip
ACCOUNT = Account(
    "acc", "usr", "Main", "simulated", "USD", AccountMode.LIVE, AccountType.MARGIN, "U1", "percent", "Asia/Kolkata",
    time(15, 30), LIMITS,
)  # fmt: skip
FILL = Fill(
    "fil", "ord", "acc", "manual", "ins", Side.SELL, D("10.50"), D("9.95"), "USD", 7, DAY, "X1",
    (Charge("commission", D("1.00"), "fee"),), "fil0", synthetic=True,
)  # fmt: skip
DEPLOYMENT = Deployment(
    "dep", "Trend", "sma", "1", {"fast": 5, "slow": 20.5, "on": True, "mode": "x"}, ("ins",),
    (Allocation("acc", D("0.25")),), "1h", enabled=False, paused="it failed",
)  # fmt: skip
SPLIT = Split("ins", DAY, D(2), D(1))

SAMPLES: tuple[r.AnyRecord, ...] = (
    r.RunStarted(at=1, run="run", version="0.1.0", wall=2),
    r.InstrumentListed(
        at=1, instrument=INSTRUMENT, aliases=(SymbolAlias("ins", "broker", "ACM", DAY, date(2025, 1, 1)),)
    ),
    r.AccountOpened(at=1, account=ACCOUNT, provenance=WHO),
    r.LimitsChanged(at=1, account_id="acc", limits=LIMITS, version=3, provenance=WHO),
    r.ReadinessChanged(at=1, account_id="acc", readiness=Readiness.BLOCKED, reason="two orders look alike"),
    r.CashBooked(at=1, entries=(ENTRY,), provenance=WHO, equity=D("30.00"), values={"por": D("9.00")}),
    r.DeploymentChanged(at=1, deployment=DEPLOYMENT, provenance=WHO),
    r.SignalRecorded(
        at=1,
        id="sig",
        deployment_id="dep",
        instrument_id="ins",
        target=-0.5,
        folded=-0.5,
        action=Action.SELL,
        confidence=0.75,
        details={"rsi": 71.5, "note": "high"},
        price=101.5,
        scale=0.8,
        whole=True,
        rebalance=True,
    ),
    r.OrderDecided(
        at=1,
        order_id="ord",
        spec=SPEC,
        venue_client_id="ABCDEFGHIJKLMNOPQRST",
        session_date=DAY,
        approved=False,
        checks=(CHECK,),
        provenance=WHO,
        arrival=Arrival(9.9, 10.1, 10.0, 5, 3),
        send_by=9,
        since=8,
        held=True,
        kept=KEPT,
        together=True,
    ),
    r.IntentRechecked(at=1, order_id="ord", approved=False, checks=(CHECK,), waited=300, quantity=D(40)),
    r.OrderMoved(
        at=1,
        order_id="ord",
        event=OrderEvent.AMEND,
        state=OrderState.ACCEPTED,
        reason="why",
        rule="cash",
        limit="1",
        value="2",
        venue_order_id="V1",
        venue_at=3,
        bar=4,
        triggered=True,
        by_venue=False,
        quantity=D(5),
        limit_price=D("9.85"),
        stop_price=D("9.90"),
        provenance=WHO,
        layer=Layer.PLATFORM,
    ),
    r.AmendRequested(
        at=1,
        order_id="ord",
        quantity=D(5),
        limit_price=D("9.85"),
        stop_price=D("9.90"),
        checks=(CHECK,),
        provenance=WHO,
        since=8,
    ),
    r.FillBooked(at=1, fill=FILL, state=OrderState.FILLED, entries=(ENTRY,), bar=4, venue_order_id="V1"),
    r.OrderAdopted(
        at=1,
        order_id="ord2",
        spec=SPEC,
        venue_client_id="TSRQPONMLKJIHGFEDCBA",
        venue_order_id="V2",
        session_date=DAY,
        state=OrderState.ACCEPTED,
        twin_of="ord",
    ),
    r.PositionCorrected(at=1, id="cor", key=KEY, quantity=D("-3"), price=D("9.95"), reason="the broker holds 7"),
    r.SplitApplied(
        at=1,
        split=SPLIT,
        positions=(r.SplitPosition(KEY, D(21), D("0.50"), D("0.25")),),
        orders=(r.SplitOrder("ord", D(10), D(2), D("4.95"), D("5.00")),),
        entries=(ENTRY,),
        composites=(SplitComposite("com", TERMS, {"entry": D(2)}, {"entry": D(1)}),),
    ),
    r.DividendPaid(at=1, dividend=Dividend("ins", DAY, D("0.35")), entries=(ENTRY,)),
    r.NightsCharged(at=1, account_id="acc", nights=3, entries=(ENTRY,)),
    r.ProtectionChanged(at=1, key=KEY, link="lnk", side=-1, best=9.9, rule="trailing_stop", since=8),
    r.PanicStarted(
        at=1,
        id="pan",
        scope=Scope(ScopeKind.ACCOUNT, "acc"),
        keep_positions=True,
        cooldown=60,
        provenance=WHO,
        reason="the model is wrong",
        wall=2,
    ),
    r.PanicMoved(at=1, id="pan", orders=3, positions=1, round=2, stuck=True, done=True),
    r.PanicEnded(at=1, id="pan", orders=3, positions=1, provenance=WHO),
    r.DayClosed(
        at=1,
        id="day",
        account_id="acc",
        session_date=DAY,
        cash=D("10.00"),
        equity=D("20.00"),
        marks={"ins": D("9.95")},
        fx={"USD": D(1)},
        contributed=D("19.00"),
        growth=1.05,
        drawdown=0.02,
    ),
    r.CursorMoved(at=1, cursor=5, states={"dep": b"\x00\xff"}, ended=True, places={"dep": 4}),
    r.AccountReconciled(at=1, account_id="acc", differences=2, routine=True),
    r.AlertRaised(
        at=1,
        id="ale",
        level="warning",
        kind="late-fill",
        message="5 filled",
        account_id="acc",
        order_id="ord",
        deployment_id="dep",
    ),
    *LATER,
    *PORTFOLIOS,
)
