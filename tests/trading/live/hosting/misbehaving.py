"""Strategies that go wrong in every way there is, and one that does not: each at a close of 13, for tests to know when.

A worker runs this file, so that it imports what a strategy may, and nothing of the tests.
"""

import ctypes
import os
import time

from evenkeel.domain.marketdata import Bar
from evenkeel.trading.strategies import Context, Strategy

UNLUCKY = 13.0


class Steady(Strategy):
    """Buys one at every bar and remembers how many bars it has seen; that it began it prints."""

    name = "steady"

    def __init__(self) -> None:
        self.bars = 0

    def on_start(self, ctx: Context) -> None:
        print(f"begins after {self.bars} bars")

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.bars += 1
        ctx.buy(1)
        if bar.close == UNLUCKY:
            self.misbehave(ctx)

    def misbehave(self, ctx: Context) -> None:
        """This one does not."""

    def state(self) -> bytes | None:
        return self.bars.to_bytes(4, "big")

    def restore(self, state: bytes) -> None:
        self.bars = int.from_bytes(state, "big")


class Endless(Steady):
    name = "endless"

    def misbehave(self, ctx: Context) -> None:
        while True:
            self.bars += 1
            self.bars -= 1


class Slow(Steady):
    name = "slow"

    def misbehave(self, ctx: Context) -> None:
        time.sleep(1.5)


class Unhurried(Steady):
    """Well within its deadline each time, but not the many of it together."""

    name = "unhurried"

    def misbehave(self, ctx: Context) -> None:
        time.sleep(0.2)


class Leaving(Steady):
    name = "leaving"

    def misbehave(self, ctx: Context) -> None:
        os._exit(3)


class Falling(Steady):
    name = "falling"

    def misbehave(self, ctx: Context) -> None:
        ctypes.string_at(0)


class Hungry(Steady):
    name = "hungry"

    def misbehave(self, ctx: Context) -> None:
        held = [bytes(16 << 20)]
        while True:
            held.append(bytes(16 << 20))


class Chatty(Steady):
    name = "chatty"

    def misbehave(self, ctx: Context) -> None:
        for _ in range(20_000):
            ctx.buy(1)


class Wordy(Steady):
    """Remembers more than is kept."""

    name = "wordy"

    def misbehave(self, ctx: Context) -> None:
        self.bars = 1 << 40

    def state(self) -> bytes | None:
        return super().state() if self.bars < 1 << 30 else bytes(5 << 20)


class Mumbling(Steady):
    """Raises words that no database takes."""

    name = "mumbling"

    def misbehave(self, ctx: Context) -> None:
        raise ValueError("\udc80\0 and so on" + "!" * 5_000)


class Deaf(Steady):
    """Closes every door it has, and sleeps."""

    name = "deaf"

    def misbehave(self, ctx: Context) -> None:
        os.closerange(3, 256)
        time.sleep(0.05)


class Printing(Steady):
    name = "printing"

    def misbehave(self, ctx: Context) -> None:
        print("out of luck:", 13)
        print("x" * 10_000)
        for number in range(5_000):
            print("line", number)


class Waiting(Steady):
    """Never gets through its history."""

    name = "waiting"

    def on_warmup(self, ctx: Context, bar: Bar) -> None:
        while True:
            time.sleep(0.01)


class Looking(Steady):
    """Prints what it can see of its surroundings."""

    name = "looking"

    def misbehave(self, ctx: Context) -> None:
        print("sees", ",".join(sorted(os.environ)))
