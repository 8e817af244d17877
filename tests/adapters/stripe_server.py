"""Stripe's server as tests have it: localstripe as a process of its own, and in front of it what it lacks.

localstripe keeps customers, cards, intents and refunds as Stripe does. It differs from Stripe in these, which the front
adds, so that the port's promises can be tested:

- it ignores Idempotency-Key; Stripe answers a repeat as the first time, and refuses another order of the same key;
- it knows neither `return_url` nor `allowed_payment_method_types`, and asks for 3-D Secure by its own script; Stripe
  leads to a page (`redirect_to_url`), or declines while nobody is there (`off_session`);
- it cannot list by `created`, nor search by metadata;
- it refunds more than was charged;
- it has no disputes.

It also declines some cards when they are attached that Stripe declines when they are charged.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.live_servers import free_port

START_SECONDS_MAX = 60.0
# It listens on all interfaces and writes a file of its own to /tmp; neither can be turned off by an option.
LAUNCHER = """
import builtins, os, runpy, socket, sys
module, port = sys.argv[1:]
bind, opened = socket.socket.bind, builtins.open
socket.socket.bind = lambda self, where: bind(self, ("::ffff:127.0.0.1" if where[0] == "::" else where[0], *where[1:]))
builtins.open = lambda file, *given, **more: opened(
    os.devnull if str(file).endswith(f"{module}.pickle") else file, *given, **more)
