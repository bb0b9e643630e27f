"""The guide for authors: what it quotes is what the examples hold, and its other code runs."""

import re
from pathlib import Path

import pytest

from evenkeel.domain.strategies import Scalar
from evenkeel.trading.strategies import Registry, TemplateInfo

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python(?: test)?\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n", 1)[0][:40] for block in BLOCKS])
def test_code_in_the_guide_is_true(block: str) -> None:
    quoted = re.match(r"# (examples/\S+\.py)\n(.*)", block, flags=re.DOTALL)
    if quoted:
        assert quoted[2] in (ROOT / quoted[1]).read_text(encoding="utf-8")
    else:
        exec(compile(block, "docs/strategies.md", "exec"), {})


def plain(value: Scalar) -> str:
    return value if isinstance(value, str) else f"{value:g}"


@pytest.mark.parametrize("info", Registry().infos(), ids=lambda info: info.name)
def test_the_guide_lists_every_parameter_with_its_default(info: TemplateInfo) -> None:
    (row,) = [line for line in GUIDE.splitlines() if line.startswith(f"| `{info.name}` |")]
    _, alias, parameters, rule = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert alias == (", ".join(f"`{alias}`" for alias in info.aliases) or "–")
    defaults = {one.name: "no" if one.default is False else plain(one.default) for one in info.parameters}
    assert parameters == (", ".join(f"`{name}` {default}" for name, default in defaults.items()) or "–")
    assert rule


def test_the_guide_lists_the_library_in_order() -> None:
    table = GUIDE[GUIDE.index("| template | alias |") :]
    assert tuple(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)) == Registry().names()
