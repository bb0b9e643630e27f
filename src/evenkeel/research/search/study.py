"""A study: what a search has found so far, in a file that a kill cannot spoil; done combinations are not run again.

JSON lines: first what the study is of, then one line a combination. Lines are appended and flushed to the disk in
groups; a line cut short by a kill or a power cut is dropped at the next start. A study of other bars, another
strategy or other terms is refused, never mixed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec
import numpy as np

from evenkeel.domain.errors import Conflict, InvalidInput, NotReady
from evenkeel.domain.strategies import Scalar
from evenkeel.market.columns import COLUMNS
from evenkeel.research.backtest import mtm
from evenkeel.research.search.bench import Bench, Span, Trial
from evenkeel.research.search.figures import Figures
from evenkeel.research.search.source import source_of

if TYPE_CHECKING:
    import polars as pl

SUFFIX = ".jsonl"
_FORM = "evenkeel-study-1"
_RULES = 2  # by which figures are worked out: raised where the same search would find others, so that none are mixed
_CODE = (
    " The code is that of the strategy, with the functions, classes and values that it names; a study begun by a "
    "version that looked at its class alone is not gone on with either."
)


class OtherStudy(InvalidInput):
    """The file holds a study of other bars, another strategy or other terms."""


class Entry(NamedTuple):
    """A combination that has been run."""

    params: dict[str, Scalar]
    span: Span | None
    figures: Figures


def key_of(params: Mapping[str, Scalar], span: Span | None) -> str:
    """What makes a trial the same trial."""
    return msgspec.json.encode((sorted(params.items()), span)).decode()


class Study:
    """An open study. `found` has the figures of what was run before, by `key_of`; `add` keeps more of them."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Opens or begins the study at `path`.

        Raises InvalidInput for a file of something else, and Conflict while another process writes to it.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _locked(path)
        try:
            lines = _whole_lines(self._file)
            if lines:
                _check_header(path, lines[0], header)
            else:
                self._write([json.dumps({"form": _FORM, **header}, sort_keys=True)])
            entries = _entries(path, lines[1:])
        except BaseException:
            self._file.close()
            raise
        self.found = {key_of(entry.params, entry.span): entry.figures for entry in entries}

    def add(self, entries: Iterable[tuple[Trial, Figures]]) -> None:
        """Appends them, and returns once they are on the disk. Raises NotReady where they cannot be written."""
        lines = []
        for trial, figures in entries:
            self.found[key_of(trial.params, trial.span)] = figures
            spoken: dict[str, Any] = {"params": trial.params, "figures": figures}
            lines.append(json.dumps(spoken | ({"span": trial.span} if trial.span else {})))
        if lines:
            self._write(lines)

    def _write(self, lines: Iterable[str]) -> None:
        """All of them or, where the disk is full, none: what was there before stays as it was."""
        left, length = memoryview("".join(f"{line}\n" for line in lines).encode()), self._file.seek(0, os.SEEK_END)
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(length)
            raise NotReady(
                f"the study {self.path} cannot be written: {error.strerror or error}",
                hint="What was written stays. Make room; the same search then goes on where it was.",
            ) from error

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def path_of(study: str | Path, header: Mapping[str, Any] | None = None) -> Path:
    """The file of a study: the path given; NAME alone is NAME.jsonl in the working folder.

    In a folder it is named by its header, so that the same search finds it and another one does not.
    """
    path = Path(study)
    if header is not None and path.is_dir():
        return path / f"{_digest(json.dumps(header, sort_keys=True))}{SUFFIX}"
    return path if path.suffix else path.with_suffix(SUFFIX)


def read_study(study: str | Path) -> pl.DataFrame:
    """A study's table so far: parameters, the span's start and end (ns) where it has one, then figures.

    Raises InvalidInput where the file is no study.
    """
    import polars as pl

    path = path_of(study)
    if not path.is_file():
        raise InvalidInput(f"there is no study {path}")
    with path.open("rb") as file:
        lines = file.read().split(b"\n")[:-1]
    if not lines:
        raise InvalidInput(f"{path} is empty: nothing of a study has been written yet")
    _header(path, lines[0])
    rows = []
    for entry in _entries(path, lines[1:]):
        span = {"start": entry.span.start, "end": entry.span.end} if entry.span else {}
        rows.append({**entry.params, **span, **entry.figures})
    return pl.DataFrame(rows, infer_schema_length=None)


def header_of(bench: Bench[Any]) -> dict[str, Any]:
    """What a study is of: names for people, and a digest of each thing that its figures depend on."""
    from evenkeel import __version__

    terms = {name: getattr(bench.terms, name) for name in bench.terms.__slots__ if name != "mtm"}
    if bench.terms.mtm:
        terms["mtm"] = mtm.plain(bench.terms.mtm)
    prices = sha256()
    for bars in bench.series:
        prices.update(f"{bars.instrument_id} {bars.timeframe} {bars.instrument}".encode())
        for name in COLUMNS:
            prices.update(np.ascontiguousarray(getattr(bars, name)).tobytes())
    return {
        "strategy": f"{bench.strategy.name} {bench.strategy.version}",
        "code": _digest(source_of(bench.strategy)),
        "bars": prices.hexdigest()[:16],
        "terms": _digest(repr(msgspec.to_builtins(terms, enc_hook=repr, str_keys=True))),
        "engine": bench.engine,
        "risk_free": bench.risk_free,
        "figures": list(bench.names),
        "rules": _RULES,
        "evenkeel": __version__,
    }


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _locked(path: Path) -> FileIO:
    import fcntl

    file = path.open("a+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Conflict(f"another process is writing to the study {path}", hint="Wait for it, or stop it.") from error
    return file


def _whole_lines(file: FileIO) -> list[bytes]:
    """The lines of the file; what follows the last line end, or a last line that does not read, is cut off."""
    file.seek(0)
    content = file.read()
    *lines, torn = content.split(b"\n")
    length = len(content) - len(torn)
    if lines and not _reads(lines[-1]):
        length -= len(lines.pop()) + 1
    if length != len(content):
        file.truncate(length)
    return lines


def _reads(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _header(path: Path, line: bytes) -> dict[str, Any]:
    header = json.loads(line) if _reads(line) else None
    if not isinstance(header, dict) or header.get("form") != _FORM:
        raise InvalidInput(f"{path} is not a study", hint="Name another file; this one is left as it is.")
    return header


def _check_header(path: Path, line: bytes, wanted: Mapping[str, Any]) -> None:
    header = _header(path, line)
    other = [name for name, value in wanted.items() if header.get(name) != value]
    if other:
        said = ", ".join(f"{name} ({header.get(name)}, now {wanted[name]})" for name in other)
        raise OtherStudy(
            f"the study {path} is of something else: {said} differ",
            hint=f"Give this search another study name, or remove the file.{_CODE if 'code' in other else ''}",
        )


def _entries(path: Path, lines: Iterable[bytes]) -> list[Entry]:
    entries = []
    for number, line in enumerate(lines, start=2):
        try:
            said = json.loads(line)
            span = Span(*said["span"]) if "span" in said else None
            entries.append(Entry(said["params"], span, said["figures"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f"line {number} of the study {path} does not read: {error}") from error
    return entries
