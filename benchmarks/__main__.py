"""`python -m benchmarks [NAME …]`: runs the named benchmarks, or all, and prints one JSON object for each."""

import argparse
import inspect
import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

BENCHMARKS = {
    "orders": ("benchmarks.orders", "orders"),
    "posts": ("benchmarks.order_path", "throughput"),
    "latency": ("benchmarks.order_path", "latency"),
    "webhooks": ("benchmarks.webhooks", "webhooks"),
    "restart": ("benchmarks.restart", "restart"),
    "panic": ("benchmarks.panic", "panic"),
    "copy": ("benchmarks.copy", "copy"),
    "engine": ("benchmarks.engine", "engine"),
    "journal": ("benchmarks.journal", "journal"),
    "queries": ("benchmarks.queries", "queries"),
    "simulator": ("benchmarks.simulator", "simulator"),
    "replay": ("benchmarks.replay", "replay"),
    "strategy-hosts": ("benchmarks.hosts", "strategy_hosts"),
    "startup": ("benchmarks.startup", "startup"),
    "import": ("benchmarks.importing", "importing"),
    "backtest-100k": ("benchmarks.compiled", "backtest_100k"),
    "backtest-1m": ("benchmarks.compiled", "backtest_1m"),
    "month": ("benchmarks.compiled", "month"),
    "strategies-100": ("benchmarks.compiled", "strategies_100"),
    "event-backtest": ("benchmarks.event", "event_backtest"),
    "event-month": ("benchmarks.event", "event_month"),
    "event-idle": ("benchmarks.event", "event_idle"),
    "event-quotes": ("benchmarks.event", "event_quotes"),
    "cold": ("benchmarks.compiled", "cold"),
    "sweep": ("benchmarks.sweeps", "sweep"),
    "optimizers": ("benchmarks.optimizers", "optimizers"),
    "peers": ("benchmarks.peers.compare", "peers"),
}


def benchmark(name: str) -> Callable[..., dict[str, Any]]:
    """The function behind a name; its keyword arguments are the command's options."""
    module, function = BENCHMARKS[name]
    found: Callable[..., dict[str, Any]] = getattr(import_module(module), function)
    return found


def _options(name: str, given: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=benchmark(name).__doc__)
    for option in inspect.signature(benchmark(name)).parameters.values():
        name = f"--{option.name.replace('_', '-')}"
        if option.default is False:
            parser.add_argument(name, action="store_true")
            continue
        kind = str if option.default is None else type(option.default)
        parser.add_argument(name, type=kind, default=option.default)
    return vars(parser.parse_args(given))


def main(arguments: list[str]) -> int:
    """Runs what was asked for; options belong to the one benchmark named before them."""
    names = [argument for argument in arguments if argument in BENCHMARKS]
    options = [argument for argument in arguments if argument not in BENCHMARKS]
    unknown = [option for option in options[:1] if not option.startswith("-")]
    if unknown or (options and len(names) != 1):
        print(f"usage: python -m benchmarks [{' | '.join(BENCHMARKS)}] [--option value …]", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print(json.dumps(benchmark(name)(**_options(name, options)), indent=2), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
