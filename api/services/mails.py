"""Mails: queued in the transaction that they tell of, sent after it, under a message id that comes from the event."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import transactional
from api.adapters.mail import Mail, MailUnavailable
from api.adapters.ports import Ports
from api.auth.numbers import Number
from api.domain.contact import contact_lines
from api.domain.texts import render
from api.services.due_work import FAILURES_MAX, Claim, backoff, complete, enqueue, give_back
from api.services.named_links import named_token
from api.services.receipts import receipt_token
from api.services.recipients import give_up

KIND = "mail"
KEEP_ACTIVE = "keep-active"
"""Purpose of the links that keep a service from being closed for lack of activity."""
_NAME_LENGTH_MAX = 40
# What each purpose's link is called on the page that it leads to.
_QUERIES = {"verify": "token", "closure": "receipt", "invoice": "link", KEEP_ACTIVE: "token"}
# Links that name what they are of, since no table keeps their hash.
_NAMED = frozenset({"invoice", KEEP_ACTIVE})


class Link(NamedTuple):
    """A link that is made again when the mail is sent, so that no secret waits in the database."""

    purpose: str
    parts: tuple[str, ...]

    def token(self, ports: Ports) -> str:
        """Return the link's token, the same at each call."""
        if self.purpose == "closure":
            return receipt_token(ports, UUID(self.parts[0]))
        if self.purpose in _NAMED:
            return named_token(ports.secrets, self.purpose, UUID(self.parts[0]))
        return ports.secrets.token(self.purpose, *self.parts)

    def url(self, ports: Ports) -> str:
        """Return the address to open."""
        return f"{ports.public_url}/{self.purpose}?{_QUERIES[self.purpose]}={self.token(ports)}"


async def queue_mail(
    ports: Ports,
    template: str,
    *,
    to: str,
    locale: str,
    key: str,
    params: Mapping[str, str],
    link: Link | None = None,
    number: Number | None = None,
) -> None:
    """Have a mail sent once the transaction under way is committed; a repeat with the same key changes nothing.

    `template` names the texts `<template>_subject` and `<template>_text`, of mails.toml unless it names another file
    ("notices.password_changed").
    `key` becomes the message id: letters, digits and `._-`, one per event. `params` fill the template's texts and wait
    in the database until then, so no secret may be among them; link and number are made again when the mail is sent.
    """
    payload = {
        "template": template,
        "to": to,
        "locale": locale,
        "params": dict(params),
        "link": [link.purpose, *link.parts] if link else None,
        "number": [number.purpose, *number.parts] if number else None,
    }
    await enqueue(KIND, key, ports.now(), payload)


async def queue_no_mail(ports: Ports, key: str) -> None:
    """Do the work of queueing a mail where there is nobody to mail to, so that both take as long (rule 7)."""
    await enqueue(KIND, key, ports.now(), {"to": None})


async def send_mail(ports: Ports, claim: Claim) -> None:
    """Send the mail that a claim stands for; tried again with growing waits, unless trying again cannot help.

    One that is given up waits for a person only while its address is kept of somebody, see `recipients`.
    Raises Fenced when another process took the work over, which then sends it under the same message id.
    """
    try:
        if claim.payload["to"] is not None:
            await ports.mailer.send(_mail(ports, claim))
    except MailUnavailable as error:
        if error.permanent or claim.failures + 1 >= FAILURES_MAX:
            await give_up(ports, claim, str(error))
        else:
            await give_back(ports, claim, str(error), retry_at=ports.now() + backoff(claim.failures + 1))
        return
    await _done(ports, claim)


@transactional
async def _done(ports: Ports, claim: Claim) -> None:
    await complete(claim)


def _mail(ports: Ports, claim: Claim) -> Mail:
    payload = claim.payload
    locale, template = payload["locale"], payload["template"]
    texts = template if "." in template else f"mails.{template}"
    url = Link(payload["link"][0], tuple(payload["link"][1:])).url(ports) if payload["link"] else None
    params = payload["params"] | ({"link": url} if url else {})
    if payload["number"]:
        params["number"] = Number(payload["number"][0], tuple(payload["number"][1:])).digits(ports)
    text = render(locale, f"{texts}_text", params).strip() + "\n\n" + _footer(ports, locale)
    return Mail(
        to=payload["to"],
        subject=render(locale, f"{texts}_subject", params),
        text=text + "\n",
        html=html_of(text, locale, url),
        message_id=claim.key,
        language=locale,
    )


def _footer(ports: Ports, locale: str) -> str:
    lines = contact_lines()
    labels = {f"{name}_label": render(locale, f"contact.{name}") for name in lines}
    return render(locale, "mails.footer", {"operator": ports.operator_name, **lines, **labels}).strip()


def html_of(text: str, locale: str, url: str | None) -> str:
    """Return a mail's text as HTML: paragraphs, the link made one to click, and everything else escaped."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        escaped = html.escape(paragraph).replace("\n", "<br>\n")
        paragraphs.append(f'<p><a href="{escaped}">{escaped}</a></p>' if paragraph == url else f"<p>{escaped}</p>")
    return (
        f'<!doctype html>\n<html lang="{html.escape(locale)}"><head><meta charset="utf-8"></head>\n<body>\n'
        + "\n".join(paragraphs)
        + "\n</body></html>\n"
    )


def mailable_name(name: str) -> str:
    """Return a name as it may stand in a mail that a stranger can have sent: letters only, so nothing to click on."""
    kept = "".join(
        character if unicodedata.category(character)[0] in "LM" or character in "'’-" else " " for character in name
    )
    return " ".join(kept.split())[:_NAME_LENGTH_MAX]


def mailable_time(at: datetime) -> str:
    """Return an instant as mails in any language show it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