sys.argv = [module, "--port", port, "--from-scratch"]
runpy.run_module(module, run_name="__main__")
"""
Answer = tuple[int, bytes]


class StripeServer:
    """The front; `url` is what the SDK talks to."""

    def __init__(self, behind: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._behind = httpx.AsyncClient(base_url=behind, timeout=20, trust_env=False)
        self._answers: dict[str, tuple[str, Answer]] = {}
        self._return_urls: dict[str, str] = {}
        self._disputes: dict[str, dict[str, Any]] = {}
        self.fails_next_answer = False
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def finish(self, intent_id: str, ok: bool) -> None:
        """End a 3-D Secure as the customer did."""
        intent = (await self._ask("GET", f"/v1/payment_intents/{intent_id}"))[1]
        form = {"client_secret": json.loads(intent)["client_secret"], "success": str(ok).lower()}
        await self._ask("POST", f"/v1/payment_intents/{intent_id}/_authenticate", form)

    async def card(self, number: str) -> str:
        """Make a card as Stripe's form in a browser does; return its id."""
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        form = {"type": "card", **{f"card[{name}]": value for name, value in card.items()}}
        return str(json.loads((await self._ask("POST", "/v1/payment_methods", form))[1])["id"])

    def open_dispute(self, intent_id: str, amount: int, status: str = "needs_response") -> str:
        """Have the bank take an intent back; return the dispute's id."""
        dispute_id = f"dp_{len(self._disputes) + 1}"
        self._disputes[dispute_id] = {
            "id": dispute_id, "object": "dispute", "amount": amount, "status": status, "payment_intent": intent_id,
            "created": int(time.time()),
        }  # fmt: skip
        return dispute_id

    def end_dispute(self, dispute_id: str, status: str) -> None:
        """End a dispute: "won" or "lost"."""
        self._disputes[dispute_id]["status"] = status

    async def close(self) -> None:
        """Close the connection to the process behind."""
        await self._behind.aclose()

    async def _answer(self, request: Request) -> Response:
        path, key = request.url.path, request.headers.get("idempotency-key")
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        query = dict(parse_qsl(request.url.query))
        if request.method == "POST":
            self.seen.append((path, dict(form)))
            is_replayed = key in self._answers
            status, body = await self._once(path, form, key)
            if is_replayed and status == 200:
                return Response(body, status, {"idempotent-replayed": "true"}, media_type="application/json")
        else:
            status, body = await self._read(path, query)
        if self.fails_next_answer and request.method == "POST":
            self.fails_next_answer = False
            status, body = 500, b'{"error": {"type": "api_error", "message": "Something went wrong"}}'
        return Response(body, status, media_type="application/json")

    async def _once(self, path: str, form: dict[str, str], key: str | None) -> Answer:
        order = hashlib.sha256(f"{path}?{urlencode(sorted(form.items()))}".encode()).hexdigest()
        if key in self._answers:
            known, answer = self._answers[key]
            return answer if known == order else _error(400, "idempotency_error", "Keys can only be used once")
        answer = await self._write(path, form)
        if key and answer[0] in (200, 402):
            self._answers[key] = (order, answer)
        return answer

    async def _write(self, path: str, form: dict[str, str]) -> Answer:
        form.pop("allowed_payment_method_types[0]", None)
        return_url = form.pop("return_url", None)
        if path == "/v1/refunds" and int(form["amount"]) > await self._left(form["payment_intent"]):
            return _error(400, "invalid_request_error", "More than is left", "charge_already_refunded")
        status, body = await self._ask("POST", path, form)
        if path == "/v1/payment_intents" and status == 200:
            intent = json.loads(body)
            if intent["status"] == "requires_action" and form.get("off_session"):
                await self.finish(intent["id"], False)
                return _error(402, "card_error", "This card asks for its owner", "authentication_required")
            if return_url:
                self._return_urls[intent["id"]] = return_url
        return status, self._with_page(body)

    async def _read(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/v1/customers/search":
            name, value = query["query"].removeprefix('metadata["').rstrip('"').split('"]:"')
            found = [c for c in await self._all("/v1/customers") if c["metadata"].get(name) == value]
            return _list(path, found)
        if path.startswith("/v1/disputes"):
            return await self._read_disputes(path, query)
        if any(name.startswith("created") for name in query):
            since, until = int(query["created[gte]"]), int(query["created[lt]"])
            found = [thing for thing in await self._all(path) if since <= thing["created"] < until]
            return _list(path, found)
        status, body = await self._ask("GET", path, query=query)
        return status, self._with_page(body)

    async def _read_disputes(self, path: str, query: Mapping[str, str]) -> Answer:
        found = []
        for dispute in self._disputes.values():
            intent = json.loads((await self._ask("GET", f"/v1/payment_intents/{dispute['payment_intent']}"))[1])
            found.append({**dispute, "payment_intent": intent})
        if path == "/v1/disputes" and "payment_intent" in query:
            return _list(path, [each for each in found if each["payment_intent"]["id"] == query["payment_intent"]])
        if path == "/v1/disputes":
            since, until = int(query["created[gte]"]), int(query["created[lt]"])
            return _list(path, [dispute for dispute in found if since <= dispute["created"] < until])
        named = [dispute for dispute in found if path.endswith(f"/{dispute['id']}")]
        return (200, json.dumps(named[0]).encode()) if named else _error(404, "invalid_request_error", "None such")

    async def _left(self, intent_id: str) -> int:
        intent = json.loads((await self._ask("GET", f"/v1/payment_intents/{intent_id}"))[1])
        refunds = [r for r in await self._all("/v1/refunds") if r["payment_intent"] == intent_id]
        return int(intent["amount"]) - sum(refund["amount"] for refund in refunds)

    async def _all(self, path: str) -> list[dict[str, Any]]:
        body = self._with_page((await self._ask("GET", path, query={"limit": "1000"}))[1])
        found: list[dict[str, Any]] = json.loads(body)["data"]
        return found

    def _with_page(self, body: bytes) -> bytes:
        """Lead to a page where localstripe would have a script ask for 3-D Secure."""
        answer = json.loads(body)
        for thing in answer.get("data", [answer]) if isinstance(answer.get("data"), list) else [answer]:
            if thing.get("object") == "payment_intent" and thing.get("next_action"):
                page = {"url": f"https://bank.example/{thing['id']}", "return_url": self._return_urls.get(thing["id"])}
                thing["next_action"] = {"type": "redirect_to_url", "redirect_to_url": page}
        return json.dumps(answer).encode()

    async def _ask(
        self, method: str, path: str, form: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        headers = {"authorization": "Bearer sk_test_something"}
        answer = await self._behind.request(method, path, data=form, params=query, headers=headers)
        return answer.status_code, answer.content


def _error(status: int, kind: str, message: str, code: str | None = None) -> Answer:
    return status, json.dumps({"error": {"type": kind, "message": message, "code": code}}).encode()


def _list(path: str, found: list[dict[str, Any]]) -> Answer:
    return 200, json.dumps({"object": "list", "url": path, "has_more": False, "data": found}).encode()


@contextlib.asynccontextmanager
async def stripe_server() -> AsyncIterator[StripeServer]:
    """Run localstripe and the front before it, both on loopback."""
    behind, port = free_port(), free_port()
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", LAUNCHER, "localstripe", str(behind)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    front = StripeServer(f"http://127.0.0.1:{behind}", port)
    server = uvicorn.Server(uvicorn.Config(front.app, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server._serve())
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            await _until_it_answers(behind, process)
            await _until_it_answers(port, process)
        yield front
    finally:
        server.should_exit = True
        await serving
        await front.close()
        process.kill()
        process.wait()


async def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            assert process.poll() is None, "it did not start"
            await asyncio.sleep(0.05)
