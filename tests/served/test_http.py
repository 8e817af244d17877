"""GraphQL over HTTP as the network sees it: whatever is sent is answered, in one shape, and gives nothing away."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.live_servers import LiveServer
from tests.served.client import Api
from tests.served.steps import DEMO, REQUIREMENTS, SIGN_IN

pytestmark = pytest.mark.xdist_group("served")

BODY_BYTES_MAX = 256 * 1024
LEAKS = ("Traceback", "select ", "insert into", "asyncpg", "sqlite", "site-packages", 'File "')
JSON = {"content-type": "application/json"}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the first error; what every refusal has to fulfil is asserted on the way."""
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [leak for leak in LEAKS if leak in answer.text], answer.text
    errors: list[dict[str, Any]] = answer.json()["errors"]
    assert all(error["message"] and error["extensions"]["code"] for error in errors), errors
    return errors[0]


def nested(opening: str, closing: str, levels: int) -> bytes:
    return (opening * levels + closing * levels).encode()


@pytest.mark.row("L4")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"[7]",
        b'[{"query": "{ me { id } }"}]',
        b"{}",
        b'{"query": null}',
        b'{"query": 7}',
        b'{"query": ["{ me { id } }"]}',
        b'{"query": "{ me { id } }", "variables": []}',
        b'{"query": "{ me { id } }", "variables": "text"}',
        b'{"query": "{ me { id } }", "variables": 7}',
        b'{"query": "{ me { id } }", "operationName": 7}',
        b'{"query": "{ me { id } }", "operationName": "Other"}',
        b'{"query": "query A { me { id } } query B { me { id } }"}',
        b'{"query": ""}',
        b'{"query": "{"}',
        b'{"query": "{ noSuchField }"}',
        b'{"query": "subscription { balanceChanged { at } }"}',
        b'{"query": "{ me { id } }", "extensions": 7}',
        nested("[", "]", 50_000),
        b'{"query": "{ me { id } }", "variables": ' + nested('{"a":', "}", 20_000).replace(b":}", b":1}", 1) + b"}",
    ],
    ids=lambda body: repr(body[:60]),
)
async def test_a_body_that_is_no_request_is_refused_as_one(api: Api, body: bytes) -> None:
    assert error_of(await api.post(body))["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "email", [r"\u0000", r"a\u0000@example.com", r"\ud800", r"\udc00@example.com"], ids=lambda text: repr(text)
)
async def test_text_that_no_database_can_keep_is_refused_in_variables(api: Api, email: str) -> None:
    variables = '{"input": {"email": "' + email + '", "password": "x"}}'

    answer = await api.post(f'{{"query": {json.dumps(SIGN_IN)}, "variables": {variables}}}'.encode())

    assert error_of(answer)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("text", [r"\u0000", r"\u{0}", r"\u{000}", r"\ud800", r"\u{d800}", r"\u{110000}"])
async def test_text_that_no_database_can_keep_is_refused_in_a_document(api: Api, text: str) -> None:
    document = f'mutation {{ signIn(input: {{email: "{text}", password: "x"}}) {{ token }} }}'

    assert error_of(await api.post({"query": document}))["extensions"]["code"] == "BAD_REQUEST"


FUNDING = "... on AdvanceConnectAccount{lastFunding{serviceAccount{"
BOMBS = {
    "depth": "{me{serviceAccounts{" + FUNDING * 10 + "id" + "}" * 33,
    "aliases": "{" + " ".join(f"a{n}: me {{ id }}" for n in range(200)) + "}",
    "tokens": "{ me { " + "id " * 10_000 + "} }",
    "braces": "{" * 100_000,
    "lists": "{ me { id @skip(if: " + "[" * 100_000,
    "fragments": "{ me { ...A } }" + "".join(f" fragment A{n} on Account {{ id }}" for n in range(2_000)),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
async def test_a_document_that_asks_too_much_is_too_complex(api: Api, bomb: str) -> None:
    assert error_of(await api.post({"query": bomb}))["extensions"]["code"] == "TOO_COMPLEX"


async def test_fragments_that_refer_to_each_other_are_refused(api: Api) -> None:
    document = "{ me { ...A } } fragment A on Account { ...B } fragment B on Account { ...A }"

    assert error_of(await api.post({"query": document}))["extensions"]["code"] == "BAD_REQUEST"


async def test_introspection_is_answered(api: Api) -> None:
    document = "{ __schema { types { name fields { name type { name ofType { name ofType { name } } } } } } }"

    answer = await api.post({"query": document})

    assert "errors" not in answer.json()
    assert "Account" in {found["name"] for found in answer.json()["data"]["__schema"]["types"]}


@pytest.mark.row("T14")
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/html", "", "application/xml"]
)
async def test_what_a_page_can_post_without_being_asked_is_refused(api: Api, kind: str) -> None:
    answer = await api.post({"query": REQUIREMENTS}, headers={"content-type": kind})

    assert error_of(answer)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.row("T14")
async def test_a_form_with_files_is_refused(api: Api) -> None:
    answer = await api.http.post("/graphql", data={"operations": "{}", "map": "{}"}, files={"0": b"x"})

    assert error_of(answer)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.row("T14")
@pytest.mark.parametrize("document", [REQUIREMENTS, "mutation { signOut { accepted } }", "nonsense", ""])
async def test_nothing_is_asked_by_get(api: Api, document: str) -> None:
    answer = await api.http.get("/graphql", params={"query": document})

    assert error_of(answer)["extensions"]["code"] == "BAD_REQUEST"
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_refused(api: Api, method: str) -> None:
    answer = await api.http.request(method, "/graphql")

    assert error_of(answer)["extensions"]["code"] == "BAD_REQUEST"
    assert answer.status_code == 405


