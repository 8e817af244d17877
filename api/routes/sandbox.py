"""The sandbox's doors: the clock, what was sent, and how the simulated processor behaves. Only there when it is on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from uuid_utils.compat import uuid7

from api.adapters.payments import DisputeStatus
from api.adapters.payments_simulated import SimulatedProcessor
from api.adapters.ports import Ports
from api.adapters.sandbox_messages import messages
from api.auth.sign_ins import follow_sandbox_clock
from api.domain.ids import NodeKind, key_of
from api.domain.payments import payment_key
from api.routes import texts
from api.routes.refusals import refusal
from api.services import chargebacks, charges, inbound_texts, sandbox


class _Wrong(Exception):
    """A request that cannot be answered; the message says why."""


def sandbox_routes(ports: Ports, run_due: Callable[[datetime], Awaitable[None]]) -> list[BaseRoute]:
    """Return the doors; `run_due` does all work that is due until a moment of product time."""

    async def sent(request: Request) -> Response:
        kind = request.url.path.rsplit("/", 1)[-1]
        recipient = request.query_params.get("to", "")
        if not recipient or len(recipient) > 254:
            raise _Wrong("?to= must name who it was sent to")
        await follow_sandbox_clock(ports)
        await run_due(ports.now())
        return JSONResponse(
            [
                {"to": m.to, "subject": m.subject, "text": m.text, "at": m.at.isoformat().replace("+00:00", "Z")}
                for m in await messages(kind, recipient)
            ]
        )

    async def take_text(request: Request) -> Response:
        try:
            text = texts.read_text(await request.body(), f"sandbox-{uuid7()}")
            await follow_sandbox_clock(ports)
            await inbound_texts.take_text(ports, *text)
        except ValueError as error:
            raise _Wrong(str(error)) from error
        await run_due(ports.now())
        return JSONResponse({"accepted": True})

    async def read_clock(request: Request) -> Response:
        await follow_sandbox_clock(ports)
        return JSONResponse({"now": _instant(ports.now())})

    async def move_clock(request: Request) -> Response:
        body = await _body(request)
        if not isinstance(body.get("advance"), str):
            raise _Wrong('the body must be {"advance": "P1DT2H"}')
        try:
            by = sandbox.parse_duration(body["advance"])
        except ValueError as error:
            raise _Wrong(str(error)) from error
        return JSONResponse({"now": _instant(await sandbox.advance(ports, by, run_due))})

    async def behave(request: Request) -> Response:
        body = await _body(request)
        if "dispute" in body:
            return await _dispute(ports, body)
        try:
            behaviour = await _processor(ports).behave(body.get("next"), body.get("refund"))
        except (ValueError, TypeError) as error:
            raise _Wrong("next is ok, decline, timeout or timeout_charged; refund is ok or refuse") from error
        return JSONResponse({"next": behaviour.next, "refund": behaviour.refund})

    async def finish_action(request: Request) -> Response:
        body = await _body(request)
        if body.get("result") not in ("ok", "fail"):
            raise _Wrong('the body must be {"result": "ok"} or {"result": "fail"}')
        processor = _processor(ports)
        charge = await processor.finish_action(request.path_params["charge"], body["result"] == "ok")
        if charge is None:
            return refusal(404, "There is no such charge")
        await follow_sandbox_clock(ports)
        payment = await charges.ask_now(ports, payment_key(charge.key))
        status = payment["status"] if payment else None
        return JSONResponse({"status": status, "returnUrl": await processor.return_url(charge.id)})

    return [
        Route("/sandbox/mail", _guarded(sent), methods=["GET"]),
        Route("/sandbox/sms", _guarded(sent), methods=["GET"]),
        Route("/sandbox/sms", _guarded(take_text), methods=["POST"]),
        Route("/sandbox/clock", _guarded(read_clock), methods=["GET"]),
        Route("/sandbox/clock", _guarded(move_clock), methods=["POST"]),
        Route("/sandbox/payments", _guarded(behave), methods=["POST"]),
        Route("/sandbox/3ds/{charge}", _guarded(finish_action), methods=["POST"]),
    ]


async def _dispute(ports: Ports, body: dict[str, Any]) -> Response:
    """Have the bank take a payment back (`result` "open", `amount` in cents or all of it), or end that."""
    processor, key = _processor(ports), key_of(str(body["dispute"]), NodeKind.PAYMENT)
    result, amount = body.get("result", "open"), body.get("amount")
    if result not in ("open", "won", "lost") or not (amount is None or type(amount) is int):
        raise _Wrong('the body must be {"dispute": "a payment\'s id", "result": "open", "won" or "lost"}')
    await follow_sandbox_clock(ports)
    if result == "open":
        dispute = await processor.open_dispute(str(key), ports.now(), amount)
    else:
        waiting = [found for found in await processor.disputes_of(str(key)) if found.status is DisputeStatus.OPEN]
        dispute = await processor.end_dispute(waiting[0].id, result == "won") if waiting else None
    if dispute is None:
        return refusal(404, "There is nothing to dispute")
    await chargebacks.follow(ports, dispute.id)
    return JSONResponse({"dispute": dispute.id, "status": dispute.status.value, "amount": dispute.amount_cents})


def _guarded(door: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await door(request)
        except _Wrong as wrong:
            return refusal(400, str(wrong))

    return answer


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise _Wrong("the body must be JSON") from error
    if not isinstance(body, dict):
        raise _Wrong("the body must be a JSON object")
    return body


def _processor(ports: Ports) -> SimulatedProcessor:
    if not isinstance(ports.processor, SimulatedProcessor):
        raise _Wrong("the processor is not a simulated one")
    return ports.processor


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
