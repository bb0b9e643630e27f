"""kill -9 of a real server while alerts come in: each is one order, and whoever sends again gets its answer."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from tests.chaos.processes import short_folder
from tests.e2e.desks import Api, Demo, until

pytestmark = pytest.mark.slow
ROUNDS, SENDERS = 4, 6


def webhook(api: Api) -> str:
    """The address of a webhook of an account with room."""
    account = api.client.post("/accounts", json={"name": "Told", "cash": "1000000"}).json()["id"]
    limits = {"max_position_share": None, "daily_loss": None, "max_trades_per_day": None}
    api.client.patch(f"/accounts/{account}/limits", json=limits).raise_for_status()
    body = {"name": "Crossing", "account_id": account, "per_minute": 6000, "window": 600, "max_age": 600}
    answer = api.client.post("/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["path"])


def bodies(round_: int) -> list[dict[str, Any]]:
    """Alerts of each identity: by id, by timestamp, and by the body alone."""
    entry: dict[str, Any] = {"symbol": "AAPL", "action": "buy"}
    stamp: dict[str, Any] = {"timestamp": int(time.time() * 1000)}
    return [
        entry | {"quantity": f"{round_ * 10 + number + 1}"} | more
        for number, more in enumerate(({"id": f"round {round_}"}, stamp, {}, {"id": f"and {round_}"}, stamp, {}))
    ]


class Sender:
    """Sends alerts until it is told to stop; keeps what was answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, set[bytes]] = {}
        self.stop = threading.Event()

    def send(self, body: dict[str, Any]) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not self.stop.is_set():
                self.once(client, body)

    def once(self, client: httpx.Client, body: dict[str, Any]) -> bool:
        try:
            answer = client.post(self.url, json=body)
        except httpx.TransportError:
            time.sleep(0.01)
            return False
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            self.answers.setdefault(str(body), set()).add(answer.content)
        return answer.status_code == 200


def take(sender: Sender, alerts: list[dict[str, Any]]) -> None:
    """Sends each alert until it is taken: one that comes after a later one would be out of order, and declined."""
    with httpx.Client(trust_env=False, timeout=10) as client:
        for alert in alerts:
            until(partial(sender.once, client, alert), "the alert is taken", 30)


def test_f30_each_alert_is_one_order_across_kills() -> None:
    """F30: at moments drawn anew each time, in the middle of repeats of six alerts."""
    seed = random.Random(30)
    with short_folder() as folder:
        demo = Demo(folder)
        try:
            demo.start()
            api = demo.api()
            api.steer("pause")
            sender, every = Sender(f"{demo.url}{webhook(api)}"), list[dict[str, Any]]()
            for round_ in range(ROUNDS):
                every += bodies(round_)
                with ThreadPoolExecutor(SENDERS) as pool:
                    sender.stop.clear()
                    sent = [pool.submit(sender.send, body) for body in every[-SENDERS:]]
                    time.sleep(seed.uniform(0.005, 0.25))
                    demo.kill()
                    sender.stop.set()
                    for one in sent:
                        one.result()
                demo.start()
                take(sender, every[-SENDERS:])
            take(sender, every)
            api = demo.api()
            placed = [one for one in api.every("/trading/orders") if one["source"] == "webhook"]
            assert sorted(one["quantity"] for one in placed) == sorted(body["quantity"] for body in every)
            assert {len(answers) for answers in sender.answers.values()} == {1}, "the same answer each time"
            assert len(sender.answers) == len(every)
        finally:
            demo.stop()
        assert demo.doctor()["ok"]
