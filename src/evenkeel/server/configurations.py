"""What the API takes and says of templates and of users' configurations of them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field, to_builtins
from msgspec.structs import asdict

from evenkeel.domain import clock
from evenkeel.domain.configurations import LONGEST_NAME, NAME, Saved
from evenkeel.domain.strategies import Scalar
from evenkeel.server.requests import END, TEXT, Reference, Size
from evenkeel.server.schemas import Moment, ParameterOut
from evenkeel.trading.strategies.registry import TemplateInfo

Source = Literal["built-in", "package", "file", "saved"]
_SOURCES: dict[str, Source] = {"built-in": "built-in", "package": "package", "saved": "saved"}
ConfigurationName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=f"{NAME.removesuffix('$')}{END}",
        description=f"at most {LONGEST_NAME} small letters and digits, in words joined by - or _",
    ),
]
_DESCRIPTION = Meta(max_length=2000, pattern=TEXT, description="at most 2000 printable characters")
Above = Annotated[float, Meta(gt=0, description="a number above 0")]


class RangeIn(Struct, forbid_unknown_fields=True):
    """Both ends included; `step` is how a sweep goes through it."""

    minimum: int | float
    maximum: int | float
    step: int | float | None = None


class MemberIn(Struct, forbid_unknown_fields=True):
    """`template` names one, or a configuration."""

    template: Reference
    parameters: dict[Reference, Scalar] = {}
    weight: Above = 1.0


class NewConfiguration(Struct, forbid_unknown_fields=True):
    """A template as it is to be used: parameters, the ranges they may be set in, size; `members` of an ensemble."""

    name: ConfigurationName
    template: Reference
    parameters: dict[Reference, Scalar] = {}
    ranges: dict[Reference, RangeIn] = {}
    members: Annotated[list[MemberIn], Meta(max_length=50)] = []
    size: Size = field(default_factory=Raw)
    description: Annotated[str, _DESCRIPTION] = ""


_Version = Annotated[int, Meta(ge=1, le=999_999_999, description="a version from 1")]


class VersionQuery(Struct, forbid_unknown_fields=True):
    """Without a version, the newest."""

    version: _Version | None = None


class DifferenceQuery(Struct, forbid_unknown_fields=True):
    """Without `before`, the version before `after`; without `after`, the newest."""

    before: _Version | None = None
    after: _Version | None = None


class TemplateOut(Struct):
    """A template, or a configuration of one, which is told by its `source`."""

    id: str
    name: str
    version: str
    title: str
    description: str
    parameters: list[ParameterOut]
    form: str
    source: Source


class RangeOut(Struct):
    minimum: int | float
    maximum: int | float
    step: int | float | None


class MemberOut(Struct):
    """`configuration` is the one it was made from, with its version."""

    template: str
    parameters: dict[str, Scalar]
    weight: float
    configuration: str | None


class ConfigurationOut(Struct):
    """One version of a configuration; `id` is how it is referred to, `template_version` that of the code it was of."""

    id: str
    name: str
    version: int
    template: str
    template_version: str
    parameters: dict[str, Scalar]
    ranges: dict[str, RangeOut]
    members: list[MemberOut]
    size: dict[str, Scalar] | None
    description: str
    created_at: Moment
    archived_at: Moment | None


class TemplateDetail(TemplateOut):
    configuration: ConfigurationOut | None = None


class ChangeOut(Struct):
    """One value that differs; null where there is none."""

    field: str
    before: Scalar | None
    after: Scalar | None


class DifferenceOut(Struct):
    before: ConfigurationOut
    after: ConfigurationOut
    changes: list[ChangeOut]


def fields_of(info: TemplateInfo) -> dict[str, Any]:
    """A template as it is shown, field by field."""
    parameters = [
        ParameterOut(one.name, str(one.type), one.default, one.minimum, one.maximum, one.description)
        for one in info.parameters
    ]
    same = {name: getattr(info, name) for name in ("name", "version", "title", "description", "form")}
    source = _SOURCES.get(info.source.partition(" ")[0], "file")
    return same | {"id": info.name, "parameters": parameters, "source": source}


def template(info: TemplateInfo) -> TemplateOut:
    return TemplateOut(**fields_of(info))


def configuration(saved: Saved) -> ConfigurationOut:
    held = saved.configuration
    return ConfigurationOut(
        id=saved.reference,
        name=saved.name,
        version=saved.version,
        template=held.template,
        template_version=saved.template_version,
        parameters=held.parameters,
        ranges={name: RangeOut(**asdict(one)) for name, one in held.ranges.items()},
        members=[MemberOut(**asdict(one)) for one in held.members],
        size=None if held.size is None else to_builtins(held.size),
        description=held.description,
        created_at=clock.iso(saved.created_at),
        archived_at=None if saved.archived_at is None else clock.iso(saved.archived_at),
    )
