"""Generated requests against the whole application, signed in as the owner: no 500, and every answer as documented.

Each operation gets `EVENKEEL_FUZZ_EXAMPLES` examples, else as many as the run's plan says (30, 200 in `make chaos`);
then chains of operations follow the document's links. Responses are checked against their schemas.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test

from evenkeel.server.app import ENDPOINTS
from evenkeel.server.contract import document
from evenkeel.server.listen import listening
from tests.plan import ChaosPlan
from tests.server.world import World, order, signal, world

CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # Rules between fields, such as a limit price for limit orders, are told as 422 too.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422", "429"]},
            # Deleting an order cancels it: it can still be read.
            "use_after_free": {"enabled": False},
            # A made-up Host header is answered by the guard.
            "negative_data_rejection": {"expected-statuses": ["4xx"]},
        },
        # The sign-in is ours; that it is needed is checked apart (ignored_auth).
        "generation": {"with-security-parameters": False},
        "cache": {"enabled": False},
    }
)
SCHEMA = schemathesis.openapi.from_dict(document(ENDPOINTS, "0"), config=CONFIG)


@dataclass
class Served:
    """A desk on a free port, in a thread of its own with its own loop."""

    url: str
    desk: World
    loop: asyncio.AbstractEventLoop

    def headers(self) -> dict[str, str]:
        """A fresh sign-in of the owner."""
        token = asyncio.run_coroutine_threadsafe(self.desk.token(self.desk.owner), self.loop).result(10)
        return {"Authorization": f"Bearer {token}"}


async def _fill(desk: World) -> None:
    """Something of everything, so that lists are not empty."""
    async with await desk.signed_in() as client:
        for body in (
            order(time_in_force="GTC"),
            order(quantity="9000"),
            order(kind="LIMIT", limit_price="5", time_in_force="GTC"),
        ):
            await client.post("/api/v2/trading/orders", json=body)
    await desk.runner.submit(signal(desk.runner.state.time, 1.0))
    for day in range(4):
        await desk.next_bar(10.0 + day)


async def _serve(ready: Any, stop: asyncio.Event) -> None:
    async with world() as desk:
        await _fill(desk)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with listening(desk.app, sockets=[listener]):
                ready(Served(url, desk, asyncio.get_running_loop()))
                await stop.wait()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    found: list[Served] = []
    is_ready = threading.Event()
    stop = asyncio.Event()

    def ready(made: Served) -> None:
        found.append(made)
        is_ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(_serve(ready, stop)), name="served", daemon=True)
    thread.start()
    assert is_ready.wait(30)
    yield found[0]
    found[0].loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()


def _examples(plan: ChaosPlan) -> int:
    return int(os.environ.get("EVENKEEL_FUZZ_EXAMPLES", plan.api_examples))


OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
QUIET = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_the_limits_of_every_parameter_are_as_documented(operation: Any, served: Served, chaos_plan: ChaosPlan) -> None:
    """`SCHEMA.parametrize` would work out every case of every operation already when tests are looked for."""

    @settings(QUIET, phases=(Phase.explicit,))
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=served.url, headers=served.headers())

    modes = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE]
    config = HypothesisTestConfig(project=SCHEMA.config, modes=modes, seed=chaos_plan.seed)
    create_test(operation=operation, test_func=check, config=config)()


@pytest.mark.parametrize("mode", MODES, ids=lambda one: one.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_no_request_upsets_an_operation(
    operation: Any, mode: GenerationMode, served: Served, chaos_plan: ChaosPlan
) -> None:
    headers = served.headers()

    @seed(chaos_plan.seed)
    @settings(QUIET, max_examples=_examples(chaos_plan), phases=(Phase.generate, Phase.shrink))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=served.url, headers=headers)

    with suppress(Unsatisfiable):  # an operation that takes nothing has no wrong input
        check()


def test_chains_along_the_links_hold_together(served: Served, chaos_plan: ChaosPlan) -> None:
    """The desk remembers from chain to chain (a second order with the same id is no new one), which the generator
    takes for a flaky test: it then goes on with another seed, until as many chains have run as were asked for."""
    headers, done, wanted = served.headers(), 0, _examples(chaos_plan)

    class Chain(SCHEMA.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"base_url": served.url, "headers": headers}

        def teardown(self) -> None:
            nonlocal done
            done += 1
            super().teardown()

    for attempt in range(100):
        limits = settings(QUIET, max_examples=wanted - done, stateful_step_count=10, phases=(Phase.generate,))
        with suppress(FlakyStrategyDefinition):
            run_state_machine_as_test(seed(f"{chaos_plan.seed}:{attempt}")(Chain), settings=limits)
        if done >= wanted:
            return
    pytest.fail(f"only {done} of {wanted} chains ran")