async def test_a_path_that_is_not_there_is_not_found(api: Api) -> None:
    answer = await api.http.get("/no-such-door")

    assert answer.status_code == 404
    assert error_of(answer)["extensions"]["code"] == "NOT_FOUND"


@pytest.mark.row("T11", "R16")
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:8000", "[::2]"])
async def test_a_host_that_is_not_served_is_refused(api: Api, host: str) -> None:
    answer = await api.post({"query": REQUIREMENTS}, headers={"host": host})

    assert answer.status_code in (400, 421)
    assert answer.status_code == 400 or error_of(answer)["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("host", ["localhost", "LocalHost:9", "127.0.0.1:1", "[::1]:80"])
async def test_a_host_may_have_any_case_and_port(api: Api, host: str) -> None:
    answer = await api.post({"query": REQUIREMENTS}, headers={"host": host})

    assert answer.status_code == 200


@pytest.mark.row("S4")
async def test_a_body_past_the_limit_is_refused_before_it_is_read(live_server: LiveServer) -> None:
    address = urlsplit(live_server.url).netloc
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.putrequest("POST", "/graphql")
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(10_000_000))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    finally:
        connection.close()


async def test_a_body_of_unsaid_length_is_refused_once_it_is_too_long(live_server: LiveServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(live_server.url).netloc, timeout=20)

    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 65_536 for _ in range(160))

    try:
        try:
            connection.request("POST", "/graphql", body=pieces(), headers=JSON, encode_chunked=True)
        except (BrokenPipeError, ConnectionResetError):
            return  # The server has closed while we were still sending.
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    finally:
        connection.close()


async def test_after_a_body_that_was_too_long_the_next_request_is_answered(api: Api) -> None:
    assert (await api.post(b"x" * (BODY_BYTES_MAX + 1))).status_code == 413

    assert (await api.post({"query": REQUIREMENTS})).status_code == 200


async def test_a_body_at_the_limit_is_read(api: Api) -> None:
    body = json.dumps({"query": REQUIREMENTS}).encode()

    assert (await api.post(body + b" " * (BODY_BYTES_MAX - len(body)))).status_code == 200


@pytest.mark.row("L15")
async def test_a_token_in_the_address_is_not_looked_at(api: Api, demo_token: str) -> None:
    parameters = {"authorization": f"Bearer {demo_token}", "token": demo_token, "access_token": demo_token}

    answer = await api.http.post("/graphql", params=parameters, json={"query": "{ me { id } }"})

    assert answer.json() == {"data": {"me": None}}


@pytest.mark.row("T10")
async def test_a_token_with_any_bit_flipped_is_as_good_as_none(api: Api, demo_token: str) -> None:
    flipped = [
        demo_token[:place] + chr(ord(demo_token[place]) ^ 1) + demo_token[place + 1 :]
        for place in range(len(demo_token))
    ]

    answers = [(await api.post({"query": "{ me { id } }"}, token)).json() for token in flipped]

    assert all(answer == {"data": {"me": None}} for answer in answers)
    assert (await api.post({"query": "{ me { id } }"}, demo_token)).json()["data"]["me"]["id"]


@pytest.mark.parametrize("header", ["Bearer", "Basic abc", "Bearer " + "x" * 9_000, "Bearer \xff", "\x01"])
async def test_an_authorization_that_is_none_is_as_good_as_none(api: Api, header: str) -> None:
    raw = {"authorization": header.encode("latin-1"), b"content-type": b"application/json"}

    answer = await api.http.post("/graphql", content=json.dumps({"query": "{ me { id } }"}), headers=raw)  # type: ignore[arg-type]

    assert answer.status_code == 400 or answer.json() == {"data": {"me": None}}


@pytest.mark.parametrize(
    "key", ["", "x", "0", "-1", "A" * 5_000, "QWNjb3VudDox", "💥", "null", "..%2f", "a b", "=" * 9]
)
async def test_an_id_of_nothing_finds_nothing(demo: Api, key: str) -> None:
    answer = await demo.post({"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": key}})

    assert answer.status_code == 200
    assert answer.json()["data"] == {"node": None}
    if "errors" in answer.json():
        assert error_of(answer)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "count", ["99999999999999999999", "-99999999999999999999", "1e400", "1.5", "2147483648", "NaN"]
)
async def test_a_number_out_of_bounds_is_refused(demo: Api, count: str) -> None:
    document = "query ($first: Int) { me { payments(first: $first) { edges { cursor } } } }"

    answer = await demo.post(f'{{"query": "{document}", "variables": {{"first": {count}}}}}'.encode())

    assert error_of(answer)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.row("L16")
async def test_a_refused_sign_in_and_a_good_one_are_never_stored(api: Api) -> None:
    for password in (DEMO["password"], "Not-the-pass-1"):
        answer = await api.post({"query": SIGN_IN, "variables": {"input": {**DEMO, "password": password}}})

        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_foreign_page_is_not_given_the_answer(api: Api) -> None:
    for origin in ("https://evil.example", "null", f"{api.url}.evil.example"):
        answer = await api.post({"query": REQUIREMENTS}, headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers

    preflight = await api.http.options(
        "/graphql", headers={"origin": "https://evil.example", "access-control-request-method": "POST"}
    )
    assert preflight.status_code == 400
