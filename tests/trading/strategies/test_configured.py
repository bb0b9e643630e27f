"""Configurations against templates: settled when saved, put to use by name; and templates from a folder."""

from pathlib import Path

import msgspec
import pytest

from evenkeel.domain.configurations import Configuration, ConfiguredMember, Range, Saved
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.domain.sizing import VolatilityTarget
from evenkeel.trading.strategies.configured import Chosen, choose, info_of, settled
from evenkeel.trading.strategies.registry import Registry

TEMPLATES = Registry()
SIZE = VolatilityTarget(0.1)
GIVEN = Configuration("sma-cross", {"fast": 4}, {"fast": Range(2, 8, 2)}, size=SIZE)
MINE = """
import numpy as np
from evenkeel.trading.strategies import SignalStrategy


class Mine(SignalStrategy):
    name = "{name}"

    def warmup(self, params):
        return {warmup}

    def signals(self, bars, params):
        return np.ones(len(bars))
"""


def saved(configuration: Configuration, name: str = "trend", version: int = 3) -> Saved:
    return Saved("ann", name, version, "1", settled(name, configuration, TEMPLATES, saved={}), 1)


def test_it_is_settled_in_full() -> None:
    found = settled("trend", GIVEN, TEMPLATES, saved={})
    assert found.template == "sma-crossover"
    assert found.parameters == {"fast": 4, "slow": 50, "allow_short": False}
    assert settled("trend", found, TEMPLATES, saved={}) == found


def test_values_given_now_go_first_within_its_ranges() -> None:
    held = saved(GIVEN)
    assert choose(TEMPLATES, "trend", {}, saved=held) == Chosen(
        "sma-crossover", "1", {"fast": 4, "slow": 50, "allow_short": False}, SIZE, "trend@3"
    )
    assert choose(TEMPLATES, "trend", {"fast": 8, "slow": 9}, saved=held).parameters["slow"] == 9
    for values, field in (
        ({"fast": 9}, "parameters.fast"),
        ({"fast": True}, "parameters.fast"),
        ({"x": 1}, "parameters.x"),
    ):
        with pytest.raises(InvalidInput) as refused:
            choose(TEMPLATES, "trend", values, saved=held)
        assert [fault.field for fault in refused.value.errors] == [field]
    assert choose(TEMPLATES, "sma-cross", {}) == Chosen("sma-crossover", "1", TEMPLATES.resolve("sma-crossover", {}))
    with pytest.raises(NotFound):
        choose(TEMPLATES, "trend", {})


def test_it_is_listed_as_a_template_of_its_own() -> None:
    info = info_of(saved(GIVEN), TEMPLATES)
    fast, slow, _ = info.parameters
    assert (info.name, info.version, info.form, info.source) == ("trend", "3", "signal", "saved")
    assert (fast.default, fast.minimum, fast.maximum) == (4, 2, 8)
    assert slow == TEMPLATES.info("sma-crossover").parameters[1]
    assert info.description == "SMA crossover, with parameters of its own."


def test_members_are_what_they_were_when_it_was_saved() -> None:
    trend = saved(GIVEN)
    given = Configuration("ensemble", members=(ConfiguredMember("trend", {"fast": 6}, 2.0), ConfiguredMember("rsi")))
    found = settled("both", given, TEMPLATES, saved={"trend": trend})
    first, second = found.members
    assert (first.template, first.parameters["fast"], first.configuration) == ("sma-crossover", 6, "trend@3")
    assert (second.template, second.configuration) == ("rsi", None)
    assert str(found.parameters["members"]).startswith("sma-crossover(fast=6, slow=50, allow_short=false)*2; rsi(")
    chosen = choose(TEMPLATES, "both", {"rule": "performance"}, saved=Saved("ann", "both", 1, "1", found, 1))
    assert (chosen.template, chosen.parameters["rule"]) == ("ensemble", "performance")
    with pytest.raises(InvalidInput) as refused:
        settled("both", given, TEMPLATES, saved={})
    assert [fault.field for fault in refused.value.errors] == ["members.0.template"]


def test_a_template_of_several_instruments_is_saved_like_any_other() -> None:
    assert info_of(saved(Configuration("pairs")), TEMPLATES).form == "panel"
    with pytest.raises(InvalidInput, match="not valid"):
        settled("x", Configuration("ensemble", members=(ConfiguredMember("pairs"),)), TEMPLATES, saved={})


def test_names_of_templates_are_taken() -> None:
    for name in ("rsi", "donchian"):
        with pytest.raises(Conflict):
            settled(name, GIVEN, TEMPLATES, saved={})


def test_code_that_is_gone_is_said() -> None:
    held = saved(GIVEN)
    gone = msgspec.structs.replace(held, configuration=msgspec.structs.replace(held.configuration, template="gone"))
    for use in (lambda: choose(TEMPLATES, "trend", {}, saved=gone), lambda: info_of(gone, TEMPLATES)):
        with pytest.raises(NotFound, match="gone"):
            use()


def test_a_folder_of_files_is_loaded_but_for_the_broken_ones(tmp_path: Path) -> None:
    for name, text in (
        ("one.py", MINE.format(name="one", warmup=0)),
        ("two.py", MINE.format(name="rsi", warmup=0)),
        ("three.py", MINE.format(name="three", warmup="1 / 0")),
        ("four.py", "class Nothing: ..."),
        ("_five.py", "raise RuntimeError('not to be run')"),
        ("six.txt", "no code"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    registry = Registry()
    faults = registry.load_folder(tmp_path)
    assert registry.has("one")
    assert registry.info("one").source == str(tmp_path / "one.py")
    assert not registry.has("three")
    assert [Path(fault.partition(": ")[0]).name for fault in faults] == ["four.py", "three.py", "two.py"]
    assert registry.load_folder(tmp_path / "nothing") == ()
    with pytest.raises(NotFound) as looked_for:
        registry.info("three")
    assert "A file could not be loaded: three.py: " in (looked_for.value.hint or "")
    assert str(tmp_path) not in (looked_for.value.hint or "")
