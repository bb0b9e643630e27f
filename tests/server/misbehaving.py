"""Strategies that misbehave. A worker loads this file by its path, as it would a user's own."""

import os
import signal
import time

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Params, whole


class Stuck(SignalStrategy):
    """Does not answer for a long time."""

    name = "stuck"
    parameters = (whole("seconds", 600),)

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        time.sleep(params.whole("seconds"))
        return np.zeros(len(bars))


class Crashing(Stuck):
    """Takes its process with it."""

    name = "crashing"

    def signals(self, bars: Bars, params: Params) -> Floats:
        os.kill(os.getpid(), signal.SIGKILL)
        return np.zeros(len(bars))


class Raising(Stuck):
    """Prints, then fails by a fault of its own."""

    name = "raising"

    def signals(self, bars: Bars, params: Params) -> Floats:
        print('{"type": "finished", "summary": {}}', flush=True)
        raise ZeroDivisionError("of its own making")


MISBEHAVING = (Stuck, Crashing, Raising)
