"""Runs the simulated venue: `python -m evenkeel.trading.brokers.simulated.process --book FILE --socket PATH`.

Prints one line of JSON when it listens, with the address and the durability settings as read back.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

import msgspec

from evenkeel.domain.errors import EvenkeelError, InvalidInput
from evenkeel.quant.costs import FillModel, Slippage
from evenkeel.trading.brokers.simulated.process.faults import Misfortune
from evenkeel.trading.brokers.simulated.process.server import Server
from evenkeel.trading.brokers.simulated.process.store import Store
from evenkeel.trading.brokers.simulated.process.venue import Venue
from evenkeel.trading.brokers.simulated.wire import Faults


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulated-venue", description="A simulated broker with a durable book.")
    parser.add_argument("--book", type=Path, required=True, help="the SQLite file of the book; made if missing")
    door = parser.add_mutually_exclusive_group(required=True)
    door.add_argument("--socket", help="the unix socket to listen on")
    door.add_argument("--port", type=int, help="the port of 127.0.0.1 to listen on; 0 takes a free one")
    parser.add_argument("--participation", type=float, default=0.10, help="share of a bar's volume, above 0 to 1")
    parser.add_argument("--slippage-bps", type=float, default=0.0, help="slippage of orders that take liquidity")
    parser.add_argument("--timeframe", default="1d", help="timeframe of the bars it is shown")
    parser.add_argument("--faults", default="{}", help="faults from the start, as JSON, such as '{\"slow\": 0.2}'")
    return parser.parse_args(argv)


async def _run(options: argparse.Namespace) -> None:
    if not 0 < options.participation <= 1:
        raise InvalidInput(f"--participation is above 0 and at most 1, not {options.participation}")
    try:
        faults = msgspec.json.decode(options.faults, type=Faults)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"--faults: {error}", hint="See the fields of Faults in simulated/wire.py.") from error
    store = Store(options.book)
    model = FillModel(Slippage(bps=options.slippage_bps), options.participation)
    venue = Venue(store, model=model, timeframe=options.timeframe)
    venue.misfortune = Misfortune(faults)
    server = Server(venue)
    address = await server.listen(options.socket if options.socket is not None else options.port)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    sys.stdout.write(json.dumps({"listening": address, **store.durability()}) + "\n")
    sys.stdout.flush()
    try:
        await server.ended
    finally:
        await server.close()
        store.close()


def main(argv: list[str] | None = None) -> int:
    try:
        asyncio.run(_run(_arguments(argv)))
    except EvenkeelError as error:
        sys.stderr.write(f"{error.message}\n" + (f"{error.hint}\n" if error.hint else ""))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
