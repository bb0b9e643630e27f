"""Templates by name, from files and from installed packages."""

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.trading.strategies import Registry, SignalStrategy, check_strategy, load_template, registry
from tests.trading.strategies import authors

GOOD = """
import numpy as np
from evenkeel.trading.strategies import SignalStrategy

class AlwaysLong(SignalStrategy):
    name = "always-long"

    def warmup(self, params):
        return 0

    def signals(self, bars, params):
        return np.ones(len(bars))
"""


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_built_in_templates() -> None:
    assert Registry().names() == (
        "sma-crossover",
        "ema-crossover",
        "macd",
        "momentum",
        "supertrend",
        "donchian-breakout",
        "volatility-breakout",
        "obv",
        "rsi",
        "stochastic",
        "bollinger",
        "mean-reversion",
        "vwap-reversion",
        "support-resistance",
        "buy-and-hold",
        "trend-filter",
        "ensemble",
        "pairs",
        "cross-sectional-momentum",
        "rebalanced-weights",
        "panel-ensemble",
    )
    info = Registry().info("sma-crossover")
    assert (info.form, info.source) == ("signal", "built-in")
    assert [parameter.name for parameter in info.parameters] == ["fast", "slow", "allow_short"]
    assert [info.name for info in Registry().infos()] == list(Registry().names())


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("sma-cross", "sma-crossover"),
        ("ema-cross", "ema-crossover"),
        ("donchian", "donchian-breakout"),
        ("bollinger-bands", "bollinger"),
    ],
)
def test_a_template_is_found_by_its_alias(alias: str, name: str) -> None:
    found = Registry()
    assert found.info(alias).name == name
    assert alias in found.info(name).aliases
    assert found.create(alias).name == name
    assert found.examine(alias, found.resolve(alias, {})) is found.examine(name, found.resolve(name, {}))
    assert alias not in found.names()


def test_names_and_aliases_of_the_built_in_templates_are_each_used_once() -> None:
    templates: tuple[registry.AnyTemplate, ...] = (*registry.BUILT_IN, *registry.PANELS)
    words = [word for template in templates for word in (template.name, *template.aliases)]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ('name = "always-long"\n    aliases = ("mine", "macd")', "found by 'macd': that leads to macd (built-in)"),
        ('name = "always-long"\n    aliases = ("sma-cross",)', "'sma-cross': that leads to sma-crossover"),
        ('name = "donchian"', "'donchian': that leads to donchian-breakout"),
    ],
)
def test_an_alias_that_leads_elsewhere_is_refused(tmp_path: Path, change: str, says: str) -> None:
    found = Registry()
    with pytest.raises(Conflict, match=re.escape(says)):
        found.load(written(tmp_path, GOOD.replace('name = "always-long"', change)))
    assert found.names() == Registry().names()


def test_a_file_may_give_aliases_and_be_loaded_again(tmp_path: Path) -> None:
    found = Registry()
    path = written(tmp_path, GOOD.replace('name = "always-long"', 'name = "always-long"\n    aliases = ("long",)'))
    assert found.load(path).aliases == ("long",)
    assert found.load(path).name == found.info("long").name == "always-long"
    written(tmp_path, GOOD)
    found.load(path)
    with pytest.raises(NotFound):
        found.info("long")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(NotFound) as caught:
        Registry().info("x")
    assert "donchian-breakout" in (caught.value.hint or "")


def test_a_template_from_a_file(tmp_path: Path) -> None:
    found = Registry()
    info = found.load(written(tmp_path, GOOD))
    assert (info.name, info.form) == ("always-long", "signal")
    assert found.load(tmp_path / "mine.py").name == "always-long"  # edited and loaded again
    assert isinstance(found.create("always-long"), SignalStrategy)


def test_one_of_several_is_chosen_by_class_name(tmp_path: Path) -> None:
    two = GOOD + GOOD.replace("AlwaysLong", "Second").replace("always-long", "second")
    path = written(tmp_path, two)
    with pytest.raises(InvalidInput, match="it defines AlwaysLong, Second"):
        load_template(path)
    assert load_template(path, "Second").name == "second"
    with pytest.raises(InvalidInput, match="a strategy class Third"):
        load_template(path, "Third")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def broken(:\n", "mine.py line 1: invalid syntax"),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError"),
        ("x = 1\n", "it defines none"),
        ("from evenkeel.trading.strategies.rsi import RsiReversion\n", "it defines none"),
    ],
)
def test_faulty_files_are_explained(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        load_template(written(tmp_path, text))


def test_missing_and_foreign_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no strategy file"):
        load_template(tmp_path / "none.py")
    with pytest.raises(InvalidInput, match="not a Python file"):
        load_template(written(tmp_path, "text", "notes.txt"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace('name = "always-long"', "pass"), "expected a name"),
        (
            lambda text: text.replace('name = "always-long"', 'name, aliases = "always-long", ("always-long",)'),
            "aliases: expected other names than its own",
        ),
        (
            lambda text: text.replace("def signals", "def signal"),
            "signals: missing; write signals(bars, params): targets in",
        ),
        (lambda text: text.replace("def warmup", "def warm"), "write warmup(params): how many bars must lie before"),
        (lambda text: text.replace("np.ones(len(bars))", "np.ones(3)"), "answered shape (3,)"),
        (
            lambda text: text.replace(
                "    def warmup",
                "    from evenkeel.trading.strategies import flag\n"
                "    parameters = (flag('a', True), flag('a', False))\n    def warmup",
            ),
            "declared twice",
        ),
    ],
)
def test_malformed_templates_are_refused(tmp_path: Path, change: Callable[[str], str], says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        Registry().load(written(tmp_path, change(GOOD)))


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="already registered"):
        Registry().load(written(tmp_path, GOOD.replace("always-long", "rsi")))


def test_installed_packages_offer_templates_and_broken_ones_do_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = registry.ENTRY_POINTS
    points = (
        EntryPoint("broken", "no_such_package:Thing", group),
        EntryPoint("sneaky", "tests.trading.strategies.authors:FullSample", group),
        EntryPoint("good", "tests.trading.strategies.authors:EmaTrend", group),
    )
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    found = Registry()
    faults = found.load_entry_points()
    assert len(faults) == 2
    assert "no_such_package" in faults[0]
    assert "looks ahead" in faults[1]
    assert authors.EmaTrend.name in found.names()


@pytest.mark.parametrize("name", ["momentum_signal.py", "dual_momentum.py", "dip_buyer.py"])
def test_the_examples_load_and_pass(name: str) -> None:
    path = Path(__file__).parents[3] / "examples" / name
    report = check_strategy(load_template(path))
    assert report.ok, report.faults
    assert report.targets or report.orders
    assert Registry().load(path).source == str(path)


def test_no_code_branches_on_a_strategys_name() -> None:
    source = Path(registry.__file__).parents[2]
    named = re.compile("|".join(Registry().names()))
    templates: tuple[registry.AnyTemplate, ...] = (*registry.BUILT_IN, *registry.PANELS)
    allowed = {Path(template.__module__.rsplit(".", 1)[1] + ".py").name for template in templates}
    rooms = (source / "trading", source / "research")
    files = [path for room in rooms for path in room.rglob("*.py") if path.name not in allowed]
    guilty = [str(path) for path in files if re.search(rf"[\"'](?:{named.pattern})[\"']", path.read_text())]
    assert guilty == []
