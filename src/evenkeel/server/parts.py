"""What one application is made of; `create_app` is handed all of it, and nothing is looked up elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.audit import Trail
from evenkeel.desk.auth import Auth
from evenkeel.desk.backups import Backups
from evenkeel.desk.buckets import Buckets
from evenkeel.desk.copytrading.factors import Volatility
from evenkeel.desk.household import Household
from evenkeel.desk.keys import Keys
from evenkeel.desk.purging import Purging
from evenkeel.desk.shares import Shares
from evenkeel.desk.vault.safe import Safe
from evenkeel.desk.webhooks import Webhooks
from evenkeel.domain.accounts import Limits
from evenkeel.server.answered import Answered
from evenkeel.server.jobs.queue import BacktestQueue
from evenkeel.server.portfolio_ports import PortfolioPast, Watchlists
from evenkeel.server.ports import (
    BarSource,
    Configurations,
    Feed,
    History,
    OrderTemplates,
    Past,
    Templates,
    Totals,
    Trading,
)
from evenkeel.telemetry.metrics import Metrics

STATIC = Path(__file__).parent / "static"


def _unmeasured(instrument_id: str, window: int) -> float | None:
    """Where nothing measures how much instruments move."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which installation this is. `mode` is demo or up; `started_at` wall-clock ns."""

    id: str
    name: str
    version: str
    mode: str
    started_at: int


@dataclass(frozen=True, slots=True)
class Doors:
    """How the doors are set: host names answered to beyond loopback, whether docs are shown, the built web desk, and
    from which addresses proxies may say who asks."""

    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    docs: bool = True
    static: Path = STATIC
    secure_cookie: bool = False


@dataclass(slots=True)
class AppParts:
    """Ports and facts. `limits` are those of accounts opened here. `runner`, `feed`, `history`, `bars`, `past` and
    `volatility` are exchanged when the demo starts over; then call `rebind`.
    """

    runner: Trading
    feed: Feed
    history: History
    bars: BarSource
    templates: Callable[[], Templates]
    configurations: Configurations
    order_templates: OrderTemplates
    backtests: BacktestQueue
    auth: Auth
    household: Household
    metrics: Metrics
    identity: Identity
    past: Past
    keys: Keys
    shares: Shares
    trail: Trail
    directory: AccountDirectory
    totals: Totals
    portfolios: PortfolioPast
    watchlists: Watchlists
    webhooks: Webhooks
    purging: Purging
    safe: Safe
    backups: Backups
    costly: Buckets = field(default_factory=Buckets)
    answered: Answered = field(default_factory=Answered)
    doors: Doors = field(default_factory=Doors)
    limits: Limits = field(default_factory=Limits)
    volatility: Volatility = _unmeasured
