"""One record of every type that has joined since the first release, every field set."""

from datetime import date, time
from decimal import Decimal

from evenkeel.domain import records as r
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched, FxRatesSet
from evenkeel.domain.composite_records import CompositeEnded, CompositeMoved, CompositeStarted
from evenkeel.domain.composites import Bracket, CompositeState, Slot
from evenkeel.domain.copy_records import CopyCursorMoved, CopyLinkSet, CopyTaken
from evenkeel.domain.copying import (
    ByVolatility,
    CopyFilter,
    CopyKind,
    CopyLink,
    CopyMode,
    CopySide,
    CopyTerms,
    SymbolRule,
)
from evenkeel.domain.followups import FollowUpDone, FollowUpKind, FollowUpSet
from evenkeel.domain.fx import FxRate, RateSource
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.instruments import AssetClass
from evenkeel.domain.limit_records import DrawdownMoved, RejectsHalted, ScopeDayClosed, ScopeLimitsChanged
from evenkeel.domain.limits import Layer, LimitScope, RuleSet, Tier, Window
from evenkeel.domain.live import Custody, LiveSwitched
from evenkeel.domain.mtm import (
    BreachAction,
    DayRules,
    LockIn,
    Measure,
    MtmRules,
    Plan,
    Rule,
    SessionTimes,
    Trail,
)
from evenkeel.domain.mtm_records import (
    MtmBased,
    MtmBreached,
    MtmPeak,
    MtmPlanned,
    MtmRulesSet,
    MtmStopped,
    SessionsListed,
)
from evenkeel.domain.orders import Kept, OrderKind, OrderSpec, Product, Side, TimeInForce
from evenkeel.domain.orders import Trail as Behind
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.routing import Candidate, Route, RouteRule
from evenkeel.domain.walkforward import (
    SessionCompleted,
    SessionFigures,
    SessionMoved,
    SessionOpened,
    SessionStatus,
    WalkForwardSession,
)

D = Decimal
DAY = date(2024, 3, 4)
WHO = Provenance("anna", Source.USER)
KEY = PositionKey("acc", "manual", "ins", Product.MIS)
SCOPE = Scope(ScopeKind.ACCOUNT, "acc")
CHECK = r.Check("cash", "100.00", "99.00", "needs more", Layer.USER)
ENTRY = OrderSpec("acc", "manual", "ins", Side.BUY, D(10), OrderKind.LIMIT, "mine-2", D("9.90"))
KEPT = Kept(
    kind=OrderKind.LIMIT,
    time_in_force=TimeInForce.GTC,
    begins=1,
    level=D("9.50"),
    rises=True,
    since=2,
    trail=Behind(fraction=D("0.02")),
    best=10.0,
    until=3,
    day=True,
    closes=True,
    reduces=True,
    reached=True,
    again=4,
    asked=D(5),
)
TERMS = Bracket(ENTRY, D("9.00"), D("11.00"), Behind(amount=D("0.50")))
SLOTS = (Slot(5, 0.5), Slot(6, 0.5))
SESSION = SessionTimes(DAY, 1, 9)
LIMITED = LimitScope(Layer.INSTRUMENT, "ins", "usr")
RULES = MtmRules(
    Measure(D(500)),
    Measure(D("0.02"), of_equity=True),
    Trail(Measure(D(100)), Measure(D(200))),
    (LockIn(Measure(D(300)), Measure(D(150))),),
    day=DayRules(square_off_at=time(15, 15), products=(Product.NRML,)),
)

