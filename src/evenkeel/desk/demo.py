"""The demonstration: three paper accounts of different size and fees, and four strategies that trade them all."""

from collections.abc import Sequence
from datetime import time
from decimal import Decimal

from evenkeel.domain.accounts import Account, AccountType, Limits
from evenkeel.domain.commands import AnyCommand, Deploy, ListInstrument, OpenAccount
from evenkeel.domain.ids import derived
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import mul, ratio
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Allocation, Deployment

START = "2005-09-01"
SPREAD_OVER = 4
HISTORY_DAYS = 250
ACCOUNTS = (
    ("Family", Decimal(250_000), "percent", AccountType.CASH),
    ("Trading", Decimal(100_000), "us-per-share", AccountType.MARGIN),
    ("Starter", Decimal(25_000), "zero", AccountType.CASH),
)
STRATEGIES = (
    ("Trend", "sma-crossover", "0.20"),
    ("Reversion", "rsi", "0.20"),
    ("Breakout", "donchian-breakout", "0.20"),
    ("Levels", "support-resistance", "0.20"),
)


def first_commands(
    user_id: str, instruments: Sequence[Instrument], versions: dict[str, str], *, timeframe: str = "1d"
) -> list[AnyCommand]:
    """What sets the demonstration up; `versions` gives the version of each template.

    With fewer than four instruments the shares are smaller, so that one position stays within an account's limit.
    """
    part = ratio(Decimal(min(len(instruments), SPREAD_OVER)), Decimal(SPREAD_OVER))
    provenance = Provenance(actor=user_id, source=Source.SYSTEM)
    accounts = [_account(user_id, instruments, place) for place in range(len(ACCOUNTS))]
    commands: list[AnyCommand] = [ListInstrument(provenance=provenance, instrument=one) for one in instruments]
    commands += [
        OpenAccount(provenance=provenance, account=account, initial_cash=ACCOUNTS[place][1])
        for place, account in enumerate(accounts)
    ]
    for name, template, share in STRATEGIES:
        deployment = Deployment(
            id=derived(f"demo:strategy:{name}"),
            name=name,
            template=template,
            version=versions[template],
            parameters={},
            instrument_ids=tuple(one.id for one in instruments),
            accounts=tuple(Allocation(account.id, mul(Decimal(share), part)) for account in accounts),
            timeframe=timeframe,
        )
        commands.append(Deploy(provenance=provenance, deployment=deployment))
    return commands


def _account(user_id: str, instruments: Sequence[Instrument], place: int) -> Account:
    name, _cash, fees, kind = ACCOUNTS[place]
    return Account(
        id=derived(f"demo:account:{name}"),
        user_id=user_id,
        name=name,
        broker="simulated",
        currency=instruments[0].currency if instruments else "USD",
        type=kind,
        number=f"DEMO-{place + 1}",
        costs=fees,
        time_zone="America/New_York",
        roll=time(17, 0),
        limits=Limits(),
    )
