"""A card processor as a process of its own: it speaks as Stripe does, fails by a seed or as it is told, and logs.

`python -m tests.hammer.processor PORT FILE SEED` serves the service's own Stripe adapter. Its books are a SQLite file
of the same tables as the simulated processor's, so that whoever compares it with the ledger reads both alike; its log
can only grow. What it does to a charge is one of `MODES`: told ahead by the control door for the next new keys, else
drawn by the seed from `RANDOM` once that is switched on, else "ok".
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sqlite3
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.hammer.processor_calls import Calls

MODES = (
    "ok", "slow", "held", "hang", "hang_charged", "error", "error_charged", "cut", "cut_charged", "wait",
    "wait_charged",
)  # fmt: skip
"""What becomes of a charge: "hang" leaves the caller without an answer until it gives up, "error" answers 500, "cut"
closes the connection; "…_charged" charges first. "held" charges, and answers once it is told to. "wait" and
"wait_charged" are hangs that kills are aimed at."""
RANDOM = ("ok",) * 12 + ("slow", "slow", "error", "error_charged", "cut", "cut_charged")
SLOW_SECONDS = (0.02, 0.3)
WAIT_SECONDS_MAX = 60.0
DECLINING = "pm_card_chargeCustomerFail"
TABLES = """
create table if not exists charges (key text primary key, id text unique, amount_cents integer, status text);
create table if not exists log (sequence integer primary key, act text, subject text, at real);
create trigger if not exists log_is_not_changed before update on log
 begin select raise(abort, 'the log is append-only'); end;
create trigger if not exists log_is_not_shortened before delete on log
 begin select raise(abort, 'the log is append-only'); end;
