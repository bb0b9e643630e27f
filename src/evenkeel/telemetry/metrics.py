"""Every metric's name, once, and the registry of one process. Nothing is exported before it has a value.

Counters and histograms are plain numbers touched on the event loop; `render` turns them into the Prometheus text
format, asking the collectors it was given (such as the accounts' figures) at that moment.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Portfolio(NamedTuple):
    """One account at this moment: value in its currency, cumulative return and drawdown as fractions."""

    account_id: str
    account: str
    value: float
    total_return: float
    drawdown: float
    positions: int


class Risk(NamedTuple):
    """What one account is exposed to in its currency, the yearly volatility of what it holds, None where that is not
    known, and (VaR, CVaR) of a day by confidence."""

    account_id: str
    account: str
    gross: float
    net: float
    volatility: float | None
    tails: dict[str, tuple[float, float]]


class Compared(NamedTuple):
    """How an account was compared with its broker: how often in all, how often that failed since the start, how many
    positions differed the last time, when that was (ns), and for how many seconds it has not been ready."""

    times: int = 0
    failed: int = 0
    differences: int = 0
    at: int = 0
    away: float = 0.0


class Sender(NamedTuple):
    """How one account sends at this moment: requests waiting by lane, seconds the oldest has waited, and tokens at
    hand, None where nothing limits it; and how it has been compared with its broker."""

    account_id: str
    account: str
    tokens: float | None
    waiting: dict[str, int]
    oldest: float
    compared: Compared = Compared()


class _Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_BOUNDS, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, float]]:
        found, seen = [], 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self.counts, strict=True):
            seen += count
            found.append((bound, float(seen)))
        return found


class Metrics(Collector):
    """The metrics of one process."""

    def __init__(self, version: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.orders_placed = 0
        self.order_errors = 0
        self.loop_lag = 0.0
        self.stream_clients = 0
        self._version, self._clock, self._started = version, clock, clock()
        self._stages: dict[str, _Histogram] = {}
        self._portfolios: Callable[[], Iterable[Portfolio]] = tuple
        self._risks: Callable[[], Iterable[Risk]] = tuple
        self._senders: Callable[[], Iterable[Sender]] = tuple
        self._panics: Callable[[], dict[str, int]] = dict
        self._feed: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._journal: Callable[[], tuple[int, int]] | None = None
        self._hosts: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0)
        self._exchanges = _Histogram()
        self._optimizations: dict[str, _Histogram] = {}
        self._webhooks: dict[str, _Histogram] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def watch_portfolios(self, portfolios: Callable[[], Iterable[Portfolio]]) -> None:
        """Asks `portfolios` for the accounts' figures at each scrape."""
        self._portfolios = portfolios

    def watch_risks(self, risks: Callable[[], Iterable[Risk]]) -> None:
        """Asks `risks` for the accounts' risk at each scrape."""
        self._risks = risks

    def watch_feed(self, feed: Callable[[], tuple[int, int]]) -> None:
        """Asks at each scrape how many instruments are silent, and whether (1) the feed stands still."""
        self._feed = feed

    def watch_sending(self, senders: Callable[[], Iterable[Sender]], panics: Callable[[], dict[str, int]]) -> None:
        """Asks at each scrape how the accounts send, and how many panics are in which state."""
        self._senders, self._panics = senders, panics

    def watch_journal(self, journal: Callable[[], tuple[int, int]]) -> None:
        """Asks `journal` for (last committed sequence, projection lag) at each scrape."""
        self._journal = journal

    def watch_hosts(self, hosts: Callable[[], tuple[int, int, int]]) -> None:
        """Asks `hosts` at each scrape for (strategy hosts at work, restarts so far, moments not yet answered)."""
        self._hosts = hosts

    def observe_exchange(self, seconds: float) -> None:
        """How long one user's strategies took to answer what they were told."""
        self._exchanges.observe(seconds)

    def observe_optimization(self, objective: str, seconds: float) -> None:
        """How long the desk took to find the weights of an objective, prices included."""
        self._optimizations.setdefault(objective, _Histogram()).observe(seconds)

    def observe_webhook(self, outcome: str, seconds: float) -> None:
        """How long a delivery to a webhook took to be answered, and what was made of it."""
        self._webhooks.setdefault(outcome, _Histogram()).observe(seconds)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """How long an order took to reach `stage` (received, decided, committed, sent, acknowledged, filled).

        The stages `queued-` and a lane are how long a request waited for its turn where a limit holds.
        """
        held = self._stages.get(stage)
        if held is None:
            held = self._stages[stage] = _Histogram()
        held.observe(seconds)

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily("orders_placed", "Orders placed: attempts, refused ones included", self.orders_placed)
        yield CounterMetricFamily(
            "order_errors", "Orders declined, refused, rejected, never sent or in doubt", self.order_errors
        )
        if self.orders_placed:
            rate = 1.0 - min(1.0, self.order_errors / self.orders_placed)
            yield GaugeMetricFamily("order_success_rate", "Share of orders placed that met no error", rate)
        yield from self._portfolio_metrics()
        yield from self._risk_metrics()
        yield from self._sending_metrics()
        yield from self._stage_metrics()
        yield from self._host_metrics()
        yield from self._optimization_metrics()
        yield from self._webhook_metrics()
        yield GaugeMetricFamily("event_loop_lag_seconds", "Longest recent delay of the event loop", self.loop_lag)
        yield GaugeMetricFamily(
            "evenkeel_uptime_seconds", "Time since the process started", self._clock() - self._started
        )
        yield GaugeMetricFamily("evenkeel_stream_clients", "Open streams", self.stream_clients)
        yield InfoMetricFamily("evenkeel_build", "The running version", {"version": self._version})
        if self._journal is not None:
            seq, lag = self._journal()
            yield GaugeMetricFamily("evenkeel_journal_seq", "Last committed record", seq)
            yield GaugeMetricFamily("evenkeel_projection_lag_records", "Records the projections have not seen", lag)

    def _portfolio_metrics(self) -> Iterator[Metric]:
        portfolios = list(self._portfolios())
        if not portfolios:
            return
        gauges: tuple[tuple[str, str, Callable[[Portfolio], float]], ...] = (
            ("portfolio_total_value", "Equity in the account's currency", lambda one: one.value),
            ("portfolio_return", "Cumulative return as a fraction", lambda one: one.total_return),
            ("portfolio_drawdown", "Fraction below the peak, positive", lambda one: one.drawdown),
            ("portfolio_positions", "Open positions", lambda one: one.positions),
        )
        for name, text, value in gauges:
            gauge = GaugeMetricFamily(name, text, labels=("account", "account_id"))
            for one in portfolios:
                gauge.add_metric((one.account, one.account_id), value(one))
            yield gauge

    def _risk_metrics(self) -> Iterator[Metric]:
        one, each = ("account", "account_id"), ("account", "account_id", "confidence")
        gross = GaugeMetricFamily("portfolio_gross_exposure", "Value of longs and shorts", labels=one)
        net = GaugeMetricFamily("portfolio_net_exposure", "Value of longs less shorts", labels=one)
        spread = GaugeMetricFamily("portfolio_volatility", "Of what is held, by the year, as a fraction", labels=one)
        var = GaugeMetricFamily("portfolio_value_at_risk", "Loss of a day that is seldom exceeded", labels=each)
        cvar = GaugeMetricFamily("portfolio_expected_shortfall", "Mean loss of the days beyond it", labels=each)
        for risk in self._risks():
            labels = (risk.account, risk.account_id)
            gross.add_metric(labels, risk.gross)
            net.add_metric(labels, risk.net)
            if risk.volatility is not None:
                spread.add_metric(labels, risk.volatility)
            for confidence, (loss, beyond) in risk.tails.items():
                var.add_metric((*labels, confidence), loss)
                cvar.add_metric((*labels, confidence), beyond)
        yield from (family for family in (gross, net, spread, var, cvar) if family.samples)

    def _sending_metrics(self) -> Iterator[Metric]:
        tokens = GaugeMetricFamily(
            "evenkeel_send_tokens", "Requests an account may send at once", labels=("account", "account_id")
        )
        queue = GaugeMetricFamily(
            "evenkeel_send_queue", "Requests that wait to be sent", labels=("account", "account_id", "lane")
        )
        oldest = GaugeMetricFamily(
            "evenkeel_send_oldest_seconds", "How long the oldest has waited", labels=("account", "account_id")
        )
        for one in self._senders():
            oldest.add_metric((one.account, one.account_id), one.oldest)
            if one.tokens is not None:
                tokens.add_metric((one.account, one.account_id), one.tokens)
            for lane, waiting in one.waiting.items():
                queue.add_metric((one.account, one.account_id, lane), waiting)
        yield from (family for family in (tokens, queue, oldest) if family.samples)
        yield from self._compared_metrics()
        halts = GaugeMetricFamily("evenkeel_panics", "Panics in force", labels=("state",))
        for state, count in self._panics().items():
            halts.add_metric((state,), count)
        if halts.samples:
            yield halts

    def _compared_metrics(self) -> Iterator[Metric]:
        one, each = ("account", "account_id"), ("account", "account_id", "result")
        rounds = CounterMetricFamily("evenkeel_reconciles", "Reconciles of an account with its broker", labels=each)
        differing = GaugeMetricFamily("evenkeel_reconcile_differences", "Positions that differed last", labels=one)
        last = GaugeMetricFamily("evenkeel_reconcile_seconds", "When the last was, since 1970", labels=one)
        away = GaugeMetricFamily("evenkeel_account_away_seconds", "For how long it has not been ready", labels=one)
        for sender in self._senders():
            labels, seen = (sender.account, sender.account_id), sender.compared
            rounds.add_metric((*labels, "complete"), seen.times)
            rounds.add_metric((*labels, "failed"), seen.failed)
            differing.add_metric(labels, seen.differences)
            last.add_metric(labels, seen.at / 1e9)
            away.add_metric(labels, seen.away)
        yield from (family for family in (rounds, differing, last, away) if family.samples)
        silent, stalled = self._feed()
        yield GaugeMetricFamily("evenkeel_feed_silent", "Instruments of which no price has come for too long", silent)
        yield GaugeMetricFamily("evenkeel_feed_stalled", "1 where a replay should go on and does not", stalled)

    def _host_metrics(self) -> Iterator[Metric]:
        if not sum(self._exchanges.counts):
            return
        hosts, restarts, behind = self._hosts()
        name = "evenkeel_strategy"
        yield GaugeMetricFamily(f"{name}_hosts", "Processes that run strategies", hosts)
        yield CounterMetricFamily(f"{name}_host_restarts", "Strategy hosts started again after they had died", restarts)
        yield GaugeMetricFamily(f"{name}_moments_behind", "Moments of the market not yet answered", behind)
        family = HistogramMetricFamily(f"{name}_exchange_seconds", "Time one user's strategies take to answer")
        family.add_metric((), buckets=self._exchanges.buckets(), sum_value=self._exchanges.sum)
        yield family

    def _optimization_metrics(self) -> Iterator[Metric]:
        if not self._optimizations:
            return
        name, text = "optimization_duration_seconds", "Time to find the weights of an objective"
        family = HistogramMetricFamily(name, text, labels=("objective",))
        for objective, held in self._optimizations.items():
            family.add_metric((objective,), buckets=held.buckets(), sum_value=held.sum)
        yield family

    def _webhook_metrics(self) -> Iterator[Metric]:
        """The counts of the histogram are the deliveries by what was made of them."""
        if not self._webhooks:
            return
        name, text = "evenkeel_webhook_seconds", "Time to answer a delivery to a webhook"
        family = HistogramMetricFamily(name, text, labels=("outcome",))
        for outcome, held in self._webhooks.items():
            family.add_metric((outcome,), buckets=held.buckets(), sum_value=held.sum)
        yield family

    def _stage_metrics(self) -> Iterator[Metric]:
        if not self._stages:
            return
        family = HistogramMetricFamily(
            "order_stage_seconds", "Time from one stage of an order's life to the next", labels=("stage",)
        )
        for stage, held in self._stages.items():
            family.add_metric((stage,), buckets=held.buckets(), sum_value=held.sum)
        yield family
