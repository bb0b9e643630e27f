"""Before a desk opens: a home keeps to its mode, and a start that fails leaves nobody with an unknown password."""

import subprocess
import sys
from pathlib import Path

import pytest

from evenkeel.bootstrap import serve
from evenkeel.cli.doors import ServePlan
from evenkeel.domain.errors import Conflict, NotFound


def test_a_home_belongs_to_the_demo_or_to_trading_for_good(tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("up\n", encoding="utf-8")
    with pytest.raises(Conflict, match="is a home of `evenkeel up`, not of `evenkeel demo`"):
        serve(ServePlan(mode="demo", home=tmp_path, port=0))


def test_a_start_without_a_market_makes_no_user(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from evenkeel.bootstrap import serve; from evenkeel.cli.doors import ServePlan;"
        f"serve(ServePlan(mode='up', home=Path({str(tmp_path)!r}), port=0, feed='replay'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert NotFound.__name__ in done.stderr
    assert "there are no bars in this home to replay" in done.stderr
    listed = subprocess.run(
        [sys.executable, "-c", "from evenkeel.bootstrap import main; main()", "user", "list", "--home", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "owner" not in listed.stdout.replace("username", "")
