"""What a real server writes down: nothing that would let anybody in (rule 9)."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.flows.getting_in import ERRORS, SIGN_UP, VERIFY, sign_up_input
from tests.flows.own_account import CHANGE_PASSCODE, CHANGE_PASSWORD
from tests.flows.resets import REQUEST, RESET, VERIFY_NUMBER
from tests.live_servers import LiveServer, live_server
from tests.served.client import Api
from tests.served.steps import ADD_CARD, SIGN_IN, link_token, new_key

pytestmark = pytest.mark.xdist_group("served-commands")

PASSWORD, NEW_PASSWORD, LAST_PASSWORD, WRONG = (f"Kx7 {new_key()}" for _ in range(4))
PASSCODE, NEW_PASSCODE = "7391", "8264"
CARD = f"tok_{new_key()}"
ENABLE = f"""mutation ($password: String!) {{ enableMfa(password: $password) {{
  provisioningUri recoveryCodes {ERRORS} }} }}"""


@pytest.fixture
def broken_soon(migrated: Path, tmp_path: Path) -> Iterator[LiveServer]:
    """Yield a server of this test's own, which it breaks."""
    shutil.copy(migrated / "app.sqlite3", tmp_path)
    with live_server(tmp_path) as server:
        yield server


async def mail_text(api: Api, email: str) -> str:
    """Return the text of the newest mail."""
    text: str = (await api.http.get("/sandbox/mail", params={"to": email})).json()[0]["text"]
    return text


@pytest.mark.row("L17")
@pytest.mark.rule("9")
async def test_no_secret_is_in_the_log_even_when_everything_goes_wrong(
    broken_soon: LiveServer,
) -> None:
    email, given = f"{new_key()}@example.com", sign_up_input(password=PASSWORD)
    given["credentials"]["email"], given["profile"]["passcode"] = email, PASSCODE
    answers = given["securityAnswers"]
    for answer in answers:
        answer["answer"] = f"Answer {new_key()}"
    secrets = [PASSWORD, NEW_PASSWORD, LAST_PASSWORD, WRONG, PASSCODE, NEW_PASSCODE, CARD]
    secrets += [answer["answer"] for answer in answers]

    asked: list[dict[str, Any]] = []

    async with Api(broken_soon.url) as api:

        async def ask(document: str, **variables: Any) -> Any:
            """Ask by HTTP and, with a secret where none belongs, once more in vain."""
            asked.append({"query": document, "variables": variables})
            await api.post({"query": document + " { " + WRONG, "variables": variables})
            return await api.ask(document, **variables)

        await ask(SIGN_UP, input=given)
        link = link_token(await mail_text(api, email))
        await ask(VERIFY, token=link)
        await ask(SIGN_IN, input={"email": email, "password": WRONG})
        token = (await ask(SIGN_IN, input={"email": email, "password": PASSWORD}))["token"]
        api.token = token
        await ask(ADD_CARD, token=CARD)
        api.token = (await ask(CHANGE_PASSWORD, current=PASSWORD, new=NEW_PASSWORD))["token"] or token
        await ask(CHANGE_PASSCODE, password=NEW_PASSWORD, new=NEW_PASSCODE)
        factor = await ask(ENABLE, password=NEW_PASSWORD)
        async with api.socket() as socket:
            await (await socket.subscribe("{ me { id } }")).next()
            await socket.subscribe("{ " + WRONG)
        await ask(REQUEST, email=email)
        number = re.findall(r"^(\d{8})$", await mail_text(api, email), re.MULTILINE)[0]
        verified = await ask(VERIFY_NUMBER, email=email, code=number)
        reset = {"resetToken": verified["resetToken"], "newPassword": LAST_PASSWORD, "securityAnswers": answers}
        assert (await ask(RESET, input=reset))["errors"] == []
        api.token = (await ask(SIGN_IN, input={"email": email, "password": LAST_PASSWORD}))["token"]
        with closing(sqlite3.connect(broken_soon.folder / "app.sqlite3")) as database:
            database.execute("alter table guess_counters rename to lost")
        for request in asked:
            await api.post(request)
    secrets += [link, token, number, verified["resetToken"], factor["provisioningUri"], *factor["recoveryCodes"]]

    log = broken_soon.log.read_text()

    assert log.count("unexpected error") >= 8
    assert [secret for secret in secrets if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", log)] == []
