"""Texts to mobiles: queued in the transaction that they tell of, sent after it, never to a number that said STOP."""

from __future__ import annotations

from collections.abc import Mapping

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one, transactional
from api.adapters.ports import Ports
from api.adapters.sms import Text, TextUnavailable
from api.domain.texts import catalogue, render
from api.services.due_work import FAILURES_MAX, Claim, backoff, complete, enqueue, give_back
from api.services.recipients import give_up

KIND = "text"
_STOPPED = "stopped-phone"


async def queue_text(
    ports: Ports, template: str, *, to: str, locale: str, key: str, params: Mapping[str, str] | None = None
) -> None:
    """Have a text sent once the transaction under way is committed; a repeat with the same key changes nothing.

    `template` names the text `<template>_sms`, else `<template>_subject`, which is as long as a text may be; `params`
    and "operator" fill it. `to` is E.164. `key`, one per event, lets the provider recognise a repeat. Nothing goes to
    a number that said STOP, also when it says so before the text is sent.
    """
    payload = {"template": template, "to": to, "locale": locale, "params": dict(params or {})}
    await enqueue(KIND, key, ports.now(), payload)


async def send_text(ports: Ports, claim: Claim) -> None:
    """Send the text that a claim stands for; tried again with growing waits, unless trying again cannot help.

    One that is given up waits for a person only while its number is kept of somebody, see `recipients`.
    Raises Fenced when another process took the work over, which then sends it under the same key.
    """
    to = claim.payload["to"]
    try:
        if not await is_stopped(ports, to):
            await ports.texter.send(Text(to, _words(ports, claim), claim.key))
    except TextUnavailable as error:
        if error.permanent or claim.failures + 1 >= FAILURES_MAX:
            await give_up(ports, claim, str(error))
        else:
            await give_back(ports, claim, str(error), retry_at=ports.now() + backoff(claim.failures + 1))
        return
    await _done(ports, claim)


def _words(ports: Ports, claim: Claim) -> str:
    locale, template = claim.payload["locale"], claim.payload["template"]
    params = {**claim.payload["params"], "operator": ports.operator_name}
    if f"{template}_sms" in catalogue(locale):
        return render(locale, f"{template}_sms", params)
    return f"{ports.operator_name}: {render(locale, f'{template}_subject', params)}"


@transactional
async def _done(ports: Ports, claim: Claim) -> None:
    await complete(claim)


async def is_stopped(ports: Ports, phone: str) -> bool:
    """Tell whether a number (E.164) said STOP and has not said START since."""
    hashes = _hashes(ports, phone)
    places = ", ".join(f"${n + 1}" for n in range(len(hashes)))
    return await fetch_one(f"select id from stopped_phones where phone_hash in ({places})", *hashes) is not None


async def stop_phone(ports: Ports, phone: str) -> None:
    """Note within the transaction under way that a number wants no texts; a repeat changes nothing.

    A keyed hash is all that is kept, of no account, so that it outlives one that is deleted.
    """
    await execute(
        "insert into stopped_phones (id, phone_hash, stopped_at) values ($1, $2, $3)"
        " on conflict (phone_hash) do nothing",
        uuid7(), _hashes(ports, phone)[0], ports.now(),
    )  # fmt: skip


async def reopen_phone(ports: Ports, phone: str) -> None:
    """Note within the transaction under way that a number takes texts again."""
    for phone_hash in _hashes(ports, phone):
        await execute("delete from stopped_phones where phone_hash = $1", phone_hash)


def _hashes(ports: Ports, phone: str) -> list[str]:
    return [digest.hex() for digest in ports.secrets.digests(_STOPPED, phone)]
