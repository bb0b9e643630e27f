"""Brokers by name, as data. An adapter is imported when it is first built; other packages add theirs by entry point.

A package registers under the group `evenkeel.brokers`: its entry point's name is the broker's, its object a
function `(BrokerSetup) -> Broker`. A built-in name cannot be taken over.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from msgspec import Struct

from evenkeel.domain.errors import NotFound
from evenkeel.trading.brokers.credentials import Credentials, NoCredentials
from evenkeel.trading.brokers.egress import AnyAddress, Egress
from evenkeel.trading.brokers.ports import Broker
from evenkeel.trading.brokers.standing import Standing

GROUP = "evenkeel.brokers"


class BrokerSetup(Struct, frozen=True, kw_only=True):
    """What a factory gets: `options` are the settings of this broker, all text; a factory refuses unknown ones.

    `credentials` are asked account by account, at the moment an account is connected; nothing of them is kept. `egress`
    is asked then, too: from which address of this machine the account's connections go out.
    """

    standing: Standing = Standing()
    options: Mapping[str, str] = {}
    credentials: Credentials = NoCredentials()
    egress: Egress = AnyAddress()


Factory = Callable[[BrokerSetup], Broker]


class BrokerEntry(Struct, frozen=True):
    """One broker; `factory` is written `module:function`."""

    name: str
    title: str
    factory: str


_BUILT_IN = (
    BrokerEntry(
        "simulated",
        "Simulated (in this process)",
        "evenkeel.trading.brokers.simulated.building:in_process",
    ),
    BrokerEntry(
        "simulated-process",
        "Simulated (its own process)",
        "evenkeel.trading.brokers.simulated.building:own_process",
    ),
)


def brokers() -> dict[str, BrokerEntry]:
    """Every broker known here by name; built-in ones first."""
    known = {entry.name: entry for entry in _BUILT_IN}
    for point in entry_points(group=GROUP):
        known.setdefault(point.name, BrokerEntry(point.name, point.name, point.value))
    return known


def build(name: str, setup: BrokerSetup) -> Broker:
    """A broker, not yet connected. Raises NotFound for an unknown name, InvalidInput for an option it does not take."""
    entry = next((entry for entry in _BUILT_IN if entry.name == name), None) or brokers().get(name)
    if entry is None:
        raise NotFound(
            f"there is no broker {name!r}", hint=f"Choose one of {', '.join(brokers())}, or install its package."
        )
    module, _, function = entry.factory.partition(":")
    return cast("Factory", getattr(import_module(module), function))(setup)
