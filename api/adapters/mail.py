"""The port for mails, with SMTP behind it or a developer's console."""

from __future__ import annotations

import asyncio
import contextlib
import re
from datetime import UTC, datetime
from email import policy
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import getaddresses
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from api.adapters.console import console

# One address and nothing else: no second one after a comma, no name, no comment, no quotes.
ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]+@[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]+")
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# RFC 4954, section 6.
SIGN_IN_CODES = frozenset({530, 534, 535, 538})
GOODBYE_SECONDS = 0.5


class Mail(NamedTuple):
    """A mail to send to one bare address, in a language ("en", "es").

    `message_id` comes from the event that the mail tells of: letters, digits and `._-`. A mail that is sent twice
    carries the same one, so that a reader's program can show it once.
    """

    to: str
    subject: str
    text: str
    html: str | None
    message_id: str
    language: str


class MailUnavailable(Exception):
    """The mail was not taken; `permanent` when trying the same mail again cannot help.

    Its text names no address, so that it may be logged.
    """

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, mail: Mail) -> None:
        """Hand the mail over; a repeat may reach the reader again, under the same message id.

        Raises MailUnavailable.
        """
        ...


class ConsoleMailer:
    """Print mails instead of sending them."""

    async def send(self, mail: Mail) -> None:
        """Print the mail to standard output, its links too."""
        console("mail").info("Mail to %s: %s\n%s\n", mail.to, mail.subject, mail.text)


class SmtpMailer:
    """Send mails over SMTP, with a connection for each."""

    def __init__(self, url: str, sender: str, timeout_seconds: float = 10) -> None:
        """Read `smtp://[user:pass@]host[:port]` or `smtps://…`; `sender` is `Name <address>` or an address.

        `smtp://` turns to TLS where the server offers it. With credentials it must, unless the host is this one.
        `timeout_seconds` bounds the whole exchange. Raises ValueError with one line that holds no credentials.
        """
        try:
            parts = urlsplit(url)
            host, self._port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("smtp", "smtps") or parts.path not in ("", "/") or parts.query:
            raise ValueError("MAIL_URL must be smtp://[user:pass@]host:port or smtps://[user:pass@]host:port")
        self._host = host
        self._tls = parts.scheme == "smtps"
        self._username = None if parts.username is None else unquote(parts.username)
        self._password = None if parts.password is None else unquote(parts.password)
        secrets_need_tls = self._username is not None and host not in ("127.0.0.1", "::1", "localhost")
        self._start_tls = True if secrets_need_tls and not self._tls else None
        self._sender = _sender(sender)
        self._timeout_seconds = timeout_seconds

    async def send(self, mail: Mail) -> None:
        """Send the mail; done means that the server has taken it, and nothing after that makes it fail.

        Raises MailUnavailable: permanent for a mail that cannot be written as one, such as a line break in an
        address, and for a server's final no to it; not permanent for what may pass: the connection, the time-out,
        our sign-in.
        """
        try:
            message = self._message(mail)
        except ValueError:
            raise MailUnavailable("the mail is malformed: its address, a header or its id", permanent=True) from None
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._tls,
            start_tls=None if self._tls else self._start_tls,
            # Without a name the machine would be asked for one, which can hang on its name server.
            local_hostname=self._sender.domain,
            timeout=self._timeout_seconds,
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await client.connect()
                await client.send_message(message, sender=self._sender.addr_spec, recipients=[mail.to])
        except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
            client.close()
            # The server's own words may repeat the address, so only its code goes on.
            raise MailUnavailable(_reason(error), permanent=_is_permanent(error)) from None
        except asyncio.CancelledError:
            client.close()
            raise
        # The mail is taken: a server that is slow to say goodbye must not have it sent again.
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=GOODBYE_SECONDS)
        client.close()

    def _message(self, mail: Mail) -> EmailMessage:
        for value in (mail.to, mail.subject, mail.language):
            if CONTROLS.search(value):
                raise ValueError("a header cannot hold a line break or another control character")
        if not MESSAGE_ID.fullmatch(mail.message_id):
            raise ValueError("a message id is letters, digits and ._- only")
        # Bodies are encoded as plain ASCII, which every relay passes on unchanged.
        message = EmailMessage(policy.SMTP.clone(cte_type="7bit"))
        message["From"] = self._sender
        message["To"] = _address(mail.to)
        # EmailMessage's own folding drops spaces between encoded words; the older Header keeps them.
        message.set_raw("Subject", Header(mail.subject, header_name="Subject").encode())
        message["Date"] = datetime.now(UTC)
        message["Message-ID"] = f"<{mail.message_id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
        # Setting the content clears all headers that speak of content, so this one comes last.
        message["Content-Language"] = mail.language
        return message


def open_mailer(url: str, sender: str) -> Mailer:
    """Return the mailer that MAIL_URL names; nothing is connected to before the first mail.

    Raises ValueError with one line, which never repeats the URL since that may hold credentials.
    """
    if url == "console://":
        return ConsoleMailer()
    if url.startswith(("smtp://", "smtps://")):
        return SmtpMailer(url, sender)
    raise ValueError("MAIL_URL must be console://, smtp://[user:pass@]host:port or smtps://[user:pass@]host:port")


def _address(address: str, name: str = "") -> Address:
    if not ADDRESS.fullmatch(address):
        raise ValueError("a mail address must be one bare address, such as ann@example.com")
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


def _sender(sender: str) -> Address:
    found = [] if CONTROLS.search(sender) else getaddresses([sender])
    if len(found) != 1:
        raise ValueError("the sender of mails must be one address, or Name <address>")
    (name, address), *_ = found
    return _address(address, name)


def _reason(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    code = f" {error.code}" if isinstance(error, aiosmtplib.SMTPResponseException) else ""
    return f"the mail server: {type(error).__name__}{code}"


def _is_permanent(error: Exception) -> bool:
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            return all(_is_permanent(recipient) for recipient in error.recipients)
        case aiosmtplib.SMTPRecipientRefused() | aiosmtplib.SMTPSenderRefused() | aiosmtplib.SMTPDataError():
            # A no that speaks of signing in is about our settings, which an operator can mend; the mail can wait.
            return 500 <= error.code <= 599 and error.code not in SIGN_IN_CODES
        case aiosmtplib.SMTPNotSupported() | UnicodeError():
            return True
    return False
