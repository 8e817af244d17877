"""Errors outside of payloads: what is told, in which language, and what is logged (rule 37)."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from api.adapters.database import execute
from api.schema.limits import ALIASES_MAX, DEPTH_MAX, FIELDS_MAX, QUERY_LENGTH_MAX, REPEATS_MAX, TOKENS_MAX
from tests import factories
from tests.flows.conftest import Service

SECRET = "s3cret-literal"


async def only_error(service: Service, document: str, **asked: Any) -> Any:
    result = await service.run(document, **asked)
    assert result.errors is not None
    (error,) = result.errors
    return error


@pytest.mark.row("L17")
@pytest.mark.parametrize(
    "language, message",
    [
        ("en", "Something went wrong on our side. Please try again in a few minutes."),
        ("es", None),
    ],
)
async def test_an_unexpected_error_is_masked_and_logged_once_without_what_was_sent(
    service: Service, language: str, message: str | None
) -> None:
    ann = await factories.holder(service, locale=language)
    await execute("alter table plan_subscriptions rename to gone")

    with capture_logs() as logs:
        error = await only_error(
            service, f'{{ me {{ subscriptions {{ id }} }} agreement(kind: TERMS, locale: "{SECRET}") {{ version }} }}',
            token=ann.token,
        )  # fmt: skip

    assert error.extensions == {"code": "INTERNAL"}
    assert error.path == ["me", "subscriptions"]
    assert "plan_subscriptions" not in error.message
    assert (error.message == message) if message else ("Something" not in error.message)
    (log,) = logs
    assert (log["event"], log["log_level"], log["path"]) == ("unexpected error", "error", "me.subscriptions")
    assert SECRET not in str(log)


async def test_what_a_client_did_wrong_is_no_news(service: Service) -> None:
    with capture_logs() as logs:
        for document in ("{", "{ nothing }", "query($a: Int!) { me { id } }", "{ node(id: 1.5) { id } }"):
            error = await only_error(service, document)
            assert error.extensions == {"code": "BAD_REQUEST"}, document

    assert logs == []


@pytest.mark.parametrize(
    "document",
    [
        "{ me { " + " ".join(f"a{n}: id" for n in range(ALIASES_MAX + 1)) + " } }",
        "{ me { " + "id " * TOKENS_MAX + "} }",
        "{ me { serviceAccounts { ... on AdvanceConnectAccount { "
        + "lastFunding { serviceAccount { ... on AdvanceConnectAccount { " * DEPTH_MAX
        + "id"
        + " } } }" * DEPTH_MAX
        + " } } } }",
        "{ ...f0 } "
        + " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(40))
        + " fragment f40 on Query { me { id } }",
        "{ me { " + "id " * (FIELDS_MAX + 1) + "} }",
        "{ me { id } }" + " " * QUERY_LENGTH_MAX,
        "{ " + " ".join(f"a{n}: __schema {{ types {{ fields {{ name }} }} }}" for n in range(6)) + " }",
        "{ __schema { types { ...T } } } fragment T on __Type { "
        + " ".join(f"a{n}: fields {{ name }}" for n in range(6))
        + " }",
        "{ " + "me { id } " * (REPEATS_MAX + 2) + "}",
        "{ me { " + "... on Account { id } " * (REPEATS_MAX + 2) + "} }",
        "{ " + "...F " * 8 + "} fragment F on Query { " + "me { id } " * 26 + "}",
    ],
    ids=[
        "aliases",
        "tokens",
        "depth",
        "fragments that multiply",
        "fields",
        "length",
        "introspection",
        "introspection below",
        "repeats",
        "repeats on a type",
        "repeats by a fragment",
    ],
)
async def test_a_document_that_asks_for_too_much_is_too_complex(service: Service, document: str) -> None:
    assert (await only_error(service, document)).extensions == {"code": "TOO_COMPLEX"}


@pytest.mark.parametrize("document", ["{ ...nowhere }", "{ ...f } fragment f on Query { ...f }"])
async def test_fragments_that_lead_nowhere_or_in_a_circle_are_a_bad_request(service: Service, document: str) -> None:
    assert (await only_error(service, document)).extensions == {"code": "BAD_REQUEST"}


@pytest.mark.parametrize(
    "language, message", [("en", "Please sign in."), ("es-US,en", None), ("xx", "Please sign in.")]
)
async def test_who_must_sign_in_is_told_in_the_language_of_the_request(
    service: Service, language: str, message: str | None
) -> None:
    error = await only_error(service, '{ paymentByIdempotencyKey(key: "k") { id } }', language=language)

    assert error.extensions == {"code": "UNAUTHENTICATED"}
    assert (error.message == message) if message else (error.message != "Please sign in.")


async def test_a_key_may_not_ask_what_is_a_holders(service: Service) -> None:
    key = await factories.switch_key(service)

    error = await only_error(service, '{ paymentByIdempotencyKey(key: "k") { id } }', token=key)

    assert error.extensions == {"code": "FORBIDDEN"}


@pytest.mark.parametrize(
    "instant",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22", "2026-11-22T12:00:00", "", "x" * 99],
)
async def test_an_instant_that_is_none_is_a_bad_request(service: Service, instant: str) -> None:
    ann = await factories.holder(service)
    document = """query($f: TransactionFilter) { me { serviceAccounts { ... on AdvanceConnectAccount {
      transactions(filter: $f) { edges { cursor } } } } } }"""

    result = await service.run(document, {"f": {"from": instant}}, token=ann.token)

    assert [error.extensions for error in result.errors or []] == [{"code": "BAD_REQUEST"}]


_PAGE = """{ ... on VideoConnectAccount { sessions(first: %s) { edges { node { id coveredBy { id plan { facility {
  plans { id } } } } } } } } }"""
_BY_FRAGMENT = "query($ids: [ID!]!) { nodes(ids: $ids) { ...A } } fragment A on VideoConnectAccount { "


@pytest.mark.parametrize(
    "document, variables",
    [
        ("query($ids: [ID!]!) { nodes(ids: $ids) " + _PAGE % 100 + " }", {"ids": ["x"] * 100}),
        ("query($ids: [ID!]!, $n: Int = 100) { nodes(ids: $ids) " + _PAGE % "$n" + " }", {"ids": ["x"] * 100}),
        ("query($n: Int) { nodes(ids: [" + '"x" ' * 100 + "]) " + _PAGE % "$n" + " }", {"n": 100}),
        (_BY_FRAGMENT + "sessions(last: 100) { edges { ...B } } } fragment B on VideoSessionEdge { node { id } cursor "
         "a: cursor }", {"ids": ["x"] * 100}),
    ],
    ids=["a literal", "a default", "a variable", "fragments"],
)  # fmt: skip
async def test_lists_within_lists_are_too_complex_and_each_by_itself_is_not(
    service: Service, document: str, variables: dict[str, Any]
) -> None:
    ann = await factories.holder(service)
    one = {**variables, **({"ids": ["x"]} if "ids" in variables else {"n": 1})}

    whole, part = [await service.run(document, each, token=ann.token) for each in (variables, one)]

    assert [error.extensions for error in whole.errors or []] == [{"code": "TOO_COMPLEX"}]
    assert part.errors is None or [error.extensions for error in part.errors] != [{"code": "TOO_COMPLEX"}]
