"""What the owner has beside trading in the tests of every route: a live account, a vault, a portfolio, a copy link, a
watchlist, a webhook; and what those tests send to the routes of these.
"""

from decimal import Decimal
from typing import Any

from evenkeel.desk.vault.ports import Secret
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, AccountMode, AccountType
from evenkeel.domain.copying import CopyLink, CopyMode
from evenkeel.domain.limits import RuleSet
from evenkeel.domain.portfolios import Portfolio
from evenkeel.domain.rebalance_schedules import Aim, Cadence, Run, RunState, Schedule, Timing, run_id
from evenkeel.domain.rebalancing import Rebalance
from evenkeel.domain.watchlists import Watched, Watchlist
from evenkeel.domain.webhooks import Webhook, WebhookTerms
from tests.desk.vault.memory import FIELDS, VALUES
from tests.server.safekeeping import REAL
from tests.server.world import DEPLOYMENT, LIMITS, OWN_ACCOUNT, PASSWORD, World
from tests.trading.live.desk import BY, START, STOCK

LIVE_ACCOUNT = "0190a000-0000-7000-8000-000000000004"
FOLLOWER = "0190a000-0000-7000-8000-000000000005"
LINK = "0190c000-0000-7000-8000-000000000002"
PORTFOLIO = "0190f000-0000-7000-8000-000000000001"
WATCHLIST = "0190e000-0000-7000-8000-000000000001"
WEBHOOK = "0190b000-0000-7000-8000-000000000001"
DUE = START + 10**15
RUN = run_id(PORTFOLIO, DUE)
OF_THE_OWNER = {
    "portfolio_id": PORTFOLIO,
    "link_id": LINK,
    "watchlist_id": WATCHLIST,
    "run_id": RUN,
    "webhook_id": WEBHOOK,
}
LEAKS = (
    LIVE_ACCOUNT,
    FOLLOWER,
    *OF_THE_OWNER.values(),
    "Truly mine",
    "Copies of mine",
    "Set apart",
    "Seen by me",
    "Told by",
)
_LIVE, _STOCK = {"account_id": LIVE_ACCOUNT}, {"instrument_id": STOCK.id}
INSTEAD: dict[str, dict[str, str]] = {
    **dict.fromkeys(("save_credentials", "remove_credentials", "ask_live", "switch_live", "switch_live_off"), _LIVE),
    **dict.fromkeys(("change_watched", "unwatch_instrument"), _STOCK),
}
"""Ids in the path of a route that are others than those of most."""
_WISH = {"symbols": ["STK"], "objective": "min-variance"}
_TARGETS = {"targets": [{"symbol": "STK", "weight": "0.5"}]}
BODIES: dict[str, Any] = {
    "create_vault": {"secret": PASSWORD},
    "unlock_vault": {"secret": PASSWORD},
    "change_vault_secret": {"present": PASSWORD, "new": "words for it alone", "kind": "passphrase"},
    "rotate_vault": {"secret": PASSWORD},
    "open_live_account": {"name": "Another live", "broker": REAL.name, "number": "AB1", "cash": "1000"},
    "save_credentials": {"values": VALUES},
    "switch_live": {"token": "none", "name": "Truly mine", "custody": "attended"},
    "open_copy_link": {"master_id": FOLLOWER, "follower_id": LIVE_ACCOUNT},
    "change_copy_link": {"risk": "2"},
    "resync_copy_link": {"preview": True},
    "replicate_position": {"master_id": OWN_ACCOUNT, "symbol": "STK"},
    "create_portfolio": {"name": "One more", "accounts": [OWN_ACCOUNT]},
    "change_portfolio": {"name": "Called otherwise"},
    "adopt_book": {"strategy": DEPLOYMENT},
    "release_book": {"strategy": DEPLOYMENT},
    "record_transaction": {"kind": "dividend", "amount": "7.25"},
    "transfer_cash": {
        "from_account": OWN_ACCOUNT,
        "from_book": PORTFOLIO,
        "to_account": OWN_ACCOUNT,
        "amount": "1",
    },
    "optimize_weights": _WISH,
    "find_frontier": _WISH,
    "preview_rebalance": _TARGETS,
    "rebalance_portfolio": _TARGETS,
    "set_rebalance_schedule": _TARGETS | {"cadence": "monthly"},
    "create_watchlist": {"name": "One more"},
    "rename_watchlist": {"name": "Called otherwise"},
    "watch_instrument": {"symbol": "STK"},
    "change_watched": {"note": "dear"},
    "take_alert": {"symbol": "STK", "action": "buy", "quantity": "1"},
    "create_webhook": {"name": "One more", "account_id": OWN_ACCOUNT},
    "change_webhook": {"max_age": 30},
}
OTHERS = {
    "create_vault": 201,
    "forget_vault": 404,
    "unlock_vault": 404,
    "lock_vault": 204,
    "change_vault_secret": 404,
    "renew_vault_codes": 404,
    "rotate_vault": 404,
    "open_live_account": 201,
    "open_copy_link": 422,
    "replicate_position": 404,
    "create_portfolio": 422,
    "transfer_cash": 422,
    "optimize_weights": 200,
    "find_frontier": 200,
    "create_watchlist": 201,
    "create_webhook": 422,
}
# A vault there is already, a token that was not given, no position to replicate; cash in the portfolio, and no book
# that it has adopted; an instrument that the list has.
DECLINED = {
    "create_vault", "switch_live", "replicate_position", "archive_portfolio", "release_book", "watch_instrument",
}  # fmt: skip
ECHOES = {"create_portfolio", "create_webhook", "transfer_cash"}
COMMITS = {"open_live_account"}
"""What is committed for another user, too: it is theirs."""


