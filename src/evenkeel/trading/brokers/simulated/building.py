"""Builds the simulated broker, in this process or as the client of its own, from text options."""

from msgspec.structs import replace

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.limits import read_windows
from evenkeel.quant.costs import FillModel, Slippage
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.registry import BrokerSetup
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import STANDARD, Book
from evenkeel.trading.brokers.simulated.observed import Observed
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS, OWN_PROCESS
from evenkeel.trading.brokers.simulated.remote import RemoteSimulatedBroker

_ANY = frozenset({"restarts", "reconcile_every", "reconcile_after"})
_IN_PROCESS = frozenset({"participation", "slippage_bps", "latency", "timeframe", "fill"}) | _ANY
_OWN_PROCESS = frozenset({"socket", "port"}) | _ANY


def in_process(setup: BrokerSetup) -> SimulatedBroker:
    """Options: `participation` (0 to 1, or "none"), `slippage_bps`, `latency` (seconds), `timeframe` of the bars, and
    `fill`: whether a market order meets the next-open or the close of the bar it was decided at; and those of any.
    """
    _only(setup, _IN_PROCESS)
    share = setup.options.get("participation", str(STANDARD.participation))
    model = FillModel(
        Slippage(bps=_number(setup, "slippage_bps", default=0.0)),
        None if share == "none" else _number(setup, "participation", default=STANDARD.participation or 0.0, most=1.0),
    )
    return SimulatedBroker(
        Book.restore(setup.standing, model=model, at_close=_at_close(setup)),
        observed=Observed(timeframe=setup.options.get("timeframe", "1d")),
        latency=_number(setup, "latency", default=0.0),
        profile=_profile(setup, IN_PROCESS),
    )


def own_process(setup: BrokerSetup) -> RemoteSimulatedBroker:
    """Options: `socket` (a path) or `port` (on 127.0.0.1): where the process listens; and those of any."""
    _only(setup, _OWN_PROCESS)
    address: str | int | None = setup.options.get("socket")
    if address is None and "port" in setup.options:
        address = int(_number(setup, "port", default=0.0, most=65_535.0))
    if not address:
        raise _fault("socket", "say where the process listens: a socket path, or a port")
    standing = setup.standing
    return RemoteSimulatedBroker(
        address,
        accounts=tuple(standing.accounts),
        instruments=tuple(standing.instruments),
        cash=standing.cash,
        profile=_profile(setup, OWN_PROCESS),
    )


def _profile(setup: BrokerSetup, known: BrokerProfile) -> BrokerProfile:
    """With the options of any: `restarts`, such as "23:45-23:55 America/New_York 1-5", `reconcile_every` and
    `reconcile_after` in seconds."""
    try:
        restarts = read_windows(setup.options["restarts"]) if "restarts" in setup.options else known.restarts
    except InvalidInput as error:
        raise _fault("restarts", error.message) from error
    every, after = (
        round(_number(setup, name, default=default / SECOND) * SECOND)
        for name, default in (("reconcile_every", known.reconcile_every), ("reconcile_after", known.reconcile_after))
    )
    return replace(known, restarts=restarts, reconcile_every=every, reconcile_after=after)


def _only(setup: BrokerSetup, known: frozenset[str]) -> None:
    for name in setup.options:
        if name not in known:
            raise _fault(name, f"unknown; expected one of {', '.join(sorted(known))}")


def _at_close(setup: BrokerSetup) -> bool:
    fill = setup.options.get("fill", "next-open")
    if fill not in ("next-open", "close"):
        raise _fault("fill", f"expected next-open or close, not {fill!r}")
    return fill == "close"


def _number(setup: BrokerSetup, name: str, *, default: float, most: float = float("inf")) -> float:
    text = setup.options.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        raise _fault(name, f"expected a number, not {text!r}") from None
    if not 0 <= number <= most:
        raise _fault(name, f"expected a number from 0 to {most:g}, not {text}")
    return number


def _fault(name: str, message: str) -> InvalidInput:
    return InvalidInput(f"broker option {name}: {message}", errors=(FieldError(name, message),))
