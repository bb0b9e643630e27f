"""`evenkeel status` and `evenkeel events`: how the running desk stands, and what has happened on it."""

from typing import Any

from evenkeel.cli.client import Client
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
    examples,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)

STATUS_EXAMPLES = examples(
    "evenkeel status",
    "evenkeel status --json",
    note="Exit code 1 when nothing is running on that home.",
)
EVENTS_EXAMPLES = examples("evenkeel events --limit 20", "evenkeel events --json")


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Whether the desk runs, and how it stands: clock, feed, journal, accounts."""
    with reporting(as_json=as_json):
        folder = resolve_home(home)
        client = Client(folder)
        found, hosts = client.get("/system/status"), client.get("/system/hosts")["items"]
        if as_json:
            print_json({**found, "hosts": hosts, "home": str(folder)})
        else:
            print_fields({**_shown(found, str(folder)), "strategies": "; ".join(map(_host, hosts)) or "none at work"})


def _shown(found: dict[str, Any], home: str) -> dict[str, Any]:
    feed, journal = found["feed"], found["journal"]
    return {
        "running": f"{found['name']} {found['version']}, as {found['mode']!r}, since {found['started_at']}",
        "home": home,
        "clock": found["clock"],
        "live trading": "on" if found["live_trading"] else "off",
        "accounts ready": f"{found['accounts_ready']} of {found['accounts_total']}",
        "feed": _feed(feed),
        "journal": f"{journal['seq']} records, {journal['lag']} of them not yet in the tables",
        "healthy": _health(found),
    }


def _health(found: dict[str, Any]) -> str:
    if found["halted"] is None:
        return "yes" if found["healthy"] else "no"
    return f"no, trading has halted: {found['halted']}; mend that, and start the desk again"


def _feed(feed: dict[str, Any]) -> str:
    if feed["kind"] == "none":
        return "none"
    end = f" of {feed['end']}" if feed["end"] else ""
    return f"{feed['kind']}, {feed['state']}, {feed['speed']} a second, at {feed['cursor'] or feed['start']}{end}"


def _host(host: dict[str, Any]) -> str:
    where = "in the desk's process" if host["pid"] is None else f"in process {host['pid']}"
    times = f"answered last in {host['last_ms']:g} ms, at most {host['longest_ms']:g} ms"
    behind = f", {host['behind']} moments behind" if host["behind"] else ""
    restarts = f", started again {host['restarts']} times" if host["restarts"] else ""
    return f"{', '.join(host['strategies'])} {where}, {times}{behind}{restarts}"


def events(limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What happened, newest first: fills, refusals, alerts, splits, ends of days."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).pages("/system/events", limit=limit)
        if as_json:
            print_items(items)
            return
        rows = [[one["at"], one["level"], one["kind"], one["message"]] for one in items]
        print_table(["at", "level", "kind", "message"], rows, empty="Nothing has happened yet.")
