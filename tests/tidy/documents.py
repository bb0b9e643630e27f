"""Examples in our Markdown pages, and how each kind is run. The fence says what a block is, in words renderers ignore:

- `bash test`, `python test`: run, and must succeed; the blocks of one page share a folder and run in order
- `console test`: lines after `$ ` are run, the lines below must appear in the output; `…` stands for anything
- `console demo`: as `console test`, with a demo running in the home that `EVENKEEL_HOME` names (tests/cli/test_docs.py)
- `bash server`: starts Evenkeel; it must become ready, show the desk and stop on Ctrl+C
- `bash make`: targets that a test cannot run inside itself; they must exist

A Python block that opens with `# examples/name.py` is an excerpt: that file holds these very lines, and tests run it.
A block in one of these languages without such a word is an error, so that no example goes unwatched.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.services import ROOT
from tests.tidy.sources import files, text

RUNNABLE = {"bash", "sh", "console", "python"}
MODES = {"test", "demo", "server", "make", "excerpt"}
EXCERPT = re.compile(r"# (examples/\S+\.py)\n")
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    mode: str
    body: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    return [path for path in files(".md") if "node_modules" not in path.parts]


def blocks(page: Path) -> list[Block]:
    return [read(page, found) for found in FENCE.finditer(text(page))]


def read(page: Path, found: re.Match[str]) -> Block:
    language, *words = [*found["info"].split(), ""] if found["info"].strip() else ["", ""]
    indent = len(found["indent"])
    body = "\n".join(line[indent:] for line in found["body"].splitlines())
    line = text(page).count("\n", 0, found.start()) + 1
    mode = "excerpt" if language == "python" and EXCERPT.match(body) else words[0]
    return Block(page=page, line=line, language=language, mode=mode, body=body)


def excerpt(block: Block) -> tuple[Path, str]:
    """(the file, the lines it must hold)."""
    opening = EXCERPT.match(block.body)
    assert opening is not None
    return ROOT / opening[1], block.body[opening.end() :].strip()


def console_steps(body: str) -> list[tuple[str, list[str]]]:
    """(command, expected lines) of each `$ ` line; a command goes on after a closing backslash."""
    steps: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif steps and steps[-1][0].endswith("\\") and not steps[-1][1]:
            steps[-1] = (f"{steps[-1][0]}\n{line}", [])
        elif steps and line.strip():
            steps[-1][1].append(line.strip())
    return steps


def missing_lines(expected: list[str], output: str) -> list[str]:
    """Expected lines that do not follow one another in the output."""
    printed = iter([line.strip() for line in output.splitlines()])
    return [line for line in expected if line != "…" and not any(matches(line, candidate) for candidate in printed)]


def matches(expected: str, line: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), line) is not None
