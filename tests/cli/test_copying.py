"""Copy trading at the command line, against one running demo."""

import pytest

from tests.cli.desk import Desk, until


@pytest.fixture
def accounts(desk: Desk, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A master and a follower of this test alone."""
    number = abs(hash(request.node.nodeid)) % 10**8
    names = f"M{number}", f"F{number}"
    for name, cash in zip(names, ("50000", "25000"), strict=True):
        desk.ask("account", "open", name, "--cash", cash, "--type", "margin")
        desk.run("account", "limits", name, "--max-position-share", "off")
    return names


def test_a_link_from_its_beginning_to_its_end(desk: Desk, accounts: tuple[str, str]) -> None:
    master, follower = accounts
    link = desk.ask("copy", "create", master, follower, "--size", "equity", "--max-slippage", "0.5", "--max-age", "60")
    assert (link["status"], link["sizing"]["by"], link["max_slippage"]) == ("active", "equity", "0.5")
    assert "in a circle" in desk.refused("copy", "create", follower, master)
    assert follower in desk.run("copy", "list").stdout
    assert "max slippage" in desk.run("copy", "show", link["id"]).stdout
    changed = desk.ask("copy", "change", link["id"], "--size", "multiplier=0.5", "--max-slippage", "any")
    assert (changed["sizing"]["factor"], changed["max_slippage"]) == ("0.5", None)
    assert desk.ask("copy", "pause", link["id"])["status"] == "paused"
    desk.ask("order", "place", master, "buy", "4", "MSFT")
    until(lambda: bool(desk.items("copy", "status", link["id"])[0]["legs"]))
    told = desk.run("copy", "status", link["id"]).stdout
    assert "the link is paused" in told
    assert desk.ask("copy", "resume", follower)["status"] == "active"
    assert "BUY" in desk.run("copy", "resync", link["id"], "--preview").stdout
    (done,) = desk.items("copy", "replicate", master, "MSFT", "--link", link["id"])
    assert len(done["order_ids"]) == 1
    until(lambda: desk.items("copy", "status", link["id"])[0]["legs"][0]["position"] == "2")
    until(lambda: "paused" in desk.run("copy", "events", link["id"], "--skipped").stdout)
    assert "removed" in desk.run("copy", "remove", link["id"]).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--size", "twice"), "must be one of equal"),
        (("--size", "equity=2"), "takes no number"),
        (("--size", "fixed"), "For example --size fixed=2."),
        (("--map", "MSFT"), "SYMBOL=OTHER"),
        (("--symbol", "NONE"), "NONE"),
    ],
)
def test_what_makes_no_sense(desk: Desk, accounts: tuple[str, str], arguments: tuple[str, ...], said: str) -> None:
    assert said in desk.refused("copy", "create", *accounts, *arguments)