COPY_LINK = CopyLink(
    id="lnk",
    master_id="acc",
    follower_id="acc-2",
    mode=CopyMode.ORDERS,
    proposed_by="anna",
    filter=CopyFilter(
        instrument_ids=("ins",),
        asset_classes=(AssetClass.EQUITY,),
        books=("manual",),
        side=CopySide.LONG,
        windows=(Window(time(9, 30), time(16), "America/New_York", (1, 2)),),
    ),
    symbols={"ins": SymbolRule("ins-2", D("0.1"), D(10))},
    product=Product.MIS,
    terms=CopyTerms(ByVolatility(0.2, 30), D("0.5"), D("0.001"), 5),
    accepted=True,
    paused=True,
    removed=True,
)
LATER: tuple[r.AnyRecord, ...] = (
    r.RouteSet(at=1, route=Route("usr", "best", ("acc", "acc2"), RouteRule.MOST_CASH, ("TEST",)), provenance=WHO),
    r.RouteRemoved(at=1, user_id="usr", name="best", provenance=WHO),
    r.OrderRouted(
        at=1,
        order_id="ord",
        route="best",
        rule=RouteRule.CHEAPEST,
        candidates=(Candidate("acc", "ins", D("10.00"), D("10.00"), "cash", "needs more", reduces=True),),
    ),
    FollowUpSet(
        at=1,
        id="fol",
        kind=FollowUpKind.CLOSE,
        key=KEY,
        awaits=("ord",),
        until=9,
        client_order_id="mine-3",
        provenance=WHO,
        quantity=D(3),
    ),
    FollowUpDone(at=1, id="fol", reason="it was closed by hand"),
    MtmRulesSet(
        at=1,
        scope=SCOPE,
        rules=RULES,
        version=2,
        currency="USD",
        base=D("10.00"),
        equity=D("1000.00"),
        day=DAY,
        provenance=WHO,
    ),
    MtmBased(at=1, scope=SCOPE, why="day", base=D("10.00"), equity=D("1000.00"), day=DAY),
    MtmPeak(at=1, scope=SCOPE, peak=D("12.50")),
    MtmBreached(
        at=1,
        id="bre",
        scope=SCOPE,
        rule=Rule.TRAIL,
        limit=D("5.00"),
        value=D("4.99"),
        peak=D("12.50"),
        base=D("10.00"),
        equity=D("1000.00"),
        currency="USD",
        action=BreachAction.HALT,
        version=2,
    ),
    MtmStopped(
        at=1,
        id="sto",
        key="mtm:account:acc",
        scope=SCOPE,
        rule=Rule.SQUARE_OFF,
        until=9,
        cooldown=60,
        reason="square-off at 15:15",
        provenance=WHO,
        only=(KEY,),
        wall=2,
    ),
    MtmPlanned(at=1, scope=SCOPE, calendar="XNSE", plan=Plan(SESSION, 2, 3, 4), done=2, next=3, kept=(KEY,)),
    SessionsListed(at=1, calendar="XNSE", zone="Asia/Kolkata", sessions=(SESSION,)),
    SessionOpened(
        at=1, session=WalkForwardSession("ses", "Trend", "usr", "acc", D(50_000), True, D("0.0002")), provenance=WHO
    ),
    SessionMoved(at=1, session_id="ses", status=SessionStatus.CLOSING, close=True, reason="completed", provenance=WHO),
    SessionCompleted(at=1, session_id="ses", figures=SessionFigures(D("51.00"), D("51.00"), 1.02, 3, 2, D("0.12"))),
    ScopeLimitsChanged(
        at=1,
        scope=LIMITED,
        rules=RuleSet(max_position=D(10), windows=(Window(time(9, 15), time(15, 30), "Asia/Kolkata", (1, 5)),)),
        version=3,
        provenance=WHO,
        results={"acc": D("-5.00")},
    ),
    ScopeDayClosed(at=1, scope=LIMITED, account_id="acc", result=D("-5.00"), best=D("7.00")),
    RejectsHalted(
        at=1, account_id="acc", count=50, limit=50, window=60, lifted=True, provenance=Provenance("sys", Source.SYSTEM)
    ),
    DrawdownMoved(
        at=1,
        scope=LIMITED,
        tier=Tier.HALT,
        drawdown=D("0.13"),
        limit=D("0.12"),
        lifted=True,
        index=0.9,
        best={"USD": D("7.00")},
        provenance=WHO,
    ),
    CompositeStarted(
        at=1,
        id="com",
        account_id="acc",
        book="manual",
        client_order_id="mine-4",
        terms=TERMS,
        approved=True,
        checks=(CHECK,),
        provenance=WHO,
        closes=True,
        slots=SLOTS,
        wake=5,
    ),
    CompositeMoved(
        at=1,
        id="com",
        state=CompositeState.STOPPING,
        step=2,
        wake=6,
        ending=CompositeState.FAILED,
        reason="its entry was rejected",
        terms=TERMS,
        slots=SLOTS,
        provenance=WHO,
        unmoved=("o",),
    ),
    CompositeEnded(at=1, id="com", state=CompositeState.FAILED, reason="its entry was rejected"),
    CopyLinkSet(at=1, link=COPY_LINK, provenance=WHO),
    CopyTaken(
        at=1,
        link_id="lnk",
        source=7,
        kind=CopyKind.FILL,
        instrument_id="ins",
        held=D(10),
        wanted=D("5.5"),
        carry=D("0.5"),
        owed=D(-1),
        master_order_id="ord",
        orders=("ord-2",),
        quantity=D(5),
        skipped="too old",
        factor=D("0.55"),
        stale=True,
        owed_at=5,
        owed_price=D("10.5"),
    ),
    CopyCursorMoved(at=1, cursor=9),
    OrderKept(at=1, order_id="ord", kept=KEPT, provenance=WHO),
    OrderReleased(
        at=1,
        order_id="ord",
        venue_client_id="ABCDEFGHIJKLMNOPQRST",
        session_date=DAY,
        approved=True,
        checks=(CHECK,),
        quantity=D(5),
        kept=KEPT,
        since=2,
        send_by=9,
        triggered=True,
    ),
    AccountSwitched(at=1, account_id="acc", active=False, reason="the broker closes it", provenance=WHO),
    AccountRenamed(at=1, account_id="acc", name="erased-acc", erased=True, provenance=WHO),
    LiveSwitched(at=1, account_id="acc", on=True, custody=Custody.ATTENDED, provenance=WHO),
    FxRatesSet(at=1, rates=(FxRate("EUR", "USD", DAY, D("1.0832"), RateSource.IMPORT),), provenance=WHO),
)
