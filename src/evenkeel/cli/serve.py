"""`evenkeel up` and `evenkeel demo`: start the whole desk in this process, until Ctrl-C."""

import signal
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evenkeel.cli.common import HomeOption, examples, reporting, resolve_home
from evenkeel.cli.doors import Doors, ServePlan
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.errors import EvenkeelError

DEMO_EXAMPLES = examples(
    "evenkeel demo",
    "evenkeel demo --port 8123 --speed 20 --password a-password-of-yours",
    "evenkeel demo --data aapl.csv --data eurusd_1h.parquet --home ~/try",
    note="It listens on this machine only. EVENKEEL_HOME and database settings are not used: the demo has a home of "
    "its own. To start over: evenkeel feed restart --home DIR, or delete its home.",
)
UP_EXAMPLES = examples(
    "evenkeel up",
    "evenkeel up --home ~/desk --port 8123",
    "evenkeel up --home ~/desk --feed replay --symbol AAPL --from 2005-09-01 --speed 5",
    note="Settings are read from the environment, .env and evenkeel.toml in the home: see docs/settings.md. "
    "Options given here win.",
)


class FeedKind(StrEnum):
    NONE = "none"
    REPLAY = "replay"
    SIMULATED = "simulated"


def _speed(text: str) -> Decimal:
    try:
        speed = Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is not a number such as 2 or 0.5") from error
    if not speed.is_finite() or not 0 <= speed <= 1000:
        raise typer.BadParameter("0 (as fast as possible) to 1000")
    return speed


def _moment(text: str) -> str:
    try:
        parse_iso(text)
    except EvenkeelError as error:
        raise typer.BadParameter(error.message) from error
    return text


class LogLevelName(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormatName(StrEnum):
    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


DemoHomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of the demo's data.", show_default="in the user data folder"),
]
HostOption = Annotated[
    str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.", show_default="127.0.0.1")
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.", show_default="8000"),
]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        "--password", metavar="PASSWORD", envvar="EVENKEEL_PASSWORD", help="Of the first user; else one is made."
    ),
]
LogLevel = Annotated[
    LogLevelName | None, typer.Option("--log-level", case_sensitive=False, help="What is worth a line on stderr.")
]
LogFormat = Annotated[
    LogFormatName | None, typer.Option("--log-format", case_sensitive=False, help="Of the log; console is for people.")
]
Public = Annotated[bool | None, typer.Option("--allow-public", help="Permit an address other machines can reach.")]
Browser = Annotated[bool, typer.Option("--open/--no-open", help="Open the desk in a browser where there is a display.")]
BrokerSocket = Annotated[
    Path | None,
    typer.Option(
        "--broker-socket", metavar="PATH", help="Use the simulated broker that listens here as its own process."
    ),
]


def demo(
    ctx: typer.Context,
    home: DemoHomeOption = None,
    host: HostOption = None,
    port: PortOption = None,
    speed: Annotated[
        Decimal | None,
        typer.Option(
            "--speed", parser=_speed, metavar="SPEED", help="Trading days a second; 0 is flat out.", show_default="2"
        ),
    ] = None,
    password: PasswordOption = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Replay these CSV or Parquet files in place of the sample.",
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Start over by itself when the replay has ended.")] = False,
    open_browser: Browser = True,
    allow_public: Public = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    broker_socket: BrokerSocket = None,
    run: Annotated[str | None, typer.Option("--run", help="Name of a reproducible run.", hidden=True)] = None,
) -> None:
    """Show everything at once: four strategies trade three paper accounts on real daily prices from September 2005.

    Nothing here can reach a real broker. The state is kept, so the next start continues where this one stopped.
    """
    with reporting():
        plan = ServePlan(
            mode="demo",
            home=resolve_home(home, "demo"),
            host=host,
            port=port,
            speed=speed,
            password=password,
            data=tuple(data or ()),
            feed="replay",
            run=run,
            loop=loop,
            open_browser=open_browser,
            allow_public=allow_public,
            log_level=_value(log_level),
            log_format=_value(log_format),
            broker_socket=broker_socket,
        )
        raise typer.Exit(_serve(ctx.obj, plan))


def up(
    ctx: typer.Context,
    home: HomeOption = None,
    host: HostOption = None,
    port: PortOption = None,
    feed: Annotated[
        FeedKind | None,
        typer.Option(
            "--feed",
            case_sensitive=False,
            help="Market: replay imported bars, a simulated one, or none.",
            show_default="none",
        ),
    ] = None,
    speed: Annotated[
        Decimal | None,
        typer.Option(
            "--speed", parser=_speed, metavar="SPEED", help="Bars' moments a second; 0 is flat out.", show_default="2"
        ),
    ] = None,
    timeframe: Annotated[
        str, typer.Option("--timeframe", metavar="TIMEFRAME", help="Bars to replay or simulate.")
    ] = "1d",
    symbols: Annotated[
        list[str] | None, typer.Option("--symbol", metavar="SYMBOL", help="Only these symbols; repeat for several.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", parser=_moment, metavar="TIME", help="First moment of the replay, ISO 8601.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="NUMBER", help="Seed of the simulated market.")] = None,
    password: PasswordOption = None,
    open_browser: Browser = False,
    allow_public: Public = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    broker_socket: BrokerSocket = None,
) -> None:
    """Start Evenkeel on your own home: accounts, strategies and history as you left them."""
    with reporting():
        plan = ServePlan(
            mode="up",
            home=resolve_home(home),
            host=host,
            port=port,
            speed=speed,
            password=password,
            feed=feed.value if feed is not None else None,
            timeframe=timeframe,
            symbols=tuple(symbols or ()),
            start=start,
            seed=seed,
            open_browser=open_browser,
            allow_public=allow_public,
            log_level=_value(log_level),
            log_format=_value(log_format),
            broker_socket=broker_socket,
        )
        raise typer.Exit(_serve(ctx.obj, plan))


def _value(choice: StrEnum | None) -> str | None:
    return None if choice is None else choice.value


def _serve(doors: Doors, plan: ServePlan) -> int:
    """Runs the plan; Ctrl-C is the event loop's from here on, which stops in good order."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return doors.serve(plan)
