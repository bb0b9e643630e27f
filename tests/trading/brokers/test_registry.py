"""Brokers by name: built from text options, imported only when built, and open to other packages."""

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.trading.brokers import registry
from evenkeel.trading.brokers.registry import BrokerSetup, brokers, build
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.remote import RemoteSimulatedBroker
from evenkeel.trading.brokers.standing import Standing
from tests.contracts.samples import ACME, ALPHA, CASH


def test_the_built_in_brokers() -> None:
    assert list(brokers())[:2] == ["simulated", "simulated-process"]
    standing = Standing(accounts=[ALPHA], instruments=[ACME], cash={"alpha": {"USD": CASH}})
    paper = build("simulated", BrokerSetup(standing=standing, options={"participation": "0.5", "slippage_bps": "3"}))
    assert isinstance(paper, SimulatedBroker)
    assert paper.book.balance("alpha").cash == {"USD": CASH}
    assert paper.book.model.participation == 0.5
    uncapped = build("simulated", BrokerSetup(options={"participation": "none"}))
    assert isinstance(uncapped, SimulatedBroker)
    assert uncapped.book.model.participation is None
    for options in ({"socket": "venue.sock"}, {"port": "8123"}):
        remote = build("simulated-process", BrokerSetup(options=options))
        assert isinstance(remote, RemoteSimulatedBroker)
        assert remote.profile.is_simulated


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        ("simulated", {"participation": "lots"}, "participation"),
        ("simulated", {"participation": "1.5"}, "participation"),
        ("simulated", {"latency": "-1"}, "latency"),
        ("simulated", {"latncy": "1"}, "latncy"),
        ("simulated-process", {}, "socket"),
        ("simulated-process", {"port": "99999"}, "port"),
    ],
)
def test_wrong_options_are_named(name: str, options: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        build(name, BrokerSetup(options=options))
    assert [fault.field for fault in caught.value.errors] == [field]


def test_an_unknown_broker_names_those_there_are() -> None:
    with pytest.raises(NotFound, match="no broker 'acme'") as caught:
        build("acme", BrokerSetup())
    assert "simulated-process" in str(caught.value.hint)


def test_other_packages_add_brokers_but_take_no_built_in_name(monkeypatch: pytest.MonkeyPatch) -> None:
    factory = "evenkeel.trading.brokers.simulated.building:in_process"
    points = EntryPoints(EntryPoint(name, factory, registry.GROUP) for name in ("acme", "simulated"))
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert isinstance(build("acme", BrokerSetup()), SimulatedBroker)
    assert brokers()["simulated"].title == "Simulated (in this process)"


def test_naming_brokers_imports_none() -> None:
    code = (
        "import sys; from evenkeel.trading.brokers.registry import brokers; brokers(); "
        "print([m for m in sys.modules if 'simulated' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
