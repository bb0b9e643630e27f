"""A small issuer of OpenID Connect, and of what GitHub has of it, on 127.0.0.1: it signs whatever tests tell it to."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

CLIENT_ID, CLIENT_SECRET = "the-desk", "known to both"


class Issuer:
    """What it says of who signs in is `person`; `spoil` changes the claims of the next tokens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.person: dict[str, Any] = {"sub": "s-1", "email": "ann@example.com", "email_verified": True, "name": "Ann"}
        self.spoil: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.key: RSAPrivateKey = generate_private_key(65537, 2048)
        self.signs_with: RSAPrivateKey = self.key
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.log: list[Any] = []

    def authorise(self, address: str) -> tuple[str, str]:
        """A person agrees: the state and the code that the browser is sent back with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return query["state"], code

    def answer(self, method: str, path: str, *, body: str, authorization: str) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        match path:
            case "/.well-known/openid-configuration":
                ends = {"authorization_endpoint": "authorise", "token_endpoint": "token", "jwks_uri": "keys"}
                places = {name: f"{self.address}/{end}" for name, end in ends.items()}
                return 200, {"issuer": self.address, **places, **self.document}
            case "/keys":
                return 200, {"keys": [json.loads(RSAAlgorithm.to_jwk(self.key.public_key())) | {"kid": "k"}]}
            case "/token" | "/login/oauth/access_token":
                return self._token(body, authorization)
            case "/user":
                return 200, {"id": 4711, "name": "Ann"}
            case "/user/emails":
                return 200, [
                    {"email": "old@example.com", "primary": False, "verified": True},
                    {"email": self.person["email"], "primary": True, "verified": self.person["email_verified"]},
                ]
        return 404, {}

    def _token(self, body: str, authorization: str) -> tuple[int, Any]:
        given = {name: values[0] for name, values in parse_qs(body).items()}
        begun = self.codes.pop(given.get("code", ""), None)
        name_and_secret = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        challenge = base64.urlsafe_b64encode(sha256(given.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if begun is None or begun["code_challenge"] != challenge.decode():
            return 400, {"error": "invalid_grant"}
        if name_and_secret != f"{CLIENT_ID}:known%20to%20both" or given["redirect_uri"] != begun["redirect_uri"]:
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        told = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": begun.get("nonce")}
        claims = told | self.person | self.spoil
        token = jwt.encode(claims, self.signs_with, algorithm="RS256", headers={"kid": "k"})
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": token}


@contextmanager
def issuer() -> Iterator[Issuer]:
    """One that runs until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *given: Any) -> None:
            """Kept, not printed."""
            made.log.append(given)

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            path = urlsplit(self.path).path
            given = {"body": body, "authorization": self.headers.get("authorization", "")}
            status, content = made.answer(self.command, path, **given)
            data = json.dumps(content).encode()
            self.send_response(status)
            if status in (301, 302):
                self.send_header("location", content["to"])
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Issuer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
