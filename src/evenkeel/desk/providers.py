"""Issuers elsewhere that say who somebody is: OpenID Connect (Google and any other) and GitHub, which is OAuth 2 alone.

The requests and checks of the protocols are Authlib's; the addresses come from the settings, or from the document that
an issuer of the settings publishes about itself (OpenID Connect Discovery 1.0). Nothing that a browser or an identity
brings names an address, redirects are not followed, and a document may not send us to this machine or its network
unless the issuer itself is there.
"""

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import structlog
from msgspec import Struct

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError, InvalidInput, NotReady, Unauthenticated

if TYPE_CHECKING:
    import httpx

log = structlog.get_logger(__name__)
GOOGLE, GITHUB = "https://accounts.google.com", "https://github.com"
GITHUB_API = "https://api.github.com"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
_SECONDS, _LEEWAY, _KEPT = 10.0, 60, 3600.0
_LARGEST = 256 * 1024


class Client(Struct, frozen=True):
    """How we are known to an issuer. `name` stands in our addresses, `title` on the button."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Client({self.name}, {self.issuer})"


class Asked(Struct, frozen=True):
    """What was sent along when a browser was sent there: all of it random, and used once (RFC 7636 for `verifier`)."""

    redirect_uri: str
    nonce: str
    verifier: str


class Claims(Struct, frozen=True):
    """Who an issuer says came back. `email` is one that it has verified, None where it has not."""

    issuer: str
    subject: str
    email: str | None
    name: str | None = None


class Provider(Protocol):
    @property
    def client(self) -> Client: ...

    async def address(self, asked: Asked, state: str) -> str:
        """Where to send the browser. Raises NotReady where the issuer does not answer."""

    async def claims(self, asked: Asked, code: str) -> Claims:
        """Who it was, for the code that came back. Raises Unauthenticated, NotReady."""


class _Http:
    """Requests to one issuer: over TLS, no redirects, bounded in time and size."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.is_here = _is_loopback(urlsplit(issuer).hostname or "")

    def check(self, address: str) -> str:
        """Raises NotReady for an address that this issuer may not send us to."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        if host == urlsplit(self.issuer).hostname and (parts.scheme == "https" or self.is_here):
            return address
        if parts.scheme != "https" or not host or _is_private(host):
            raise NotReady(f"the issuer {self.issuer} names an address that is not taken: {address[:100]}")
        return address

    async def json(self, method: str, address: str, **options: Any) -> Any:
        """The JSON of an answer. Raises NotReady for no answer, Unauthenticated for a refusal."""
        import httpx

        headers = {"accept": "application/json", **options.pop("headers", {})}
        try:
            async with (
                httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=not self.is_here) as client,
                client.stream(method, self.check(address), headers=headers, **options) as answer,
            ):
                body = await _body(answer)
                if answer.status_code >= 500 or answer.is_redirect:
                    raise NotReady(f"{self.issuer} answered {answer.status_code}", hint="Try again in a while.")
                if answer.status_code >= 400:
                    log.warning("an issuer refused", issuer=self.issuer, status=answer.status_code, said=body[:300])
                    raise Unauthenticated(f"{self.issuer} refused this sign-in", hint="Begin it again.")
                return httpx.Response(200, content=body).json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("an issuer does not answer", issuer=self.issuer, reason=str(error)[:300])
            raise NotReady(f"{self.issuer} does not answer", hint="Sign in by password, or try again.") from error


async def _body(answer: "httpx.Response") -> bytes:
    data = bytearray()
    async for chunk in answer.aiter_bytes():
        data += chunk
        if len(data) > _LARGEST:
            raise ValueError(f"an answer of more than {_LARGEST} bytes")
    return bytes(data)


class OpenId:
    """An issuer of OpenID Connect, by its discovery document."""

    def __init__(self, client: Client, *, wall: Callable[[], int] = time.time_ns) -> None:
        self.client, self._wall = client, wall
        self._http = _Http(client.issuer)
        self._document: dict[str, Any] = {}
        self._read_at = -_KEPT

    async def address(self, asked: Asked, state: str) -> str:
        document = await self._discovered()
        return _authorisation(document["authorization_endpoint"], self.client, asked=asked, state=state,
                              scope="openid email profile", nonce=asked.nonce)  # fmt: skip

    async def claims(self, asked: Asked, code: str) -> Claims:
        document = await self._discovered()
        answer = await self._http.json(
            "POST",
            document["token_endpoint"],
            content=_token_request(asked, code),
            headers={"content-type": "application/x-www-form-urlencoded"},
            auth=_basic(self.client),
        )
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise Unauthenticated(f"{self.client.issuer} did not say who this is", hint="Begin the sign-in again.")
        keys = await self._http.json("GET", document["jwks_uri"])
        return self._checked(token, keys, asked=asked)

    def _checked(self, token: str, keys: Any, *, asked: Asked) -> Claims:
        """The claims of an ID token: its signature, issuer, audience, age and nonce hold (OpenID Core, 3.1.3.7)."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        wanted = {
            "iss": {"essential": True, "value": self.client.issuer},
            "aud": {"essential": True, "value": self.client.client_id},
        }
        try:
            read = jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(ALGORITHMS))
            params = {"nonce": asked.nonce, "client_id": self.client.client_id}
            claims = CodeIDToken(read.claims, read.header, wanted, params)
            claims.validate(self._wall() // SECOND, _LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("an ID token was refused", issuer=self.client.issuer, reason=repr(error)[:200])
            raise Unauthenticated(f"what {self.client.issuer} says does not hold", hint="Begin it again.") from error
        email = claims.get("email") if claims.get("email_verified") is True else None
        return Claims(self.client.issuer, str(claims["sub"]), _text(email), _text(claims.get("name")))

    async def _discovered(self) -> dict[str, Any]:
        from authlib.oidc.discovery import get_well_known_url

        now = self._wall() / SECOND
        if now - self._read_at < _KEPT:
            return self._document
        found = await self._http.json("GET", get_well_known_url(self.client.issuer, external=True))
        if not isinstance(found, dict) or found.get("issuer") != self.client.issuer:
            raise NotReady(f"{self.client.issuer} publishes itself as another issuer", hint="Check the settings.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._http.check(str(found.get(name)))
        self._document, self._read_at = found, now
        return found


class GitHub:
    """GitHub: OAuth 2 with PKCE; who it is, and which addresses are verified, is read from its API."""

    def __init__(self, client: Client, *, api: str = GITHUB_API) -> None:
        self.client, self._api = client, api
        self._http = _Http(client.issuer)

    async def address(self, asked: Asked, state: str) -> str:
        return _authorisation(f"{self.client.issuer}/login/oauth/authorize", self.client, asked=asked, state=state,
                              scope="read:user user:email")  # fmt: skip

    async def claims(self, asked: Asked, code: str) -> Claims:
        answer = await self._http.json(
            "POST",
            f"{self.client.issuer}/login/oauth/access_token",
            content=_token_request(asked, code),
            headers={"content-type": "application/x-www-form-urlencoded"},
            auth=_basic(self.client),
        )
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise Unauthenticated(f"{self.client.issuer} refused this sign-in", hint="Begin it again.")
        headers = {"authorization": f"Bearer {token}"}
        user = await self._http.json("GET", f"{self._api}/user", headers=headers)
        emails = await self._http.json("GET", f"{self._api}/user/emails", headers=headers)
        if not isinstance(user, dict) or not isinstance(user.get("id"), int) or not isinstance(emails, list):
            raise Unauthenticated(f"{self.client.issuer} did not say who this is", hint="Begin the sign-in again.")
        email = next((one.get("email") for one in emails if one.get("primary") and one.get("verified") is True), None)
        return Claims(self.client.issuer, str(user["id"]), _text(email), _text(user.get("name")))


def provider_of(client: Client) -> Provider:
    """The way to speak to an issuer. Raises InvalidInput for an address that none can have."""
    parts = urlsplit(client.issuer)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if not plain or not parts.hostname or not (parts.scheme == "https" or _is_loopback(parts.hostname)):
        fault = FieldError(client.name, "an https address without query, as the issuer writes it")
        raise InvalidInput("the issuer cannot be used", errors=(fault,))
    return GitHub(client) if client.issuer == GITHUB else OpenId(client)


def _authorisation(endpoint: str, client: Client, *, asked: Asked, state: str, scope: str, **more: str) -> str:
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    found: str = prepare_grant_uri(
        endpoint,
        client_id=client.client_id,
        response_type="code",
        redirect_uri=asked.redirect_uri,
        scope=scope,
        state=state,
        code_challenge=create_s256_code_challenge(asked.verifier),
        code_challenge_method="S256",
        **more,
    )
    return found


def _token_request(asked: Asked, code: str) -> str:
    from authlib.oauth2.rfc6749.parameters import prepare_token_request

    body: str = prepare_token_request(
        "authorization_code", redirect_uri=asked.redirect_uri, code=code, code_verifier=asked.verifier
    )
    return body


def _basic(client: Client) -> tuple[str, str]:
    """Name and secret as RFC 6749, 2.3.1 has them encoded before they are put in the header."""
    from urllib.parse import quote

    return quote(client.client_id, safe=""), quote(client.client_secret, safe="")


def _text(value: Any) -> str | None:
    return value[:320] if isinstance(value, str) and value.isprintable() and value.strip() else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost") or "." not in host
