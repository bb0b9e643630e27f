"""`evenkeel.AccountManager`: people and accounts of a home from Python, without a server.

It owns the home while it is open, as a running desk would, on a thread of its own with its own event loop; so it works
in scripts and in notebooks alike. Nothing trades meanwhile: strategies and feeds do not run.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from evenkeel import __version__

if TYPE_CHECKING:
    from evenkeel.desk.manager import Amount, Manager, Row
    from evenkeel.desk.portfolios.manager import PortfolioManager
    from evenkeel.settings import Settings
    from evenkeel.storage.database import Database
    from evenkeel.trading.live.ports import Journal
    from evenkeel.trading.live.runner import Runner

T = TypeVar("T")


class AccountManager:
    """Opens a home on which nothing runs, making it where there is none; close it, or use it in a `with` block.

    Raises HomeInUse while a desk runs on the home (use its API), and InvalidInput for settings that are not valid.
    """

    def __init__(self, home: str | Path, *, database_url: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="evenkeel-accounts", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._is_open = True
        try:
            opened = self._do(_open(self._stack, Path(home).expanduser(), url=database_url))
            self._manager: Manager = opened[0]
            self._portfolios: PortfolioManager = opened[1]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Brings the tables up to date with the journal and gives the home up."""
        if self._is_open:
            self._is_open = False
            try:
                self._do(self._stack.aclose())
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def create_user(
        self,
        username: str,
        password: str | None = None,
        *,
        email: str | None = None,
        full_name: str | None = None,
        role: str = "trader",
    ) -> Row:
        """A new person; without a password, one who has to set it by a link. Raises InvalidInput, Conflict."""
        return self._do(self._manager.create_user(username, password, email=email, full_name=full_name, role=role))

    def create_account(
        self,
        user: str,
        account_name: str,
        *,
        broker: str = "simulated",
        account_type: str = "cash",
        account_number: str = "",
        initial_balance: Amount = 0,
        currency: str = "USD",
    ) -> Row:
        """Opens a paper account of a person, named by id or user name, with a first deposit."""
        return self._do(
            self._manager.create_account(
                user,
                account_name,
                broker=broker,
                account_type=account_type,
                account_number=account_number,
                initial_balance=initial_balance,
                currency=currency,
            )
        )

    def get_user_accounts(self, user: str) -> list[Row]:
        """A person's accounts, in the order they were opened. Raises NotFound."""
        return self._do(self._manager.get_user_accounts(user))

    def move_cash(self, account: str, amount: Amount, *, kind: str = "deposit", note: str = "") -> Row:
        """Books a deposit, withdrawal, dividend, interest or fee by hand, and returns the account as it is then."""
        return self._do(self._manager.move_cash(account, amount, kind=kind, note=note))

    def consolidated(self, user: str, currency: str | None = None) -> Row:
        """A person's accounts as one, in one currency; what no exchange rate leads to is named as `left_out`."""
        return self._do(self._manager.consolidated(user, currency))

    def create_portfolio(
        self,
        account: str,
        portfolio_name: str,
        *,
        strategy: str = "",
        risk_tolerance: Amount = "0.5",
        max_position_size: Amount | None = None,
        initial_cash: Amount = 0,
    ) -> Row:
        """A portfolio in an account, named by id or name, with cash from it; `max_position_size` is a share of it."""
        return self._do(
            self._portfolios.create(
                account,
                portfolio_name,
                strategy=strategy,
                risk_tolerance=risk_tolerance,
                max_position_size=max_position_size,
                initial_cash=initial_cash,
            )
        )

    def get_account_portfolios(self, account: str) -> list[Row]:
        """The portfolios that trade an account. Raises NotFound."""
        return self._portfolios.of_account(account)

    def get_user_portfolios(self, user: str) -> list[Row]:
        """A person's portfolios. Raises NotFound."""
        return self._do(self._portfolios.of_user(user))

    def get_portfolio_positions(self, portfolio: str) -> list[Row]:
        """What a portfolio, named by id or name, holds. Raises NotFound."""
        return self._portfolios.positions(portfolio)

    def aggregate_portfolios(self, portfolios: Iterable[str], *, currency: str | None = None) -> Row:
        """`total_value`, `num_portfolios` and `total_positions` of several, in one currency."""
        return self._portfolios.aggregate(portfolios, currency=currency)

    def aggregate_user_portfolios(self, user: str, *, currency: str | None = None) -> Row:
        """The same of all that a person has; what no exchange rate leads to is named as `left_out`."""
        return self._do(self._portfolios.aggregate_user(user, currency=currency))

    def record_transaction(
        self, portfolio: str, transaction_type: str, amount: Amount, *, account: str | None = None, note: str = ""
    ) -> Row:
        """Books a deposit, withdrawal, dividend, interest or fee of a portfolio; what is bought and sold are orders."""
        return self._do(self._portfolios.record(portfolio, transaction_type, amount, account=account, note=note))

    def transfer_cash(self, account: str, amount: Amount, *, source: str, target: str, note: str = "") -> None:
        """Moves cash within an account between portfolios; `manual` is what the account holds beside them."""
        self._do(self._portfolios.transfer(account, amount, source=source, target=target, note=note))


