"""Pages that are watched: a fault on the console, a foreign host or a broken content policy fails the test."""

import re
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, expect

from tests.e2e.desks import PASSWORD, USER, Demo

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
# Whoever has not signed in yet is asked for a session by the cookie, and there is none.
FIRST_VISIT = r"401 \(Unauthorized\).*/api/v2/auth/refresh"
# A server that was killed answers nothing, which the browser tells on the console whatever the page does about it.
SERVER_GONE = r"net::ERR_|WebSocket connection to"
_LOCAL = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:")
_REPORT = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`Content policy: ${event.violatedDirective} ${event.blockedURI}`))"""


class Watch:
    """Everything that went wrong in one browser context."""

    def __init__(self, context: BrowserContext) -> None:
        self.faults: list[str] = []
        self.policies: dict[str, str] = {}
        self.requests: list[str] = []
        self._expected = [FIRST_VISIT]
        context.add_init_script(_REPORT)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("request", self._asked)
        context.on("response", self._answered)

    def expect(self, *patterns: str) -> None:
        """Console errors of this test that belong to what it does."""
        self._expected += patterns

    def unexpected(self) -> list[str]:
        return [fault for fault in self.faults if not any(re.search(pattern, fault) for pattern in self._expected)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _asked(self, request: Request) -> None:
        self.requests.append(f"{request.method} {request.url}")
        if not _LOCAL.match(request.url):
            self.faults.append(f"asked another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.request.resource_type == "document":
            self.policies[response.url] = response.headers.get("content-security-policy", "")


class Screen:
    """A page with the words of the desk."""

    def __init__(self, page: Page, demo: Demo, watch: Watch) -> None:
        self.page = page
        self.demo = demo
        self.watch = watch

    def open(self) -> None:
        """A signed-in desk: the session's cookie comes by a request, as the form would bring it."""
        answer = self.page.context.request.post(
            f"{self.demo.url}/api/v2/auth/login", data={"username": USER, "password": PASSWORD}
        )
        assert answer.ok, answer.text()
        self.page.goto(self.demo.url)
        self.is_live()

    def beside(self) -> "Screen":
        """The same desk in another tab."""
        other = Screen(self.page.context.new_page(), self.demo, self.watch)
        other.page.goto(self.demo.url)
        other.is_live()
        return other

    def reload(self) -> None:
        self.page.reload()
        self.is_live()

    def is_live(self, seconds: float = 30) -> None:
        expect(self.at("connection-state")).to_have_attribute("data-kind", "live", timeout=seconds * 1000)
        expect(self.at("account-row")).to_have_count(3, timeout=seconds * 1000)

    def at(self, name: str) -> Any:
        return self.page.get_by_test_id(name)

    def sign_in(self, username: str, password: str) -> None:
        self.at("login-username").fill(username)
        self.at("login-password").fill(password)
        self.at("login-submit").click()

    def fill_ticket(self, account: str, symbol: str, quantity: str, **more: str) -> None:
        """Opens the ticket and fills it: `kind`, `tif`, `limit_price`, `stop_price` by their values."""
        if not self.at("ticket-quantity").is_visible():
            self.at("ticket-open").click()
        self.at("ticket-account").select_option(label=f"{account} · PAPER")
        self.at("ticket-symbol").select_option(symbol)
        for name in ("kind", "tif"):
            if name in more:
                self.at(f"ticket-{name}").select_option(more[name])
        self.at("ticket-quantity").fill(quantity)
        for name in ("stop_price", "limit_price"):
            if name in more:
                self.at(f"ticket-{name.replace('_', '-')}").fill(more[name])

    def review(self, account: str, symbol: str, quantity: str, **more: str) -> None:
        self.fill_ticket(account, symbol, quantity, **more)
        self.at("ticket-review").click()
        expect(self.at("ticket-submit")).to_be_enabled()

    def result(self, *states: str) -> None:
        """Waits until the ticket shows its order in one of the states."""
        pattern = re.compile("|".join(f"^{state}$" for state in states))
        expect(self.at("ticket-result")).to_have_attribute("data-state", pattern, timeout=15_000)

    def overflows(self) -> list[str]:
        """What reaches beyond the right edge of the window, and so makes it scroll sideways."""
        script = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
          [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
            .map((one) => one.outerHTML.slice(0, 120))"""
        found: list[str] = self.page.evaluate(script)
        return found
