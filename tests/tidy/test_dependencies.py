"""What we build on: licences that bind no user of ours, a lock that matches the project file, settings all listed."""

import importlib
import json
import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.services import ROOT
from tests.tidy.sources import SRC, source_files, text

STRONG = re.compile(r"\bA?GPL|Affero|GNU General Public|Commons.Clause|\bSSPL|Business Source", re.IGNORECASE)
LESSER = re.compile(r"LGPL|Lesser", re.IGNORECASE)
# Weak copyleft, used unchanged and from outside: drivers that are imported as they come.
LESSER_ALLOWED = {"psycopg", "psycopg-binary"}
# Packages whose metadata name no licence: what their licence file says.
READ_BY_HAND = {"ta-lib": "BSD-2-Clause"}


def locked(name: str) -> dict[str, str]:
    """Canonical name → version of each pin whose marker holds here."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ; (.+?))? \\$", text(ROOT / "requirements" / name), re.MULTILINE)
    return {canonicalize_name(pkg): version for pkg, version, marker in pins if not marker or Marker(marker).evaluate()}


def project() -> dict[str, list[str]]:
    settings = tomllib.loads(text(ROOT / "pyproject.toml"))
    return {"runtime.txt": settings["project"]["dependencies"], "dev.txt": settings["dependency-groups"]["dev"]}


def licence(found: Distribution) -> str:
    """What a package says of its licence; free text only by its first line, where the name stands."""
    classifiers = [line for line in found.metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    expression = found.metadata.get_all("License-Expression") or []
    spoken = "".join(found.metadata.get_all("License") or []).strip().splitlines()
    return " | ".join([*expression, *classifiers, *spoken[:1]])


def binds(name: str, words: str) -> bool:
    """Whether every licence we may choose from is copyleft; "MIT OR GPL-2.0" leaves the choice to us."""
    unwanted = [STRONG] if name in LESSER_ALLOWED else [STRONG, LESSER]
    return all(any(pattern.search(choice) for pattern in unwanted) for choice in words.split(" OR "))


def test_no_runtime_package_has_a_licence_that_binds_users() -> None:
    found: dict[str, str] = {}
    for name in locked("runtime.txt"):
        try:
            words = READ_BY_HAND.get(name) or licence(distribution(name))
        except PackageNotFoundError:
            continue  # a runtime lock of another platform
        if binds(name, words) or not words:
            found[name] = words
    assert found == {}


def test_no_web_package_has_a_licence_that_binds_users() -> None:
    packages = json.loads(text(ROOT / "web" / "package-lock.json"))["packages"]
    shipped = {
        name: entry for name, entry in packages.items() if name and not entry.get("dev") and not entry.get("optional")
    }
    assert {
        name: entry.get("license") for name, entry in shipped.items() if binds(name, str(entry.get("license")))
    } == {}


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_the_lock_holds_what_the_project_asks_for(name: str) -> None:
    asked = [Requirement(line) for line in project()[name]]
    wanted = {canonicalize_name(item.name) for item in asked if not item.marker or item.marker.evaluate()}
    assert sorted(wanted - locked(name).keys()) == [], "run `make lock`"


def test_the_developer_lock_repeats_the_runtime_lock() -> None:
    dev = locked("dev.txt")
    assert {name: pin for name, pin in locked("runtime.txt").items() if dev.get(name) != pin} == {}


def test_installed_packages_are_the_locked_ones() -> None:
    differing = {}
    for name, version in locked("dev.txt").items():
        try:
            installed = distribution(name).version
        except PackageNotFoundError:
            installed = "missing"
        if installed != version:
            differing[name] = (installed, version)
    assert differing == {}, "installed, locked"


def test_every_setting_is_listed_in_the_example() -> None:
    example = ROOT / ".env.example"
    if not example.exists():
        pytest.skip(".env.example is not written yet")
    listed = set(re.findall(r"^#?\s*([A-Z][A-Z0-9_]+)=", text(example), re.MULTILINE))
    assert sorted(setting_names() - listed) == []


def setting_names() -> set[str]:
    """The environment names of every pydantic settings class of the package."""
    from pydantic_settings import BaseSettings

    names: set[str] = set()
    for path in source_files():
        if "BaseSettings" not in text(path):
            continue
        module = importlib.import_module(module_name(path))
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, BaseSettings) and kind is not BaseSettings:
                prefix = kind.model_config.get("env_prefix", "")
                names |= {f"{prefix}{field}".upper() for field in kind.model_fields}
    return names


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SRC.parent).with_suffix("").parts)
