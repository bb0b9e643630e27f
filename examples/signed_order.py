"""Places an order with a signed request: `python signed_order.py http://127.0.0.1:8000 robot.json ACCOUNT`.

`robot.json` is what `evenkeel apikey create robot --scope trade --signed --json` printed. The key itself is not sent.
"""

import json
import sys
from pathlib import Path
from urllib.request import Request, urlopen

from evenkeel.desk.signing import signed_headers


def place(server: str, made: dict[str, str], order: dict[str, str]) -> dict[str, str]:
    """The order as it was committed. Raises HTTPError with the problem as its body."""
    url, body = f"{server}/api/v2/trading/orders", json.dumps(order).encode()
    headers = signed_headers(made["secret"], made["signing_secret"], method="POST", url=url, body=body)
    request = Request(url, body, {"Content-Type": "application/json", **headers})
    with urlopen(request, timeout=10) as answer:
        placed: dict[str, str] = json.load(answer)
    return placed


if __name__ == "__main__":
    server, kept, account = sys.argv[1:]
    bought = {"account_id": account, "symbol": "AAPL", "side": "BUY", "quantity": "1", "kind": "MARKET"}
    print(place(server, json.loads(Path(kept).read_text(encoding="utf-8")), bought)["state"])
