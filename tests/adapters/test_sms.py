"""Texts: on the console, and handed to a real HTTP server that acts as the provider."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.adapters.signatures import sign, verify
from api.adapters.sms import Text, TextUnavailable, open_texter
from api.adapters.sms_http import HttpTexter

KEY = "a key of 16 or more"
TEXT = Text("+15005550006", "Reply Yes to add $25.00 — Sí", "event-1")


class Provider:
    """A small HTTP server: it keeps what it is sent, and answers what it is told to."""

    def __init__(self, status: int = 202) -> None:
        self.status = status
        self.hangs = False
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0
        self._ends = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((head[0], headers, body))
        if self.hangs:
            await self._ends.wait()
        location = f"location: http://127.0.0.1:{self.port}/other\r\n" if 300 <= self.status <= 399 else ""
        writer.write(f"HTTP/1.1 {self.status} X\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    def end(self) -> None:
        self._ends.set()


@asynccontextmanager
async def provider(status: int = 202) -> AsyncIterator[Provider]:
    made = Provider(status)
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.end()
        server.close()


def texter(port: int, **more: Any) -> HttpTexter:
    return HttpTexter(f"http://calls:{KEY.replace(' ', '%20')}@127.0.0.1:{port}/v1/texts?region=us", **more)


async def test_the_console_shows_the_whole_text(capsys: pytest.CaptureFixture[str]) -> None:
    await open_texter("console://").send(Text("+15005550006", "Reply Yes to add $25.00", "event-1"))
    assert capsys.readouterr().out == "Text to +15005550006: Reply Yes to add $25.00\n"


async def test_a_text_is_posted_as_signed_json_with_its_key() -> None:
    async with provider() as there:
        await texter(there.port, machine_seconds=lambda: 1_790_000_000.9).send(TEXT)

    ((line, headers, body),) = there.requests
    assert line == "POST /v1/texts?region=us HTTP/1.1"
    assert json.loads(body) == {"id": TEXT.key, "from": "calls", "to": TEXT.to, "text": TEXT.text}
    assert (headers["content-type"], headers["idempotency-key"]) == ("application/json", TEXT.key)
    verify(KEY, body, headers["x-signature"], 1_790_000_000)
    assert KEY not in str(headers)
    assert "authorization" not in headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 409])
async def test_a_text_is_done_once_the_provider_has_it_now_or_from_before(status: int) -> None:
    async with provider(status) as there:
        await texter(there.port).send(TEXT)
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    "status, permanent",
    [(400, True), (410, True), (422, True), (401, False), (403, False), (404, False), (408, False), (429, False),
     (500, False), (503, False), (302, False), (308, False)],
)  # fmt: skip
async def test_a_refusal_says_whether_to_try_again(status: int, permanent: bool) -> None:
    async with provider(status) as there:
        with pytest.raises(TextUnavailable, match=str(status)) as raised:
            await texter(there.port).send(TEXT)
    assert raised.value.permanent is permanent
    # A redirect is not followed: a text goes where an operator says.
    assert len(there.requests) == 1
    assert TEXT.to not in str(raised.value)


async def test_a_provider_that_does_not_answer_is_given_up_in_time_and_tried_again() -> None:
    async with provider() as there:
        there.hangs = True
        with pytest.raises(TextUnavailable) as raised:
            await texter(there.port, timeout_seconds=0.2).send(TEXT)
    assert not raised.value.permanent


async def test_a_provider_that_is_away_is_tried_again() -> None:
    async with provider() as there:
        port = there.port
    with pytest.raises(TextUnavailable) as raised:
        await texter(port).send(TEXT)
    assert not raised.value.permanent


def test_a_call_is_the_providers_when_its_key_signed_body_and_time() -> None:
    here, body, now = texter(1), b'{"id": "1"}', 1_790_000_000
    signature = sign(KEY, body, now)

    assert here.is_from_provider(body, signature, now)
    assert here.is_from_provider(body, signature, now + 300)
    assert here.is_from_provider(body, signature, now - 300)
    assert not here.is_from_provider(body, signature, now + 301)
    assert not here.is_from_provider(body, signature, now - 301)
    assert not here.is_from_provider(body + b" ", signature, now)
    assert not here.is_from_provider(body, sign("another key of 16", body, now), now)
    assert not here.is_from_provider(body, signature.replace(str(now), str(now + 1)), now)
    assert not here.is_from_provider(body, None, now)
    assert not here.is_from_provider(body, "t=1,v1=", now)
    assert not open_texter("console://").is_from_provider(body, signature, now)


@pytest.mark.parametrize(
    "url",
    ["", "console", "https://sms.example/", "https://key:secret@sms.example", f"http://me:{'secret' * 4}@sms.example/",
     f"https://:{'secret' * 4}@sms.example/", f"ftp://me:{'secret' * 4}@sms.example/", f"https://me:{'secret' * 4}@:1/",
     f"https://me:{'secret' * 4}@sms.example:port/", "https://me:secret@[::1"],
)  # fmt: skip
def test_another_setting_stops_with_one_line_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^SMS_URL must be [^\n]+$") as raised:
        open_texter(url)
    assert "secret" not in str(raised.value)


def test_a_provider_is_named_by_a_url_with_a_long_key() -> None:
    assert isinstance(open_texter("https://me:a-key-of-16-or-more@sms.example/v1/texts"), HttpTexter)


def test_a_text_that_cannot_go_out_says_whether_to_try_again() -> None:
    assert TextUnavailable("no such number", permanent=True).permanent
