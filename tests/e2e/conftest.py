"""One browser and one demo a module; every page is watched and must end without a fault."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.chaos.processes import short_folder
from tests.e2e.desks import Demo
from tests.e2e.pages import ARGUMENTS, DESKTOP, Screen, Watch
from tests.services import ROOT, unavailable

WAIT_MS = 15_000
MakeDemo = Callable[..., Demo]
MakeScreen = Callable[..., Screen]


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Closed with its module: what drives it keeps an event loop running, which other tests could not bear."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def make_demo() -> Iterator[MakeDemo]:
    """`make_demo(*arguments, password=...)` starts a demo; all of them end with the module."""
    if not (ROOT / "src" / "evenkeel" / "server" / "static" / "index.html").exists():
        unavailable("the web desk has not been built: run `make web`")
    with ExitStack() as stack:

        def make(*arguments: str, **options: Any) -> Demo:
            folder: Path = stack.enter_context(short_folder())
            demo = Demo(folder, *arguments, **options)
            stack.callback(demo.stop)
            demo.start()
            return demo

        yield make


@pytest.fixture
def make_screen(browser: Browser) -> Iterator[MakeScreen]:
    """`make_screen(demo, viewport=..., color_scheme=...)` opens a watched page of a person of its own."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def make(demo: Demo, **options: Any) -> Screen:
        look = {"viewport": DESKTOP, "reduced_motion": "reduce", "timezone_id": "America/New_York"}
        context = browser.new_context(**{**look, **options})
        context.set_default_timeout(WAIT_MS)
        watch = Watch(context)
        opened.append((context, watch))
        return Screen(context.new_page(), demo, watch)

    yield make
    faults = [fault for _, watch in opened for fault in watch.unexpected()]
    for context, _ in opened:
        context.close()
    assert faults == []


@pytest.fixture
def screen(make_screen: MakeScreen, demo: Demo) -> Screen:
    """A signed-in desk at the size of a laptop."""
    opened = make_screen(demo)
    opened.open()
    return opened
