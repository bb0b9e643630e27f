"""One record of every type of portfolios, every field set."""

from datetime import date
from decimal import Decimal

from evenkeel.domain import records as r
from evenkeel.domain.accounts import LedgerEntry, LedgerKind
from evenkeel.domain.execution import Execution, ExecutionKind
from evenkeel.domain.portfolios import BookMoved, CashTransferred, Portfolio, PortfolioChanged, PortfolioDayClosed
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.rebalance_schedules import (
    MINUTE,
    Aim,
    Bands,
    Cadence,
    Mode,
    Reach,
    Run,
    RunClosed,
    RunOpened,
    RunState,
    Schedule,
    ScheduleSet,
    Timing,
)
from evenkeel.domain.rebalancing import PlannedTrade, Rebalance, RebalanceEnded, RebalanceStarted

D = Decimal
DAY = date(2024, 3, 4)
WHO = Provenance("anna", Source.USER)
GROWTH = Portfolio("por", "usr", "Growth", "USD", ("acc", "acc2"), "buy what rises", D("0.75"), archived=True)


def _line(book: str, amount: str) -> LedgerEntry:
    return LedgerEntry("acc", book, "USD", LedgerKind.TRANSFER, D(amount), DAY, "to begin with")


REBALANCE = Rebalance(
    "reb",
    "por",
    "october",
    "digest",
    D("1000.00"),
    D("1.50"),
    {"ins": D("0.25")},
    {"ins": D("0.5")},
    (PlannedTrade("acc", "ins", D("-3"), D("10.00"), D("5")),),
    Execution(ExecutionKind.VWAP, 4, 5 * MINUTE, 7, {"ins": (0.25, 0.75)}),
)
SCHEDULE = Schedule(
    Timing(Cadence.BAND, MINUTE, 2 * MINUTE, last=True, every=3 * MINUTE, max_age=4 * MINUTE),
    Aim(
        {"ins": D("0.5")},
        ("ins",),
        "min-variance",
        ("IBM <= 0.5",),
        250,
        0.1,
        0.9,
        "oas",
        "ewma",
        0.02,
        0.1,
        0.3,
        2.0,
        0.9,
        1.5,
        {"ins": 1.0},
    ),
    Mode.TRADE,
    Bands(D("0.05"), D("0.2"), Reach.BEYOND),
    D("0.01"),
    D("25"),
    REBALANCE.execution,
    30 * MINUTE,
)

PORTFOLIOS: tuple[r.AnyRecord, ...] = (
    RebalanceStarted(at=1, rebalance=REBALANCE, provenance=WHO, attempt=1),
    RebalanceEnded(
        at=1,
        id="reb",
        portfolio_id="por",
        after={"ins": D("0.5")},
        traded=D("30.00"),
        cost=D("1.25"),
        success=False,
        reasons=("SELL 3 IBM in Main: 0 filled, CANCELLED",),
    ),
    ScheduleSet(at=1, portfolio_id="por", provenance=WHO, schedule=SCHEDULE),
    RunOpened(
        at=1, run=Run("run", "por", 5, RunState.PROPOSED, "a bank holiday", REBALANCE, expires=9), provenance=WHO
    ),
    RunClosed(at=1, id="run", portfolio_id="por", state=RunState.DECLINED, reason="it was declined", provenance=WHO),
    PortfolioChanged(at=1, portfolio=GROWTH, provenance=WHO),
    BookMoved(
        at=1,
        portfolio_id="por",
        account_id="acc",
        book="dep",
        joins=True,
        worth=D("12.50"),
        value=D("1000.00"),
        provenance=WHO,
    ),
    CashTransferred(
        at=1,
        entries=(_line("manual", "-250.00"), _line("por", "250.00")),
        provenance=WHO,
        equity={"acc": D("5000.00")},
        values={"por": D("1000.00")},
    ),
    PortfolioDayClosed(
        at=1,
        id="day",
        portfolio_id="por",
        session_date=DAY,
        value=D("1010.00"),
        cash=D("10.00"),
        contributed=D("1000.00"),
        growth=1.01,
        drawdown=0.02,
        periods=252.0,
        volatility=0.2,
        sharpe=1.5,
        sortino=2.5,
        trades=3,
        wins=2,
        holdings={"ins": D("1000.00")},
    ),
)