"""
Form = dict[str, str]
Answer = tuple[int, dict[str, Any]]


class Processor:
    """Keep customers, cards and charges; one process, whose memory is as good as its file while a test lasts."""

    def __init__(self, file: Path, seed: str) -> None:
        self._file = sqlite3.connect(file, isolation_level=None, timeout=30)
        self._file.execute("pragma journal_mode = wal")
        self._file.executescript(TABLES)
        self._pick = random.Random(seed)
        self._customers: dict[str, str] = {}
        self._intents: dict[str, dict[str, Any]] = {}
        self._answers: dict[str, tuple[str, Answer | None]] = {}
        self._told: deque[str] = deque()
        self._is_random = False
        self._released = asyncio.Event()
        self._calls = Calls(self._pick, self._note)
        self.app = Starlette(
            routes=[
                Route("/control", self._control, methods=["POST"]),
                Route("/v1/{path:path}", self._answer, methods=["GET", "POST"]),
            ]
        )

    async def _control(self, request: Request) -> Response:
        """Take `next` (modes for the next new keys), `random` (by the seed from now on), `release` (answer what is
        held), `webhooks` (where to call, signed by `secret`)."""
        told = await request.json()
        self._told.extend(told.get("next", ()))
        assert set(self._told) <= set(MODES)
        if "random" in told:
            self._is_random = told["random"]
            self._told.clear()
        if told.get("release"):
            self._released.set()
        if "webhooks" in told:
            self._calls.begin(told["webhooks"], told["secret"])
        return JSONResponse({"sent": self._calls.sent, "waiting": self._calls.waiting})

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        if path == "payment_intents" and request.method == "POST":
            return await self._order(form, request)
        status, body = self._other(request.method, path, form, dict(parse_qsl(request.url.query)))
        return JSONResponse(body, status)

    def _other(self, method: str, path: str, form: Form, query: Form) -> Answer:
        match path.split("/"):
            case ["customers", "search"]:
                account = query["query"].split('"')[3]
                found = [_customer(id, of) for id, of in self._customers.items() if of == account]
                return 200, _list(found)
            case ["customers"] if method == "POST":
                id = "cus_" + hashlib.sha256(form["metadata[account_key]"].encode()).hexdigest()[:16]
                self._customers[id] = form["metadata[account_key]"]
                return 200, _customer(id, self._customers[id])
            case ["customers", id] if id in self._customers:
                return 200, _customer(id, self._customers[id])
            case ["payment_methods", id, *_]:
                card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040}
                return 200, {"id": id, "object": "payment_method", "type": "card", "customer": None, "card": card}
            case ["payment_intents"]:
                since, until = int(query["created[gte]"]), int(query["created[lt]"])
                return 200, _list([it for it in self._intents.values() if since <= it["created"] < until])
            case ["payment_intents", id, *more] if id in self._intents:
                intent = self._intents[id]
                if more == ["cancel"] and intent["status"] == "requires_payment_method":
                    intent["status"] = "canceled"
                return 200, intent
            case ["refunds"] | ["disputes"]:
                return 200, _list([])
        return 404, _error("invalid_request_error", "There is none such")

    async def _order(self, form: Form, request: Request) -> Response:
        """Answer an order to charge once per key, as the mode has it."""
        key = request.headers["idempotency-key"]
        order = hashlib.sha256(json.dumps(sorted(form.items())).encode()).hexdigest()
        if key in self._answers:
            known, answer = self._answers[key]
            if known != order:
                return JSONResponse(_error("idempotency_error", "Keys can only be used with the same order"), 400)
            if answer is None:
                return JSONResponse(_error("idempotency_error", "An order of this key is under way"), 409)
            return JSONResponse(answer[1], answer[0], {"idempotent-replayed": "true"})
        if form.get("confirm") != "true":
            self._note("ABANDONED", key)
            self._answers[key] = order, (200, self._intent(form, "requires_payment_method"))
            return JSONResponse(self._answers[key][1][1])  # type: ignore[index]
        return await self._carry_out(key, order, form, request)

    async def _carry_out(self, key: str, order: str, form: Form, request: Request) -> Response:
        mode = self._told.popleft() if self._told else self._pick.choice(RANDOM) if self._is_random else "ok"
        self._note(f"ORDERED {mode}", key)
        if mode == "slow":
            # Whoever orders it again meanwhile is told that it is under way.
            self._answers[key] = order, None
            await asyncio.sleep(self._pick.uniform(*SLOW_SECONDS))
        if mode in ("ok", "slow", "held") or mode.endswith("_charged"):
            self._answers[key] = order, self._charge(key, form)
        if mode == "held":
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._released.wait()
        if mode.startswith(("hang", "wait")):
            await _until_given_up(request)
        if mode.startswith("error"):
            return JSONResponse(_error("api_error", "Something went wrong"), 500)
        if mode not in ("ok", "slow", "held"):
            return _Cut()
        status, body = self._answers[key][1]  # type: ignore[misc]
        return JSONResponse(body, status)

    def _charge(self, key: str, form: Form) -> Answer:
        """Write a charge into the books, with its line of the log, and tell of it."""
        status = "DECLINED" if form["payment_method"] == DECLINING else "SUCCEEDED"
        intent = self._intent(form, "succeeded" if status == "SUCCEEDED" else "requires_payment_method")
        self._file.execute("begin immediate")
        self._file.execute("insert into charges values (?, ?, ?, ?)", (key, intent["id"], intent["amount"], status))
        self._note(status, intent["id"])
        self._file.execute("commit")
        if status == "DECLINED":
            error = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}
            intent["last_payment_error"] = error
            self._calls.tell("payment_intent.payment_failed", intent)
            return 402, {"error": {**error, "message": "Declined", "payment_intent": intent}}
        intent["amount_received"] = intent["amount"]
        self._calls.tell("payment_intent.succeeded", intent)
        return 200, intent

    def _intent(self, form: Form, status: str) -> dict[str, Any]:
        id = f"pi_{len(self._intents) + 1}"
        self._intents[id] = {
            "id": id, "object": "payment_intent", "status": status, "amount": int(form["amount"]), "currency": "usd",
            "created": int(time.time()), "metadata": {"payment_key": form.get("metadata[payment_key]", "")},
            "next_action": None, "last_payment_error": None,
        }  # fmt: skip
        return self._intents[id]

    def _note(self, act: str, subject: str) -> None:
        self._file.execute("insert into log (act, subject, at) values (?, ?, ?)", (act, subject, time.time()))


class _Cut(Response):
    """No answer: the connection is closed."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Uvicorn closes a connection whose answer is shorter than it was said to be.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b""})


async def _until_given_up(request: Request) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while (await request.receive())["type"] != "http.disconnect":
            pass


def _customer(id: str, account: str) -> dict[str, Any]:
    return {"id": id, "object": "customer", "metadata": {"account_key": account}}


def _list(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "url": "/v1", "has_more": False, "data": found}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


def main() -> None:
    """Serve until killed."""
    port, file, seed = sys.argv[1:]
    app = Processor(Path(file), seed).app
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
