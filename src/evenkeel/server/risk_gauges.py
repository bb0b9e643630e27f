"""Every account's exposure and tail risk for the metrics: measured when they are read, and at most every 15 seconds."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from evenkeel.desk.risk.books import Book, books_of
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import Question, figures
from evenkeel.quant.risk import Tail
from evenkeel.server import status
from evenkeel.server.parts import AppParts
from evenkeel.telemetry.metrics import Risk

log = structlog.get_logger(__name__)
EVERY = 15.0
TAILS = (Tail(confidence=0.95), Tail(confidence=0.99))


class RiskGauges:
    """`refresh` before `risks` are read. `clock` is seconds."""

    def __init__(self, parts: AppParts, daily: DailyCloses, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts, self._daily, self._clock = parts, daily, clock
        self._due = 0.0
        self.risks: Sequence[Risk] = ()

    async def refresh(self) -> None:
        """Measures anew where the last time is long enough ago."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + EVERY
        state = self._parts.runner.state
        books = [(held.account.name, books_of(state, [held])[0]) for held in state.accounts.values()]
        question = Question(status.now(self._parts), TAILS)
        try:
            found = await asyncio.to_thread(lambda: [self._of(name, book, question=question) for name, book in books])
        except Exception:  # stores fail in ways of their own, and none of them may hide the other metrics
            log.exception("the risk of accounts could not be measured; the metrics leave it out")
            found = []
        self.risks = found

    def _of(self, name: str, book: Book, *, question: Question) -> Risk:
        found = figures(book, self._daily, question=question)
        answered = {f"{one.tail.confidence:g}": one.risk for one in found.tails if one.risk is not None}
        return Risk(
            account_id=book.accounts[0],
            account=name,
            gross=book.exposure.gross,
            net=book.exposure.net,
            volatility=None if found.together is None else found.together.volatility,
            tails={confidence: (risk.var, risk.cvar) for confidence, risk in answered.items()},
        )
