"""Tests mirror the rooms: whoever knows where the code is knows where its tests are."""

from pathlib import Path

from tests.services import ROOT
from tests.tidy.sources import SRC, files

TESTS = ROOT / "tests"
BESIDE_THE_ROOMS = {"tidy", "scenarios", "e2e", "contracts", "chaos", "data", "examples", "benchmarks", "simulator"}
SMALL = 60  # lines of code under which a room's tests may lie in its neighbours'


def rooms(parent: Path) -> list[str]:
    """Sub-packages of a package that hold more than a few lines."""
    found = {path.relative_to(parent).parts[0] for path in files(".py", under=parent) if path.parent != parent}
    return sorted(name for name in found if size(parent / name) > SMALL)


def size(room: Path) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files(".py", under=room))


def has_tests(folder: Path, name: str) -> bool:
    return any((folder / name).rglob("test_*.py")) or any(folder.glob(f"test_{name}*.py"))


def test_every_room_has_tests_of_its_name() -> None:
    assert [name for name in rooms(SRC) if not has_tests(TESTS, name)] == []


def test_every_room_of_trading_has_tests_of_its_name() -> None:
    assert [name for name in rooms(SRC / "trading") if not has_tests(TESTS / "trading", name)] == []


def test_no_tests_lie_in_a_room_that_does_not_exist() -> None:
    tested = {path.relative_to(TESTS).parts[0] for path in files(".py", under=TESTS) if path.parent != TESTS}
    assert sorted(tested - BESIDE_THE_ROOMS - {path.name for path in SRC.iterdir()}) == []


def test_every_test_file_is_found_by_its_name() -> None:
    """A file that pytest does not collect is a helper, and helpers hold no tests."""
    lost = [
        str(path.relative_to(ROOT))
        for path in files(".py", under=TESTS)
        if not path.name.startswith("test_") and "\ndef test_" in path.read_text(encoding="utf-8")
    ]
    assert lost == []
