"""The pages that mails and the sign-up lead to, without a script and in both languages."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from tests.flows.getting_in import ME, PASSWORD, SIGN_UP, sign_up_input
from tests.flows.own_account import CHANGE_EMAIL
from tests.live_servers import LiveServer
from tests.served.client import Api
from tests.served.steps import SIGN_IN, link_token, new_key, sign_in

pytestmark = pytest.mark.xdist_group("browser")
EMAIL = "pages@example.com"


async def mailed_link(api: Api, email: str) -> str:
    """Return the token of the link that an address was mailed last."""
    mails = (await api.http.get("/sandbox/mail", params={"to": email})).json()
    return next(link_token(mail["text"]) for mail in mails if "/verify?token=" in mail["text"])


@pytest.fixture
async def link(live_server: LiveServer) -> str:
    """Return the token of a link that was just mailed."""
    async with Api(live_server.url) as api:
        answer = await api.ask(SIGN_UP, input=sign_up_input(EMAIL))
        assert answer["errors"] == []
        return await mailed_link(api, EMAIL)


@pytest.mark.rule("5")
async def test_opening_a_mailed_link_changes_nothing_and_its_button_confirms_once(
    live_server: LiveServer, link: str
) -> None:
    async with httpx.AsyncClient(base_url=live_server.url, timeout=20) as browser:
        opened = [await browser.get("/verify", params={"token": link}) for _ in range(2)]
        token = html.unescape(re.findall(r'name="token" value="([^"]*)"', opened[1].text)[0])
        first = await browser.post("/verify", data={"token": token})
        second = await browser.post("/verify", data={"token": token})

    assert [page.status_code for page in opened] == [200, 200]
    assert token == link
    assert (first.status_code, second.status_code) == (200, 400)


@pytest.mark.row("T3")
@pytest.mark.rule("10")
async def test_a_new_address_confirmed_on_the_page_spares_the_browser_that_is_signed_in_there(
    live_server: LiveServer,
) -> None:
    old, new = f"{new_key()}@example.com", f"{new_key()}@example.com"
    own = {"origin": live_server.url}
    async with Api(live_server.url) as app, httpx.AsyncClient(base_url=live_server.url, timeout=20) as browser:
        answer = await app.ask(SIGN_UP, input=sign_up_input(old))
        assert answer["errors"] == []
        await browser.post("/verify", data={"token": await mailed_link(app, old)}, headers=own)
        app.token = await sign_in(app, old, PASSWORD)
        credentials = {"query": SIGN_IN, "variables": {"input": {"email": old, "password": PASSWORD}}}
        await browser.post("/graphql", json=credentials, headers={**own, "x-session": "cookie"})
        changed = await app.ask(CHANGE_EMAIL, new=new, password=PASSWORD)
        assert changed["errors"] == []
        link = await mailed_link(app, new)

        page = await browser.post("/verify", data={"token": link}, headers=own)

        me = await browser.post("/graphql", json={"query": ME}, headers=own)
        assert page.status_code == 200
        assert me.json()["data"]["me"]["email"] == new
        assert await app.ask(ME) is None


@pytest.mark.row("T14")
@pytest.mark.rule("10")
async def test_on_the_page_a_cookie_counts_from_its_own_origin_alone(live_server: LiveServer) -> None:
    old, new = f"{new_key()}@example.com", f"{new_key()}@example.com"
    own = {"origin": live_server.url}
    async with Api(live_server.url) as app, httpx.AsyncClient(base_url=live_server.url, timeout=20) as browser:
        await app.ask(SIGN_UP, input=sign_up_input(old))
        await browser.post("/verify", data={"token": await mailed_link(app, old)}, headers=own)
        credentials = {"query": SIGN_IN, "variables": {"input": {"email": old, "password": PASSWORD}}}
        await browser.post("/graphql", json=credentials, headers={**own, "x-session": "cookie"})
        app.token = await sign_in(app, old, PASSWORD)
        await app.ask(CHANGE_EMAIL, new=new, password=PASSWORD)

        foreign = {"origin": "https://evil.example"}
        await browser.post("/verify", data={"token": await mailed_link(app, new)}, headers=foreign)

        # Whoever confirms without being known ends every sign-in, this browser's too.
        me = await browser.post("/graphql", json={"query": ME}, headers=own)
        assert me.json()["data"]["me"] is None


def test_a_page_runs_no_script_and_shows_a_token_only_as_text(live_server: LiveServer) -> None:
    page = httpx.get(f"{live_server.url}/verify", params={"token": '"><script>alert(1)</script>'}, timeout=20)

    assert "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_the_terms_can_be_read_in_both_languages(live_server: LiveServer) -> None:
    english = httpx.get(f"{live_server.url}/terms", headers={"accept-language": "en"}, timeout=20)
    spanish = httpx.get(f"{live_server.url}/terms", headers={"accept-language": "es-MX"}, timeout=20)

    assert "Terms of service" in english.text
    assert "Términos del servicio" in spanish.text
    assert "# " not in english.text
