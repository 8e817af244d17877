"""A real SMTP server on this machine, that keeps what it is handed and refuses where it is told to."""

import asyncio
import email
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage, Message
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from api.adapters.mail import Mail, MailUnavailable, SmtpMailer

SENDER = "Billing Services <billing@mail.example>"
MAIL = Mail(
    to="ann@example.com",
    subject="Verify your e-mail",
    text="Open http://127.0.0.1:8000/verify?token=abc\n",
    html=None,
    message_id="0198c0de-verify",
    language="en",
)


class Postbox:
    """What an SMTP server was handed, and the answer it gives at a step of the exchange."""

    def __init__(self, step: str = "", answer: str = "") -> None:
        self.step = step
        self.answer = answer
        self.envelopes: list[Envelope] = []
        self.signed_in: list[LoginPassword] = []

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answer if self.step == "MAIL" else "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.step == "RCPT":
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.step == "DATA":
            return self.answer
        self.envelopes.append(envelope)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.step == "QUIT" and not self.answer:
            await asyncio.Event().wait()
        return self.answer if self.step == "QUIT" else "221 Bye"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        self.signed_in.append(given)
        return AuthResult(success=given == LoginPassword(b"us:er", b"p@ss/word"), handled=False)

    def messages(self) -> list[EmailMessage]:
        found = []
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            message = email.message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found

    def only(self) -> EmailMessage:
        (message,) = self.messages()
        return message


@asynccontextmanager
async def smtp_server(postbox: Postbox, **options: Any) -> AsyncIterator[str]:
    """Serve on a free port; yields "host:port"."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(postbox, hostname="here", **options), "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve a conversation of our own making; yields "host:port"."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def text_of(part: Message) -> str:
    """Read a body as it was before the wire, where every line ends in CRLF."""
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


async def refused(place: str, mail: Mail = MAIL, scheme: str = "smtp") -> MailUnavailable:
    with pytest.raises(MailUnavailable) as raised:
        await SmtpMailer(f"{scheme}://{place}", SENDER).send(mail)
    return raised.value
