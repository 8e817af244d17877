"""GraphQL over HTTP as a front end sends it, with answers that may be lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from tests.hammer.fleet import Fleet

QUOTE = """mutation($input: QuotePaymentInput!) { quotePayment(input: $input) {
  errors { code path } quote { id total { amount } } } }"""
PAY = """mutation($input: PayInput!) { pay(input: $input) {
  errors { code path } replayed payment { id status total { amount } actionUrl } } }"""
PAID = "query($key: String!) { paymentByIdempotencyKey(key: $key) { id status } }"
AUTHORIZE = """mutation($input: AuthorizeCallInput!) { authorizeCall(input: $input) {
  errors { code path } replayed maxSeconds call { id status } } }"""
RECORD = """mutation($input: RecordCallInput!) { recordCall(input: $input) {
  errors { code path } replayed call { id status cost { amount } } } }"""
BALANCES = "query { me { balances { id revision posted { amount } held { amount } } } }"

ANSWER_SECONDS_MAX = 45.0
TRIES_MAX = 60
AGAIN_SECONDS_MAX = 0.5


class NoAnswer(Exception):
    """The connection was lost, or nobody could say: whatever was asked may or may not have happened."""


class Unexpected(Exception):
    """The service answered as it never should."""


class Client:
    """Asks any process of the fleet; counts what was asked by the mutation's name."""

    def __init__(self, fleet: Fleet, pick: random.Random) -> None:
        self.fleet = fleet
        self.asked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.unexpected: list[str] = []
        self._pick = pick
        self._waiting: list[tuple[int, asyncio.Event]] = []
        self._outage = False
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        self.http = httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, limits=limits)

    async def once(self, document: str, variables: Mapping[str, Any], token: str, url: str | None = None) -> Any:
        """Return the root field of one answer; NoAnswer when there is none, or one that says to ask again."""
        where = url or await self.fleet.url(self._pick)
        body = {"query": document, "variables": dict(variables)}
        headers = {"authorization": f"Bearer {token}", "x-forwarded-for": _address_of(token)}
        try:
            response = await self.http.post(f"{where}/graphql", json=body, headers=headers)
        except httpx.TransportError as error:
            raise NoAnswer(type(error).__name__) from error
        answer = response.json() if response.headers.get("content-type", "").startswith("application/json") else {}
        if response.status_code != 200 or answer.get("errors") or not answer.get("data"):
            told = f"{response.status_code} {response.text[:300]} for {document[:40]!r} {dict(variables)}"
            code = (answer.get("errors") or [{}])[0].get("extensions", {}).get("code", "")
            if code in ("BAD_REQUEST", "FORBIDDEN", "UNAUTHENTICATED"):
                self.refused[code] += 1
                return {"errors": [{"code": code}]}
            if self._outage and code == "INTERNAL":
                raise NoAnswer("the database is away")
            self.unexpected.append(told)
            raise Unexpected(told)
        ((name, root),) = answer["data"].items()
        self.asked[name] += 1
        self._tell(self.asked.total())
        for fault in (root or {}).get("errors", []):
            self.refused[fault["code"]] += 1
        if root and any(
            fault["code"] in ("UNAVAILABLE", "IDEMPOTENCY_IN_PROGRESS") for fault in root.get("errors", [])
        ):
            raise NoAnswer("asked to come again")
        return root

    async def until_answered(self, document: str, variables: Mapping[str, Any], token: str) -> Any:
        """Ask again, of whichever process is up, until there is an answer; what is asked must be safe to repeat."""
        for tried in range(TRIES_MAX):
            try:
                return await self.once(document, variables, token)
            except NoAnswer:
                await asyncio.sleep(min(0.02 * tried, AGAIN_SECONDS_MAX))
        told = f"no answer in {TRIES_MAX} tries to {document[:40]!r} {dict(variables)}"
        self.unexpected.append(told)
        raise Unexpected(told)

    async def sandbox(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Open one of the sandbox's doors; NoAnswer when the process went away or could not."""
        where = await self.fleet.url(self._pick)
        try:
            response = await self.http.post(f"{where}/sandbox/{path}", json=dict(body))
        except httpx.TransportError as error:
            raise NoAnswer(type(error).__name__) from error
        if response.status_code != 200:
            raise NoAnswer(f"{response.status_code} {response.text[:200]}")
        found: dict[str, Any] = response.json()
        return found

    @contextlib.contextmanager
    def during_an_outage(self) -> Iterator[None]:
        """Take INTERNAL for what it is while there is no database: an answer that says to ask again."""
        self._outage = True
        try:
            yield
        finally:
            self._outage = False

    async def until_asked(self, times: int) -> None:
        """Wait until there were so many answers in all, or somebody is in a hurry."""
        if self.asked.total() < times:
            arrived = asyncio.Event()
            self._waiting.append((times, arrived))
            await arrived.wait()

    def hurry(self) -> None:
        """Let nobody wait for answers any longer."""
        self._tell(sys.maxsize)

    def _tell(self, times: int) -> None:
        for waiting in [waiting for waiting in self._waiting if waiting[0] <= times]:
            self._waiting.remove(waiting)
            waiting[1].set()

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.aclose()


def _address_of(token: str) -> str:
    """Return the address that somebody comes from, as a proxy would tell it."""
    return f"198.18.{zlib.crc32(token.encode()) % 256}.{zlib.crc32(token[::-1].encode()) % 256}"
