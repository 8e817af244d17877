"""The pages that mails and the sign-up lead to, without a script and in both languages."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from tests.flows.getting_in import SIGN_UP, sign_up_input
from tests.live_servers import LiveServer
from tests.served.client import Api
from tests.served.steps import link_token

pytestmark = pytest.mark.xdist_group("browser")
EMAIL = "pages@example.com"


@pytest.fixture
async def link(live_server: LiveServer) -> str:
    """Return the token of a link that was just mailed."""
    async with Api(live_server.url) as api:
        answer = await api.ask(SIGN_UP, input=sign_up_input(EMAIL))
        assert answer["errors"] == []
        mails = (await api.http.get("/sandbox/mail", params={"to": EMAIL})).json()
    return link_token(mails[0]["text"])


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