async def _open(stack: AsyncExitStack, home: Path, *, url: str | None) -> tuple[Manager, PortfolioManager]:
    from evenkeel.bootstrap.access import trail_of
    from evenkeel.bootstrap.accounts import accounts_of
    from evenkeel.bootstrap.people import household_of, keys_of
    from evenkeel.bootstrap.process import lost
    from evenkeel.desk.manager import Manager
    from evenkeel.desk.portfolios.manager import PortfolioManager
    from evenkeel.storage.engines import async_engine
    from evenkeel.storage.ownership import Owner
    from evenkeel.storage.projector import catch_up
    from evenkeel.storage.remains import owner_of_journal
    from evenkeel.storage.schema import upgrade
    from evenkeel.storage.secrets import FirstPassword

    settings, where = _place(home, url)
    owner = stack.enter_context(Owner(where, on_lost=lost))
    upgrade(where)
    engine = async_engine(where)
    stack.push_async_callback(engine.dispose)
    keys, trail = await asyncio.to_thread(keys_of, where, settings), trail_of(engine, home)
    people = household_of(engine, keys, settings=settings, audit=trail).people
    await people.ensure_owner("owner", user_id=owner_of_journal(where), first=FirstPassword(home))
    founder = await people.founder()
    assert founder is not None, "ensure_owner has made one"
    stack.push_async_callback(asyncio.to_thread, catch_up, where, founder.id)
    runner = await _runner(stack, owner.journal(founder.id))
    accounts = await accounts_of(engine, founder.id, users=people.users)
    manager = Manager(runner, people, accounts.directory, limits=settings.limits())
    return manager, PortfolioManager(runner, manager)


async def _runner(stack: AsyncExitStack, journal: Journal) -> Runner:
    """A runner that has taken over; where a feed has driven engine time, that stands still meanwhile."""
    from evenkeel.bootstrap.process import brokers
    from evenkeel.domain.ids import Random
    from evenkeel.trading.live.runner import Clock, Runner

    stack.callback(journal.close)
    clock = Clock()
    runner = Runner(journal, lambda state: brokers(state, None, None), ids=lambda _: Random(), clock=clock)
    clock.is_replay = runner.state.cursor is not None
    stack.push_async_callback(runner.stop)
    await runner.start(run=runner.state.run or uuid.uuid4().hex, version=__version__)
    return runner


def _place(home: Path, url: str | None) -> tuple[Settings, Database]:
    """The settings of a home, which is made where there is none, and its database."""
    from evenkeel.settings import load
    from evenkeel.storage.database import database

    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings, _ = load(home)
    return settings, database(home, url if url is not None else settings.database_url)
