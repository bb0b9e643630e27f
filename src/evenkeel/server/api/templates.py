"""Templates: the code there is, and users' configurations of it, which are templates to their user.

A configuration is saved under a name, version by version; what was saved never changes. It is named wherever a template
is, `my-trend` for its newest version and `my-trend@3` for one of them.
"""

import asyncio
import time
from collections.abc import Mapping

from fastapi import Depends, Request, Response
from msgspec.structs import asdict

from evenkeel.desk.permissions import Permission
from evenkeel.domain.configurations import (
    Configuration,
    ConfiguredMember,
    Range,
    Saved,
    difference,
    parsed,
)
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.strategies import Scalar
from evenkeel.server import configurations as c
from evenkeel.server import requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.ports import Templates
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.strategies.configured import Chosen, choose, info_of, settled

_PATH = f"{PREFIX}/strategies/templates"
_ONE = f"{_PATH}/{{template}}"
_NOTHING = Chosen("", "", {})


async def list_templates(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What can be deployed and tested, with its parameters: the code there is, then the user's configurations."""
    wire.query(request, requests.NoQuery)
    templates = await asyncio.to_thread(parts.templates)
    saved = await parts.configurations.newest(seen.user.id)
    shown = [c.template(info) for info in templates.infos()]
    shown += [c.template(info_of(one, templates)) for one in saved if templates.has(one.configuration.template)]
    return wire.Json(s.Page(shown))


async def get_template(
    template: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """One template; of a configuration, any of its versions, archived or not."""
    query = wire.query(request, c.VersionQuery)
    templates = await asyncio.to_thread(parts.templates)
    saved = await _found(seen, parts, template, templates=templates, version=query.version)
    if saved is None:
        return wire.Json(c.TemplateDetail(**c.fields_of(templates.info(template))))
    return wire.Json(c.TemplateDetail(**c.fields_of(info_of(saved, templates)), configuration=c.configuration(saved)))


async def _found(
    seen: Tenant, parts: AppParts, reference: str, *, templates: Templates, version: int | None = None
) -> Saved | None:
    """The user's configuration; None where there is none, or where a template has the name."""
    name, named = parsed(reference)
    if templates.has(name):
        return None
    return await parts.configurations.find(seen.user.id, name, version if version is not None else named)


async def _saved(seen: Tenant, parts: AppParts, name: str, *, version: int | None = None) -> Saved:
    """Raises NotFound."""
    found = await parts.configurations.find(seen.user.id, name, version)
    if found is None:
        which = f"{name}@{version}" if version is not None else name
        raise NotFound(f"there is no configuration {which!r}", hint="GET /api/v2/strategies/templates lists them.")
    return found


async def save_template(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Saves a template as it is to be used, under a new name or as the next version; the same again is no new one."""
    given = await wire.body(request, c.NewConfiguration)
    fields = wire.Fields()
    wanted = _wanted(given, fields)
    fields.check("the configuration is not valid")
    templates = await asyncio.to_thread(parts.templates)
    named = {one.template: await _usable(seen, parts, one.template, templates=templates) for one in wanted.members}
    members = {reference: saved for reference, saved in named.items() if saved is not None}
    configuration = await asyncio.to_thread(settled, given.name, wanted, templates, saved=members)
    now = time.time_ns()
    version = templates.info(configuration.template).version
    saved = await parts.configurations.save(
        seen.user.id, given.name, configuration=configuration, template_version=version, at=now
    )
    status = 201 if saved.created_at == now else 200
    return wire.Json(c.configuration(saved), status, {"location": f"{_PATH}/{saved.name}?version={saved.version}"})


def _wanted(given: c.NewConfiguration, fields: wire.Fields) -> Configuration:
    check_printable(given.parameters, fields)
    for place, member in enumerate(given.members):
        check_printable(member.parameters, fields, at=f"members.{place}.")
    return Configuration(
        template=given.template,
        parameters=given.parameters,
        ranges={name: Range(**asdict(one)) for name, one in given.ranges.items()},
        members=tuple(ConfiguredMember(**asdict(one)) for one in given.members),
        size=fields.size("size", given.size),
        description=given.description,
    )


def check_printable(parameters: Mapping[str, Scalar], fields: wire.Fields, *, at: str = "") -> None:
    """Faults of texts that no database would take, or nobody see."""
    for name, value in parameters.items():
        if isinstance(value, str) and not value.isprintable():
            fields.fault(f"{at}parameters.{name}", "expected printable characters only")


async def _usable(seen: Tenant, parts: AppParts, reference: str, *, templates: Templates) -> Saved | None:
    """What a reference names, unless it was archived."""
    found = await _found(seen, parts, reference, templates=templates)
    return found if found is not None and found.archived_at is None else None


async def chosen(
    seen: Tenant,
    parts: AppParts,
    reference: str,
    *,
    values: Mapping[str, Scalar],
    fields: wire.Fields,
    field: str,
    even_archived: bool = False,
) -> Chosen:
    """The template or configuration that `reference` names, with `values`; what is wrong goes to `fields`."""
    check_printable(values, fields)
    templates = await asyncio.to_thread(parts.templates)
    saved = await _found(seen, parts, reference, templates=templates)
    if saved is not None and saved.archived_at is not None and not even_archived:
        fields.fault(field, f"{saved.name} was archived; restore it first")
        return _NOTHING
    try:
        return await asyncio.to_thread(choose, templates, reference, values, saved=saved)
    except NotFound as error:
        fields.fault(field, f"{error.message}. {error.hint or ''}".strip())
    except InvalidInput as error:
        fields.faults.extend(error.errors or (FieldError("parameters", error.message),))
    return _NOTHING


async def list_template_versions(
    template: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every version of a configuration, newest first."""
    query = wire.query(request, requests.PageQuery)
    await _saved(seen, parts, template)
    found, cursor = await parts.configurations.versions(seen.user.id, template, limit=query.limit, cursor=query.cursor)
    return wire.Json(s.Page([c.configuration(one) for one in found], cursor))


async def compare_template_versions(
    template: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What differs between two versions of a configuration, value by value."""
    query = wire.query(request, c.DifferenceQuery)
    after = await _saved(seen, parts, template, version=query.after)
    before = await _saved(seen, parts, template, version=query.before or max(1, after.version - 1))
    changes = [c.ChangeOut(**asdict(one)) for one in difference(before.configuration, after.configuration)]
    return wire.Json(c.DifferenceOut(c.configuration(before), c.configuration(after), changes))


async def archive_template(
    template: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Takes a configuration, with all its versions, out of use. What runs with it goes on."""
    return await _archived(template, seen, parts, at=time.time_ns())


async def restore_template(
    template: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Takes an archived configuration back into use."""
    return await _archived(template, seen, parts, at=None)


async def _archived(name: str, seen: Tenant, parts: AppParts, *, at: int | None) -> Response:
    await _saved(seen, parts, name)
    await parts.configurations.archive(seen.user.id, name, at)
    return wire.Json(c.configuration(await _saved(seen, parts, name)))


_NAMES = ("get_template", "list_template_versions", "compare_template_versions", "archive_template")
_LINKS = tuple(Link(name, "template", "name") for name in _NAMES)
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_templates, needs=Permission.READ, summary="Templates",
             tag="strategies", query=requests.NoQuery, answers={200: s.Page[c.TemplateOut]}),
    Endpoint(method="POST", path=_PATH, handler=save_template, needs=Permission.TRADE, summary="Save a configuration",
             tag="strategies", body=c.NewConfiguration, answers={200: c.ConfigurationOut, 201: c.ConfigurationOut},
             errors=(409,), links=_LINKS),
    Endpoint(method="GET", path=_ONE, handler=get_template, needs=Permission.READ, summary="A template",
             tag="strategies", query=c.VersionQuery, answers={200: c.TemplateDetail}),
    Endpoint(method="GET", path=f"{_ONE}/versions", handler=list_template_versions, needs=Permission.READ,
             summary="Versions", tag="strategies", query=requests.PageQuery,
             answers={200: s.Page[c.ConfigurationOut]}),
    Endpoint(method="GET", path=f"{_ONE}/difference", handler=compare_template_versions, needs=Permission.READ,
             summary="What differs between versions", tag="strategies", query=c.DifferenceQuery,
             answers={200: c.DifferenceOut}),
    Endpoint(method="POST", path=f"{_ONE}/archive", handler=archive_template, needs=Permission.TRADE,
             summary="Archive a configuration", tag="strategies", answers={200: c.ConfigurationOut}),
    Endpoint(method="POST", path=f"{_ONE}/restore", handler=restore_template, needs=Permission.TRADE,
             summary="Restore a configuration", tag="strategies", answers={200: c.ConfigurationOut}),
)  # fmt: skip
