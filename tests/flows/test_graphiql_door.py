"""The door to GraphiQL: who gets the page, under which headers, and what happens without a build."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route

from api.routes import graphiql
from api.routes.graphiql import CONTENT_SECURITY_POLICY, HashedFiles, graphiql_page, wants_graphiql

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "web" / "graphiql").glob("*/*.graphql"))
SCRIPT = b"console.log('here')"


def request(method: str, accept: str | None) -> Request:
    headers = [(b"accept", accept.encode())] if accept is not None else []
    return Request({"type": "http", "method": method, "path": "/graphql", "query_string": b"", "headers": headers})


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "graphiql").mkdir()
    (tmp_path / "graphiql.html").write_text("<!doctype html><title>GraphiQL</title>")
    (tmp_path / "graphiql" / "page-a1b2.js").write_bytes(SCRIPT)
    (tmp_path / "graphiql" / "page-a1b2.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "graphiql" / "font-c3d4.ttf").write_bytes(b"a font")
    monkeypatch.setattr(graphiql, "BUILT", tmp_path)
    return tmp_path


@pytest.fixture
async def client(built: Path) -> AsyncIterator[AsyncClient]:
    assets = Mount("/assets/graphiql", HashedFiles(directory=built / "graphiql", check_dir=False))
    transport = ASGITransport(Starlette(routes=[Route("/graphql", graphiql_page), assets]))
    async with AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "accept", "wanted"),
    [
        ("GET", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("GET", "application/json, Text/HTML ;q=0.5", True),
        ("HEAD", "text/html", True),
        ("POST", "text/html", False),
        ("GET", "*/*", False),
        ("GET", "application/graphql-response+json, application/json", False),
        ("GET", "text/event-stream", False),
        ("GET", "", False),
        ("GET", None, False),
    ],
)
def test_only_who_asks_for_html_by_name_gets_the_page(method: str, accept: str | None, wanted: bool) -> None:
    assert wants_graphiql(request(method, accept)) is wanted


async def test_the_page_may_load_from_this_origin_alone_and_is_never_stored(client: AsyncClient) -> None:
    answer = await client.get("/graphql")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; script-src 'self'; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_without_a_build_the_door_says_what_to_do(client: AsyncClient, built: Path) -> None:
    (built / "graphiql.html").unlink()

    answer = await client.get("/graphql")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert "make setup" in answer.text


@pytest.mark.parametrize("encoding", ["gzip, deflate, br", "br;q=1, gzip;q=0.5"])
async def test_a_file_goes_out_compressed_and_to_be_kept_for_ever(client: AsyncClient, encoding: str) -> None:
    answer = await client.get("/assets/graphiql/page-a1b2.js", headers={"accept-encoding": encoding})

    assert answer.content == SCRIPT
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize("encoding", ["identity", "gzip;q=0", "br"])
async def test_a_file_goes_out_as_it_is_to_who_takes_no_gzip(client: AsyncClient, encoding: str) -> None:
    answer = await client.get("/assets/graphiql/page-a1b2.js", headers={"accept-encoding": encoding})

    assert answer.content == SCRIPT
    assert "content-encoding" not in answer.headers


async def test_a_file_without_a_compressed_form_goes_out_as_it_is(client: AsyncClient) -> None:
    answer = await client.get("/assets/graphiql/font-c3d4.ttf")

    assert answer.content == b"a font"


@pytest.mark.parametrize("path", ["missing.js", "..%2fgraphiql.html", "x" * 5000, ""])
async def test_what_is_not_there_is_not_found_and_not_kept(client: AsyncClient, path: str) -> None:
    answer = await client.get(f"/assets/graphiql/{path}")

    assert answer.status_code == 404
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_tab_of_the_tour_and_what_the_page_itself_asks_fit_the_schema(document: Path) -> None:
    exported = ROOT / "schema.graphql"
    if not exported.is_file():
        pytest.skip("schema.graphql is not exported yet")

    assert validate(build_schema(exported.read_text()), parse(document.read_text())) == []
