"""Guessing at the real doors: no header, no other door and no restart starts the counters anew (rule 10)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_servers import LiveServer, live_server
from tests.served.client import Api
from tests.served.steps import SIGN_IN

pytestmark = pytest.mark.xdist_group("served")

CLAIMS = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP", "X-Client-IP"]


@pytest.fixture(scope="module")
def guessed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server of these tests' own: its counters stop every other caller from this machine."""
    with live_server(tmp_path_factory.mktemp("guessed")) as server:
        yield server


def guesses(emails: list[str]) -> str:
    fields = (
        f'g{n}: signIn(input: {{email: "{email}", password: "Wrong horse 7 battery"}}) {{ errors {{ code }} }}'
        for n, email in enumerate(emails)
    )
    return f"mutation {{ {' '.join(fields)} }}"


async def answered(api: Api, emails: list[str], claimed: dict[str, str] | None = None) -> list[str]:
    """Return the code that each guess is answered with."""
    data = (await api.post({"query": guesses(emails)}, headers=claimed)).json()["data"]
    return [payload["errors"][0]["code"] for payload in data.values()]


@pytest.mark.row("L7")
@pytest.mark.rule("10")
async def test_a_client_is_known_by_its_connection_whatever_its_headers_claim(guessed: LiveServer) -> None:
    async with Api(guessed.url) as api:
        await api.sandbox("/sandbox/clock", {"advance": "PT1H"})
        emails = [f"p{n}@example.com" for n in range(50)]
        first = await answered(api, emails)
        later = [
            await answered(api, ["one-more@example.com"], {claim: f"198.51.100.{n}"}) for n, claim in enumerate(CLAIMS)
        ]

    assert first == ["INVALID_CREDENTIALS"] * 50
    assert later == [["RATE_LIMITED"]] * len(CLAIMS)


@pytest.mark.row("L4", "L8")
@pytest.mark.rule("10")
async def test_guesses_through_either_door_and_after_a_kill_draw_on_one_budget(guessed: LiveServer) -> None:
    email = "victim@example.com"
    given = {"input": {"email": email, "password": "Wrong horse 7 battery"}}
    async with Api(guessed.url) as api:
        await api.sandbox("/sandbox/clock", {"advance": "PT1H"})
        codes = await answered(api, [email] * 2)
        async with api.socket() as one, api.socket() as other:
            for socket in (one, other, one, other):
                payload = await (await socket.subscribe(SIGN_IN, **given)).next()
                codes += [error["code"] for error in payload["errors"]]
        guessed.kill()
        guessed.start()
        codes += await answered(api, [email])

    assert codes == ["INVALID_CREDENTIALS"] * 5 + ["RATE_LIMITED"] * 2
