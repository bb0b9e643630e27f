"""The requests shown in docs/api.md are answered as that page says."""

import json
import re

import httpx

from tests.server.world import OWN_ACCOUNT, PASSWORD, World
from tests.services import ROOT

HTTP = re.compile(r"^```http\n(?P<method>[A-Z]+) (?P<path>\S+)\n(?P<headers>.*?)\n\n(?P<body>.*?)^```", re.M | re.S)


async def test_every_request_of_the_page_works(desk: World, nobody: httpx.AsyncClient) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    given = {"PASSWORD": PASSWORD, "ACCOUNT": OWN_ACCOUNT, "TOKEN": await desk.token(desk.owner), "AAPL": "STK"}
    shown = list(HTTP.finditer(page))
    assert len(shown) == 4
    for one in shown:
        headers, body = one["headers"], one["body"]
        for name, value in given.items():
            headers, body = headers.replace(name, value), body.replace(name, value)
        fields = dict(line.split(": ", 1) for line in headers.splitlines())
        answer = await nobody.request(one["method"], one["path"], headers=fields, json=json.loads(body))
        assert answer.status_code in (200, 201, 202), answer.text


def test_every_close_code_and_channel_is_on_the_page() -> None:
    from evenkeel.server.streams import channel, client

    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for code in (client.BAD_TICKET, client.TOO_SLOW, client.TOO_BIG, client.RESTART):
        assert f"| {code} |" in page
    for name in channel.CHANNELS:
        assert f"`{name}`" in page
