"""The web desk's files: pages, assets, policies, and what is said when there are none."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.server.world import World, world

HTML = {"accept": "text/html,*/*"}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    files = {
        "index.html": "<h1>desk</h1>" + " " * 2_000,
        "404.html": "<h1>lost</h1>",
        "link/index.html": "<h1>link</h1>",
        "plain.html": "<h1>plain</h1>",
        "icon.svg": "<svg/>",
        "_next/static/chunks/a-1f2e.js": "let a = 1;" * 500,
        ".hidden": "secret",
        "csp.json": json.dumps({"script-src": ["sha256-abc="], "style-src": []}),
    }
    root = tmp_path / "static"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "outside.txt").write_text("outside")
    (root / "leak.txt").symlink_to(tmp_path / "outside.txt")
    return root


@pytest.fixture
async def site(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with world(static=built) as desk, desk.client(headers={"accept-encoding": "identity"}) as client:
        yield client


async def test_pages_end_in_a_slash_and_carry_a_policy_with_the_hashes(site: httpx.AsyncClient) -> None:
    answer = await site.get("/")
    assert "desk" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self' 'sha256-abc='" in answer.headers["content-security-policy"]
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert (await site.get("/link/")).text == "<h1>link</h1>"
    moved = await site.get("/link?token=x")
    assert (moved.status_code, moved.headers["location"]) == (308, "/link/?token=x")
    assert (await site.get("/plain")).text == "<h1>plain</h1>"


async def test_hashed_assets_never_change_and_pages_are_asked_for_again(site: httpx.AsyncClient) -> None:
    asset = await site.get("/_next/static/chunks/a-1f2e.js")
    assert "immutable" in asset.headers["cache-control"]
    page = await site.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = await site.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_text_is_zipped_for_those_who_take_it(site: httpx.AsyncClient) -> None:
    request = site.build_request("GET", "/_next/static/chunks/a-1f2e.js", headers={"accept-encoding": "gzip"})
    answer = await site.send(request, stream=True)
    packed = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding"
    assert gzip.decompress(packed) == b"let a = 1;" * 500


async def test_a_changed_file_is_seen(site: httpx.AsyncClient, built: Path) -> None:
    before = await site.get("/plain")
    (built / "plain.html").write_text("<h1>changed</h1>")
    after = await site.get("/plain")
    assert after.text == "<h1>changed</h1>"
    assert after.headers["etag"] != before.headers["etag"]


async def test_head_has_no_body(site: httpx.AsyncClient) -> None:
    answer = await site.head("/plain")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/.hidden", "/csp.json", "/../outside.txt", "/%2e%2e/outside.txt", "/leak.txt", "/a%00b", "/link/x",
     "/" + "x" * 5_000, "/..%5coutside.txt", "/_next/"],
)  # fmt: skip
async def test_what_is_not_there_and_what_must_not_be(site: httpx.AsyncClient, path: str) -> None:
    page = await site.get(path, headers=HTML)
    assert (page.status_code, page.text) == (404, "<h1>lost</h1>")
    program = await site.get(path)
    assert program.status_code == 404


async def test_a_program_gets_a_problem(site: httpx.AsyncClient) -> None:
    answer = await site.get("/nothing", headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    answer = await site.get("/api/v2/nothing", headers=HTML)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unbuilt_desk_says_how_to_build_it(desk: World, nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/", headers=HTML)
    assert answer.status_code == 200
    assert "make web" in answer.text
    assert (await nobody.get("/other", headers=HTML)).status_code == 404
