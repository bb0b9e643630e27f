"""Every example in our pages runs as printed, every file they name exists, every link leads somewhere."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx
import pytest

from tests.services import ROOT, compiled_code, pick_port
from tests.tidy.documents import MODES, RUNNABLE, Block, blocks, console_steps, excerpt, missing_lines, pages
from tests.tidy.sources import text

BIN = Path(sys.executable).parent
READY_SECONDS = 60
STOP_SECONDS = 20
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")


def environment(home: Path) -> dict[str, str]:
    """A user of their own: nothing of the caller's settings, data or make run reaches the example."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"EVENKEEL_|MAKE|MFLAGS|ARGS$|CI$", name)}
    path = f"{BIN}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {
        **kept,
        **compiled_code(),
        "PATH": path,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "EVENKEEL_HOME": str(home / "evenkeel"),
    }


def run(command: list[str], *, folder: Path, home: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def perform(block: Block, *, folder: Path, home: Path) -> None:
    if block.language == "python":
        run([sys.executable, "-W", "error", "-c", block.body], folder=folder, home=home)
    elif block.language == "console":
        for command, expected in console_steps(block.body):
            output = run(["bash", "-euo", "pipefail", "-c", command], folder=folder, home=home)
            assert missing_lines(expected, output) == [], f"{command}\nprinted:\n{output}"
    else:
        run(["bash", "-euo", "pipefail", "-c", block.body], folder=folder, home=home)


def test_every_example_says_how_it_is_run() -> None:
    silent = [
        block.where
        for page in pages()
        for block in blocks(page)
        if block.language in RUNNABLE and block.mode not in MODES
    ]
    assert silent == [], "see tests/tidy/documents.py for the words a fence takes"


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in pages() if any(block.mode == "test" for block in blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_examples_run_as_printed(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    for shown in ("examples", ".venv"):
        if (ROOT / shown).is_dir():
            (folder / shown).symlink_to(ROOT / shown)
    for block in blocks(page):
        if block.mode == "test":
            perform(block, folder=folder, home=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [block for page in pages() for block in blocks(page) if block.mode == "server"],
    ids=lambda block: block.where,
)
def test_servers_start_as_printed(block: Block, tmp_path: Path) -> None:
    port = pick_port()
    command, variables = on_port(block.body, port)
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=ROOT,
            env={**environment(tmp_path), **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_ready(server, port=port, log=tmp_path / "log")
        assert "<html" in httpx.get(f"http://127.0.0.1:{port}/").text
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGINT)
        stopped = wait(server)
    printed = text(tmp_path / "log")
    assert stopped, f"it did not stop on Ctrl+C:\n{printed}"
    assert "Traceback" not in printed, printed


def on_port(command: str, port: int) -> tuple[str, dict[str, str]]:
    """The command moved to a free port: by its own option, by make's ARGS, or by an option added to it."""
    if "--port" in command:
        return re.sub(r"--port[ =]\d+", f"--port {port}", command), {}
    if command.lstrip().startswith("make"):
        return command, {"ARGS": f"--port {port}"}
    return f"{command.rstrip()} --port {port}", {}


def wait_until_ready(server: subprocess.Popen[bytes], *, port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"it did not become ready:\n{log.read_text(encoding='utf-8')}")


def wait(server: subprocess.Popen[bytes]) -> bool:
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        return False
    return True


def test_excerpts_stand_in_their_files() -> None:
    cuts = [(block, *excerpt(block)) for page in pages() for block in blocks(page) if block.mode == "excerpt"]
    assert [block.where for block, source, lines in cuts if not source.exists() or lines not in text(source)] == []


def test_make_targets_named_in_pages_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))
    named = {target: block.where for page in pages() for block in blocks(page) for target in TARGET.findall(block.body)}
    assert {target: place for target, place in named.items() if target not in known} == {}


def test_links_lead_to_files() -> None:
    broken = [
        f"{page.relative_to(ROOT)} → {link}"
        for page in pages()
        for link in LINK.findall(text(page))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_data_in_pages_can_be_read() -> None:
    readers = {"json": json.loads, "toml": tomllib.loads}
    for page in pages():
        for block in blocks(page):
            if block.language in readers:
                try:
                    readers[block.language](block.body)
                except ValueError as fault:
                    pytest.fail(f"{block.where} is not {block.language}: {fault}")


def test_blocks_are_read_as_renderers_read_them() -> None:
    body = "$ evenkeel a \\\n  --b\nfirst\n…\n$ evenkeel c\n"
    assert console_steps(body) == [("evenkeel a \\\n  --b", ["first", "…"]), ("evenkeel c", [])]
    assert missing_lines(["a … c", "d"], "x\na b c\nd\n") == []
    assert missing_lines(["d", "a … c"], "x\na b c\nd\n") == ["a … c"]
