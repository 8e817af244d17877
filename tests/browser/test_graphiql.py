"""GraphiQL as a developer meets it, in a real browser against the running service."""

import asyncio
import json
import os
import urllib.request
import uuid
from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from tests.browser.chromium import Browser, Page, find_chromium

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

EDITOR_READY = "document.querySelector('.graphiql-query-editor .view-line')"
RESULT = "document.querySelector('.graphiql-response .result-window').innerText.replace(/\\s+/g, ' ')"


class LiveServer(Protocol):
    """The service in sandbox mode with demo data."""

    url: str


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = find_chromium()
    if program is None:
        reason = "no Chromium on PATH, in CHROMIUM or under web/node_modules: GraphiQL is not tested"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    async with Browser.start(program) as started:
        yield started


@pytest.fixture
async def page(browser: Browser, live_server: LiveServer) -> AsyncIterator[Page]:
    async with browser.page(f"{live_server.url}/graphql") as opened:
        await opened.wait_for(EDITOR_READY, timeout=30)
        yield opened


async def run(page: Page, operation: str) -> None:
    """Write the operation into a new tab, as a person types it, and press the play button."""
    await page.click(".graphiql-tab-add")
    await page.type(".graphiql-query-editor textarea", operation)
    await page.wait_for(f"{EDITOR_READY}.parentElement.innerText.trim()")
    await page.click(".graphiql-execute-button")


async def sign_in(page: Page, password: str) -> None:
    if await page.evaluate("document.querySelector('.sign-in .panel') === null"):
        await page.click(".sign-in > button")
    await page.type(".sign-in input[name=email]", "demo@example.com")
    await page.type(".sign-in input[name=password]", password)
    await page.click(".sign-in button[type=submit]")


async def ask(url: str, token: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send one operation over HTTP, past the browser; in a thread, for the service may share this event loop."""
    request = urllib.request.Request(
        f"{url}/graphql",
        json.dumps({"query": query, "variables": variables or {}}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {token}"},
    )

    def send() -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=10) as response:
            body: dict[str, Any] = json.load(response)
        return body

    answer = await asyncio.to_thread(send)
    assert not answer.get("errors"), answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


async def test_graphiql_opens_and_asks_nothing_of_a_third_party(page: Page, live_server: LiveServer) -> None:
    await page.wait_for("document.querySelectorAll('.graphiql-tab').length >= 9")
    await page.click(".graphiql-sidebar button")
    await page.wait_for("document.querySelector('.graphiql-plugin').innerText.includes('Root Types')")

    origins = {urlsplit(url).netloc for url in page.requested_urls}
    assert origins == {urlsplit(live_server.url).netloc}
    assert page.csp_violations == []
    assert page.console_errors == []


async def test_graphiql_fits_a_phone(page: Page) -> None:
    await page.viewport(390, 844)

    await page.wait_for("document.documentElement.scrollWidth <= 390")
    await page.wait_for("document.querySelector('.graphiql-query-editor').getBoundingClientRect().width > 300")


async def test_a_query_runs_and_its_result_appears(page: Page) -> None:
    await run(page, "{ signUpRequirements { passwordMinLength } }")

    await page.wait_for(f"""{RESULT}.includes('"passwordMinLength": 8')""")


async def test_a_refused_sign_in_says_why_and_leaves_the_page_signed_out(page: Page) -> None:
    await sign_in(page, "Not-the-pass-1")

    await page.wait_for("document.querySelector('.sign-in [role=alert]').innerText.trim().length > 5")
    assert await page.evaluate("document.querySelector('.sign-in > button').innerText") == "Sign in"


async def test_a_token_never_reaches_the_lasting_storage(page: Page) -> None:
    await sign_in(page, "Demo-pass-1")
    await page.wait_for("document.querySelector('.sign-in > .chip')")

    token = await page.evaluate("JSON.parse(sessionStorage['custody-connect:graphiql:session']).token")
    assert token
    assert token not in await page.evaluate("JSON.stringify(localStorage)")


async def test_headers_outlive_a_reload_but_not_the_browser_tab(page: Page) -> None:
    switch = "[...document.querySelectorAll('.graphiql-tab-button')].find(tab => tab.innerText === 'AuthorizeCall')"
    headers = "document.querySelector('.graphiql-editor-tool > :not(.hidden)').innerText.includes('demo-switch-key')"
    await page.wait_for(f"({switch}.click(), true)")
    await page.click("[data-name=headers]")
    await page.wait_for(headers)
    await page.wait_for("sessionStorage['graphiql:headers']?.includes('demo-switch-key')")

    await page.open(await page.evaluate("location.href"))
    await page.wait_for(EDITOR_READY, timeout=30)
    await page.click("[data-name=headers]")

    await page.wait_for(headers)
    assert "demo-switch-key" not in await page.evaluate("JSON.stringify(localStorage)")


async def test_a_subscription_signed_in_shows_the_state_and_then_each_change(
    page: Page, live_server: LiveServer
) -> None:
    await sign_in(page, "Demo-pass-1")
    await page.wait_for("document.querySelector('.sign-in > .chip')")
    token = await page.evaluate("JSON.parse(sessionStorage['custody-connect:graphiql:session']).token")
    account = "{ me { serviceAccounts { ... on AdvanceConnectAccount { phoneNumbers { phone } } } } }"
    accounts = (await ask(live_server.url, token, account))["me"]["serviceAccounts"]
    phone = next(number["phone"] for one in accounts for number in one.get("phoneNumbers", []))

    await run(page, "subscription { balanceChanged { cause balance { revision available { amount } } } }")
    await page.wait_for(f"""{RESULT}.includes('"SNAPSHOT"')""")
    call = {"callId": f"browser-{uuid.uuid4()}", "phone": phone, "ratePerMinute": "0.21"}
    authorize = "mutation ($input: AuthorizeCallInput!) { authorizeCall(input: $input) { errors { message } } }"
    answer = await ask(live_server.url, "demo-switch-key", authorize, {"input": call})
    assert answer["authorizeCall"]["errors"] == []

    await page.wait_for(f"""{RESULT}.includes('"CALL_STARTED"')""")


async def test_a_header_of_the_tab_goes_before_the_sign_in_and_counts_from_the_next_subscription(page: Page) -> None:
    await sign_in(page, "Demo-pass-1")
    await page.wait_for("document.querySelector('.sign-in > .chip')")
    subscription = "subscription { balanceChanged { cause } }"
    await run(page, subscription)
    await page.wait_for(f"""{RESULT}.includes('"SNAPSHOT"')""")

    await page.click(".graphiql-execute-button")
    await page.click("[data-name=headers]")
    await page.type(".graphiql-editor-tool > :not(.hidden) textarea", '{"authorization": "Bearer no-such-token"}')
    await page.wait_for("document.querySelector('.graphiql-editor-tool').innerText.includes('no-such-token')")
    await page.click(".graphiql-execute-button")

    await page.wait_for(f"!{RESULT}.includes('SNAPSHOT') && /errors/.test({RESULT})")
