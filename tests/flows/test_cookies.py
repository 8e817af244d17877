"""Browsers sign in by a cookie, which counts beside an allowed Origin alone."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie

import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from tests.flows.conftest import Service
from tests.flows.doors import ORIGIN, Browser, open_socket
from tests.flows.getting_in import EMAIL, ME, PASSWORD, SIGN_IN, SIGN_OUT, customer

WANTED = {"x-session": "cookie"}
CREDENTIALS = {"input": {"email": EMAIL, "password": PASSWORD}}
EVIL = ("https://evil.example", "null", "https://calls.example.evil.example", "http://calls.example", None)


async def signed_in(service: Service) -> Browser:
    await customer(service)
    browser = Browser(service)
    data = await browser.ask(SIGN_IN, CREDENTIALS, headers=WANTED)
    assert data["signIn"]["errors"] == []
    return browser


async def who(browser: Browser, headers: Mapping[str, str] | None = None) -> str | None:
    me = (await browser.ask(ME, headers=headers))["me"]
    return me["email"] if me else None


async def test_a_browser_is_given_the_cookie_and_never_the_token(service: Service) -> None:
    await customer(service)
    browser = Browser(service)

    answer = await browser.post(SIGN_IN, CREDENTIALS, headers=WANTED)

    payload = answer.json()["data"]["signIn"]
    assert payload["token"] is None
    assert payload["session"]["current"] is True
    (header,) = answer.headers.get_list("set-cookie")
    (cookie,) = SimpleCookie(header).values()
    assert cookie.key == "__Host-session"
    assert {name: cookie[name] for name in ("path", "samesite", "domain", "httponly", "secure")} == {
        "path": "/", "samesite": "strict", "domain": "", "httponly": True, "secure": True,
    }  # fmt: skip
    assert 14 * 86_400 - 60 < int(cookie["max-age"]) <= 14 * 86_400
    assert cookie.value not in answer.text
    assert await who(browser) == EMAIL


async def test_over_plain_http_the_cookie_has_no_prefix_and_is_not_secure(service: Service) -> None:
    await customer(service)
    browser = Browser(service, "http://calls.example")

    answer = await browser.post(SIGN_IN, CREDENTIALS, headers=WANTED)

    header = answer.headers["set-cookie"]
    assert header.startswith("session=")
    assert "secure" not in header.lower()
    assert await who(browser) == EMAIL


async def test_a_cookie_lasts_as_long_as_a_browsers_sign_in_whatever_channel_is_claimed(service: Service) -> None:
    await customer(service)
    claimed = {"input": {**CREDENTIALS["input"], "channel": "IOS"}}

    answer = await Browser(service).post(SIGN_IN, claimed, headers=WANTED)

    assert answer.json()["data"]["signIn"]["session"]["channel"] == "WEB"
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert int(cookie["max-age"]) <= 14 * 86_400


async def test_without_asking_for_it_nobody_gets_a_cookie(service: Service) -> None:
    await customer(service)

    answer = await Browser(service).post(SIGN_IN, CREDENTIALS)

    assert answer.json()["data"]["signIn"]["token"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("origin", EVIL)
async def test_a_cookie_beside_another_origin_or_none_is_refused(service: Service, origin: str | None) -> None:
    browser = await signed_in(service)

    answers = [
        await browser.post(ME, origin=origin),
        await browser.post(SIGN_OUT, {"everywhere": True}, origin=origin),
        await Browser(service).post(SIGN_IN, CREDENTIALS, headers=WANTED, origin=origin),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert answers[0].json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "set-cookie" not in answers[2].headers
    assert await who(browser) == EMAIL


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_a_form_could_send_is_refused(service: Service, content_type: str) -> None:
    browser = await signed_in(service)
    body = '{"query": "mutation { signOut { accepted } }"}'

    answer = await browser.http.post("/graphql", content=body, headers={"origin": ORIGIN, "content-type": content_type})
    by_get = await browser.http.get("/graphql", params={"query": "mutation { signOut { accepted } }"})

    assert answer.status_code == 400
    assert by_get.status_code == 405
    assert await who(browser) == EMAIL


async def test_a_bearer_goes_before_the_cookie(service: Service) -> None:
    browser = await signed_in(service)
    other = await customer(service, "bob@mail.test")

    assert await who(browser, {"authorization": f"Bearer {other}"}) == "bob@mail.test"
    assert await who(browser, {"authorization": "Bearer nobody"}) is None


async def test_a_cookies_token_is_no_bearer_and_a_bearer_is_no_cookie(service: Service) -> None:
    browser = await signed_in(service)
    (token,) = browser.http.cookies.values()
    bearer = await customer(service, "bob@mail.test")
    planted = Browser(service)
    planted.http.cookies.set("__Host-session", bearer)

    assert (await service.ask(ME, token=token))["me"] is None
    assert await who(planted) is None


async def test_signing_out_ends_the_cookie_and_takes_it_back(service: Service) -> None:
    browser = await signed_in(service)
    stolen = dict(browser.http.cookies)

    answer = await browser.post(SIGN_OUT)

    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert list(browser.http.cookies) == []
    browser.http.cookies.update(stolen)
    assert await who(browser) is None


async def test_signing_in_again_replaces_the_cookie_and_ends_the_old_one(service: Service) -> None:
    browser = await signed_in(service)
    old = dict(browser.http.cookies)

    await browser.ask(SIGN_IN, CREDENTIALS, headers=WANTED)

    assert dict(browser.http.cookies) != old
    assert await who(browser) == EMAIL
    browser.http.cookies.clear()
    browser.http.cookies.update(old)
    assert await who(browser) is None


async def test_a_cookie_that_was_planted_before_signing_in_is_never_adopted(service: Service) -> None:
    await customer(service)
    browser = Browser(service)
    planted = {"cookie": "__Host-session=chosen-by-a-stranger"}

    await browser.ask(SIGN_IN, CREDENTIALS, headers=WANTED | planted)

    assert "chosen-by-a-stranger" not in browser.http.cookies.values()
    assert await who(browser) == EMAIL


@pytest.mark.parametrize("origin, email", [(ORIGIN, EMAIL), (None, None)])
async def test_a_socket_takes_the_cookie_beside_an_allowed_origin_only(
    service: Service, origin: str | None, email: str | None
) -> None:
    browser = await signed_in(service)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())

    async with open_socket(browser.app, cookie=cookie, origin=origin) as socket:
        assert (await socket.next())["type"] == "connection_ack"
        me = (await socket.ask(ME))["payload"]["data"]["me"]

    assert (me and me["email"]) == email


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://calls.example.evil.example"])
async def test_a_socket_of_another_origin_is_refused_before_it_opens(service: Service, origin: str) -> None:
    browser = await signed_in(service)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())

    async with open_socket(browser.app, cookie=cookie, origin=origin) as socket:
        assert await socket.closing_code() == 1008


async def test_a_stale_cookie_leaves_a_socket_signed_out(service: Service) -> None:
    browser = Browser(service)

    async with open_socket(browser.app, cookie="__Host-session=stale", origin=ORIGIN) as socket:
        assert (await socket.next())["type"] == "connection_ack"
        assert (await socket.ask(ME))["payload"]["data"] == {"me": None}


async def test_the_token_in_the_query_string_is_nobody(service: Service) -> None:
    token = await customer(service)
    browser = Browser(service)
    names = ("token", "authorization", "access_token", "session")

    answer = await browser.http.post(
        "/graphql", json={"query": ME}, params=dict.fromkeys(names, token), headers={"origin": ORIGIN}
    )

    assert answer.json() == {"data": {"me": None}}


async def test_no_answer_of_the_door_may_be_stored(service: Service) -> None:
    browser = await signed_in(service)

    for document, variables in ((SIGN_IN, CREDENTIALS), (ME, {}), (SIGN_OUT, {})):
        answer = await browser.post(document, variables)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_only_listed_origins_may_send_credentials_from_another_site() -> None:
    settings = Settings(sandbox="on", secret_key="k" * 32, allowed_origins=ORIGIN, allowed_hosts="calls.example")
    app = create_app(settings)
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-session"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://calls.example") as http:
        listed = await http.options("/graphql", headers={"origin": ORIGIN, **preflight})
        other = await http.options("/graphql", headers={"origin": "https://evil.example", **preflight})
        unknown_host = await http.post("/graphql", json={}, headers={"host": "evil.example", "origin": ORIGIN})

    assert listed.headers["access-control-allow-origin"] == ORIGIN
    assert listed.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other.headers
    assert unknown_host.status_code == 421
