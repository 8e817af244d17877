"""The sandbox's mailer and texter: what they are given is kept to be read at a sandbox door, and goes to nobody."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from uuid_utils.compat import uuid7

from api.adapters.clock import Clock
from api.adapters.database import execute, fetch, read_time
from api.adapters.mail import Mail
from api.adapters.sms import Text

_KEEP = (
    "insert into sandbox_messages (id, kind, recipient, key, subject, text, html, at)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (key) do nothing"
)


class Message(NamedTuple):
    """A mail or a text as it would have arrived; a text has no subject."""

    to: str
    subject: str
    text: str
    at: datetime


class SandboxMailer:
    """Keep mails in the sandbox's table instead of sending them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        """Keep the mail; a repeat under the same message id changes nothing."""
        await execute(
            _KEEP, uuid7(), "mail", mail.to, f"mail:{mail.message_id}", mail.subject, mail.text, mail.html,
            self._clock.now(),
        )  # fmt: skip


class SandboxTexter:
    """Keep texts in the sandbox's table instead of sending them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def send(self, text: Text) -> None:
        """Keep the text; a repeat with the same key changes nothing."""
        await execute(_KEEP, uuid7(), "sms", text.to, f"sms:{text.key}", "", text.text, None, self._clock.now())

    def is_from_provider(self, body: bytes, signature: str | None, now_seconds: float) -> bool:
        """Return False: texts come in by the sandbox's own door."""
        return False


async def messages(kind: str, recipient: str, limit: int = 50) -> list[Message]:
    """Return what was sent to an address or a phone, newest first; `kind` is "mail" or "sms". Case does not count."""
    rows = await fetch(
        "select recipient, subject, text, at from sandbox_messages"
        " where kind = $1 and lower(recipient) = lower($2) order by at desc, id desc limit $3",
        kind, recipient, limit,
    )  # fmt: skip
    return [Message(row["recipient"], row["subject"], row["text"], read_time(row["at"])) for row in rows]
