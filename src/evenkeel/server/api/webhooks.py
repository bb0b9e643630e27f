"""Webhooks: addresses at which alerts of other programs become orders; made by their owner, sent to with a token."""

import time
from collections.abc import Sequence

from fastapi import Depends, Request, Response
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from evenkeel.desk.permissions import Permission
from evenkeel.domain.errors import EvenkeelError, Forbidden, NotFound, TooManyRequests
from evenkeel.domain.webhooks import TRADINGVIEW, Webhook, WebhookTerms, differing
from evenkeel.server import schemas as s
from evenkeel.server import webhooks as w
from evenkeel.server import wire
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.api.delivering import deliver
from evenkeel.server.api.trading import find_book, find_instrument
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.gate import peer_of, require_fresh
from evenkeel.server.parts import AppParts
from evenkeel.server.payloads import MOST_BODY
from evenkeel.server.problems import UnsupportedMediaType, status_of
from evenkeel.server.requests import NoQuery
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/webhooks"
_ONE = f"{_PATH}/{{webhook_id}}"
_PRESET = "tradingview"
_TYPES = frozenset({"application/json", "text/plain"})


async def take_alert(token: str, request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """An alert becomes one order of the webhook's account, however often it is sent. 200 means that it is written down
    durably, with what was made of it; an order that risk refuses is that, too. 4xx: it was not taken, and to send it
    again is of no use, but after 408 and 429. 503: nothing could be written, send it again. No broker is waited for.
    The body is JSON, as application/json or text/plain; the token in the address is the sign-in."""
    began, outcome = time.perf_counter(), "failed"
    try:
        address = peer_of(request, parts.doors.proxies)
        hook, _ = await parts.webhooks.heard(token, address)
        kind = (request.headers.get("content-type") or "text/plain").split(";")[0].strip().lower()
        if kind not in _TYPES:
            raise UnsupportedMediaType(f"the body is {kind[:80]}", hint="Send application/json, or text/plain.")
        body = await wire.whole(request, most=MOST_BODY)
        decision, answer = await deliver(parts, hook, body=body, address=address)
        outcome = str(decision)
    except EvenkeelError as error:
        outcome = _outcome(error)
        raise
    finally:
        parts.metrics.observe_webhook(outcome, time.perf_counter() - began)
    return Response(answer, media_type="application/json")


def _outcome(error: EvenkeelError) -> str:
    if isinstance(error, NotFound):
        return "unknown"
    if isinstance(error, TooManyRequests):
        return "too-many"
    return "failed" if status_of(error) >= 500 else "declined"


async def list_webhooks(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Your webhooks, by name. Their tokens are shown nowhere."""
    wire.query(request, NoQuery)
    found = await parts.webhooks.store.all(seen.user.id)
    return wire.Json(s.Page([w.webhook(seen.state, one) for one in found if _sees(seen, one)]))


async def get_webhook(webhook_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """One webhook."""
    return wire.Json(w.webhook(seen.state, await _found(seen, parts, webhook_id)))


def _sees(seen: Tenant, hook: Webhook) -> bool:
    """A key that is confined to some accounts sees their webhooks alone."""
    return seen.by.accounts is None or hook.account_id in seen.by.accounts


async def _found(seen: Tenant, parts: AppParts, webhook_id: str) -> Webhook:
    """Raises NotFound."""
    found = await parts.webhooks.one(seen.user.id, webhook_id)
    if not _sees(seen, found):
        raise NotFound(f"there is no webhook {webhook_id!r}")
    return found


async def create_webhook(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Makes a webhook. Its token is in this answer and nowhere else: whoever has it can place orders in the account."""
    given, fields = await wire.body(request, w.NewWebhook), wire.Fields()
    trading = seen.to(Permission.TRADE)
    if not trading.owns(given.account_id):
        fields.faults.append(unknown_account(trading, "account_id", given.account_id))
    terms = _terms(given, trading, fields)
    fields.check("the webhook cannot be made")
    made, token = await parts.webhooks.create(
        seen.user.id, name=given.name, account_id=given.account_id, terms=terms, enabled=given.enabled
    )
    shown = w.new_webhook(seen.state, made, token)
    await parts.trail.note(seen.user.id, "webhook.create", subject=made.id, after=asdict(shown.webhook))
    return wire.Json(shown, 201, {"location": f"{_PATH}/{made.id}"})


def _terms(
    given: w.NewWebhook | w.WebhookChange, seen: Tenant, fields: wire.Fields, *, known: WebhookTerms | None = None
) -> WebhookTerms:
    """The terms that a body asks for, over those that are known; what is wrong is gathered in `fields`."""
    terms = known or WebhookTerms()
    plainly = {
        name: value
        for name in ("product", "per_minute", "max_age", "window", "in_order")
        if (value := getattr(given, name)) is not UNSET
    }
    if not isinstance(given.book, UnsetType):
        plainly["book"] = find_book(seen, given.book, fields)
    if not isinstance(given.networks, UnsetType):
        plainly["networks"] = _networks(given.networks)
    if bytes(given.quantity):
        plainly["quantity"] = fields.number("quantity", given.quantity)
    if not isinstance(given.symbols, UnsetType):
        plainly["symbols"] = {
            theirs.strip().upper(): find_instrument(seen.state, ours, None, fields=fields, field=f"symbols.{theirs}")
            for theirs, ours in given.symbols.items()
        }
    if not isinstance(given.allowed, UnsetType):
        found = [
            find_instrument(seen.state, one, None, fields=fields, field=f"allowed.{place}")
            for place, one in enumerate(given.allowed)
        ]
        plainly["allowed"] = tuple(dict.fromkeys(found))
    return replace(terms, **plainly)


def _networks(given: Sequence[str]) -> tuple[str, ...]:
    """Networks with the preset written out."""
    found = [part for one in given for part in (TRADINGVIEW if one.strip().lower() == _PRESET else (one.strip(),))]
    return tuple(dict.fromkeys(found))


async def change_webhook(
    webhook_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Changes a webhook; what is left out stays. Needs a sign-in of a moment ago, but to switch it off."""
    given, fields = await wire.body(request, w.WebhookChange), wire.Fields()
    known = await _found(seen, parts, webhook_id)
    if given.given - {"enabled"} or given.enabled is True:
        require_fresh(seen.by, parts)
        if not seen.to(Permission.TRADE).owns(known.account_id):
            raise Forbidden("you may not trade in the account of this webhook any more", hint="Switch it off.")
    terms = _terms(given, seen.to(Permission.TRADE), fields, known=known.terms)
    fields.check("the webhook cannot be changed")
    after = replace(known, terms=terms)
    if not isinstance(given.name, UnsetType):
        after = replace(after, name=given.name)
    if not isinstance(given.enabled, UnsetType):
        after = replace(after, enabled=given.enabled)
    shown = w.webhook(seen.state, await parts.webhooks.change(known, after))
    was, new = differing(asdict(w.webhook(seen.state, known)), asdict(shown))
    await parts.trail.note(seen.user.id, "webhook.change", subject=known.id, before=was, after=new)
    return wire.Json(shown)


async def rotate_webhook(
    webhook_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Gives a webhook another token, shown in this answer alone; the old one ends at once."""
    after, token = await parts.webhooks.rotate(await _found(seen, parts, webhook_id))
    await parts.trail.note(seen.user.id, "webhook.rotate", subject=webhook_id)
    return wire.Json(w.new_webhook(seen.state, after, token))


async def remove_webhook(
    webhook_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Forgets a webhook and its log of deliveries; orders that came of them stay as they are."""
    known = await _found(seen, parts, webhook_id)
    before = asdict(w.webhook(seen.state, known))
    await parts.trail.note(seen.user.id, "webhook.remove", subject=known.id, before=before)
    await parts.webhooks.remove(known)
    return Response(status_code=204)


async def list_deliveries(
    webhook_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What was sent to a webhook and what was made of it, the newest first; kept for 90 days."""
    query = wire.query(request, w.DeliveriesQuery)
    found = await _found(seen, parts, webhook_id)
    only = () if query.decision is None else (str(query.decision),)
    rows, after = await parts.webhooks.store.deliveries(
        found.id, decisions=only, limit=query.limit, cursor=query.cursor
    )
    return wire.Json(s.Page([w.delivery(seen.state, one) for one in rows], after))


_LINKS = (Link("get_webhook", "webhook_id", "webhook/id"), Link("rotate_webhook", "webhook_id", "webhook/id"))
ENDPOINTS = (
    Endpoint(method="POST", path=f"{w.INBOUND}/{{token}}", handler=take_alert, public=True, summary="Send an alert",
             tag="webhooks", body=w.AlertIn, answers={200: w.DeliveredOut}, errors=(403, 404, 409, 429, 503)),
    Endpoint(method="GET", path=_PATH, handler=list_webhooks, needs=Permission.READ, summary="Webhooks",
             tag="webhooks", query=NoQuery, answers={200: s.Page[w.WebhookOut]}),
    Endpoint(method="POST", path=_PATH, handler=create_webhook, needs=Permission.MANAGE, fresh=True,
             summary="Make a webhook", tag="webhooks", body=w.NewWebhook, answers={201: w.NewWebhookOut},
             errors=(409,), links=_LINKS),
    Endpoint(method="GET", path=_ONE, handler=get_webhook, needs=Permission.READ, summary="A webhook", tag="webhooks",
             answers={200: w.WebhookOut}),
    Endpoint(method="PATCH", path=_ONE, handler=change_webhook, needs=Permission.MANAGE, summary="Change a webhook",
             tag="webhooks", body=w.WebhookChange, answers={200: w.WebhookOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/rotate", handler=rotate_webhook, needs=Permission.MANAGE, fresh=True,
             summary="Give a webhook another token", tag="webhooks", answers={200: w.NewWebhookOut}, errors=(409,)),
    Endpoint(method="DELETE", path=_ONE, handler=remove_webhook, needs=Permission.MANAGE, summary="Forget a webhook",
             tag="webhooks", answers={204: None}),
    Endpoint(method="GET", path=f"{_ONE}/deliveries", handler=list_deliveries, needs=Permission.READ,
             summary="What was sent to a webhook", tag="webhooks", query=w.DeliveriesQuery,
             answers={200: s.Page[w.DeliveryOut]}),
)  # fmt: skip