async def given_to(desk: World) -> None:
    """Gives them to the owner of this desk."""
    user, safe = desk.owner.id, desk.parts.safe
    live = Account(
        LIVE_ACCOUNT,
        user,
        "Truly mine",
        REAL.name,
        "USD",
        AccountMode.LIVE,
        AccountType.CASH,
        number="AB0",
        limits=LIMITS,
    )
    follower = Account(FOLLOWER, user, "Copies of mine", "simulated", "USD", type=AccountType.MARGIN, limits=LIMITS)
    apart = Portfolio(PORTFOLIO, user, "Set apart", "USD", (OWN_ACCOUNT,))
    link = CopyLink(
        id=LINK, master_id=OWN_ACCOUNT, follower_id=FOLLOWER, mode=CopyMode.FILLS, proposed_by=user, accepted=True
    )
    for command in (
        c.OpenLiveAccount(provenance=BY, account=live, cash=Decimal(1000)),
        c.OpenAccount(provenance=BY, account=follower, initial_cash=Decimal(50_000)),
        c.CreatePortfolio(provenance=BY, portfolio=apart, rules=RuleSet(), cash=Decimal(1000)),
        c.OpenCopyLink(provenance=BY, link=link),
    ):
        await desk.runner.submit(command)
    schedule = Schedule(Timing(Cadence.MONTHLY), Aim({STOCK.id: Decimal("0.5")}))
    await desk.runner.submit(c.SetRebalanceSchedule(provenance=BY, portfolio_id=PORTFOLIO, schedule=schedule))
    planned = Rebalance(RUN, PORTFOLIO, "scheduled", RUN, Decimal(1000), Decimal(0))
    run = Run(RUN, PORTFOLIO, DUE, RunState.PROPOSED, rebalance=planned, expires=2 * DUE)
    since = desk.runner.state.schedules.all[PORTFOLIO].since
    await desk.runner.submit(c.RecordRebalanceRun(provenance=BY, run=run, since=since))
    await safe.vault.create(user, PASSWORD, kind=Secret.PASSWORD)
    await safe.credentials.save(user, LIVE_ACCOUNT, VALUES, fields=FIELDS)
    await desk.parts.watchlists.add(Watchlist(WATCHLIST, user, "Seen by me", (Watched(STOCK.id),), START, START))
    hook = Webhook(
        id=WEBHOOK,
        user_id=user,
        account_id=OWN_ACCOUNT,
        name="Told by",
        token_hash="none",
        enabled=True,
        terms=WebhookTerms(),
        created_at=START,
        updated_at=START,
        rotated_at=START,
    )
    await desk.parts.webhooks.store.add(hook)
