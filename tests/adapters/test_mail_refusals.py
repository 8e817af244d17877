"""Mails that do not arrive: what is refused, what may be tried again, and what is never waited for."""

import asyncio
import ssl

import pytest

from api.adapters.mail import MailUnavailable, SmtpMailer, open_mailer
from tests.adapters.postbox import MAIL, SENDER, Postbox, raw_server, refused, smtp_server


@pytest.mark.row("S15")
@pytest.mark.parametrize(
    "change",
    [
        {"to": "ann@example.com\r\nBcc: eve@example.com"},
        {"to": "ann@example.com\nBcc: eve@example.com"},
        {"to": "ann@example.com\r"},
        {"to": "ann@example.com, eve@example.com"},
        {"to": "Ann <ann@example.com>"},
        {"to": "ann@example.com>\x00"},
        {"to": "ann"},
        {"to": ""},
        {"subject": "Hello\r\nBcc: eve@example.com"},
        {"subject": "Hello\n\nbody"},
        {"subject": "Hello\u2028there"},
        {"message_id": "1@evil.example>\r\nX: y"},
        {"message_id": "a@b"},
        {"message_id": ""},
        {"language": "en\r\nX: y"},
        {"text": "\ud800"},
    ],
)
async def test_a_mail_that_would_smuggle_headers_or_readers_is_refused_for_good_and_never_sent(
    change: dict[str, str],
) -> None:
    postbox = Postbox()
    async with smtp_server(postbox) as place:
        assert (await refused(place, MAIL._replace(**change))).permanent
    assert postbox.envelopes == []


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        ("550 5.1.1 no such reader ann@example.com", True),
        ("554 5.7.1 not wanted", True),
        ("451 4.3.0 try later", False),
        ("421 4.3.2 closing", False),
        ("530 5.7.0 sign in first", False),
    ],
)
async def test_a_final_no_to_the_mail_is_permanent_and_a_passing_one_is_not(
    step: str, answer: str, permanent: bool
) -> None:
    async with smtp_server(Postbox(step, answer)) as place:
        error = await refused(place)

    assert error.permanent is permanent
    assert answer[:3] in str(error)
    assert "ann" not in str(error)


async def test_a_server_that_is_not_there_is_not_permanent() -> None:
    async with smtp_server(Postbox()) as place:
        pass
    assert not (await refused(place)).permanent


async def test_a_server_that_turns_the_connection_away_is_not_permanent() -> None:
    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 no service here\r\n")
        writer.close()

    async with raw_server(turn_away) as place:
        assert not (await refused(place)).permanent


async def test_a_server_without_the_expected_tls_is_not_permanent() -> None:
    async with smtp_server(Postbox()) as place:
        assert not (await refused(place, scheme="smtps")).permanent


@pytest.mark.parametrize("greeting", [b"", b"220 here\r\n"])
async def test_a_server_that_stalls_is_given_up_and_may_be_tried_again(greeting: bytes) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    async with raw_server(stall) as place, asyncio.timeout(10):
        with pytest.raises(MailUnavailable) as raised:
            await SmtpMailer(f"smtp://{place}", SENDER, timeout_seconds=0.1).send(MAIL)
    assert not raised.value.permanent


async def test_a_server_that_keeps_talking_does_not_stretch_the_time_out() -> None:
    async def ramble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while await reader.readline():
            writer.write(b"250-more\r\n")
            await writer.drain()

    async with raw_server(ramble) as place, asyncio.timeout(10):
        with pytest.raises(MailUnavailable) as raised:
            await SmtpMailer(f"smtp://{place}", SENDER, timeout_seconds=0.1).send(MAIL)
    assert not raised.value.permanent


@pytest.mark.parametrize("answer", ["451 what?", "521 no", ""])
async def test_a_mail_that_was_taken_stays_taken_whatever_the_goodbye(answer: str) -> None:
    postbox = Postbox("QUIT", answer)
    async with smtp_server(postbox) as place, asyncio.timeout(10):
        await SmtpMailer(f"smtp://{place}", SENDER).send(MAIL)
    assert len(postbox.envelopes) == 1


async def test_credentials_never_leave_this_machine_in_the_clear() -> None:
    postbox = Postbox()
    options = {"authenticator": postbox.authenticate, "auth_require_tls": False}
    async with smtp_server(postbox, **options) as place:
        # A spelling of this machine that the mailer does not take for it stands in for a host elsewhere.
        elsewhere = place.replace("127.0.0.1", "127.1")
        assert not (await refused(f"us%3Aer:p%40ss%2Fword@{elsewhere}")).permanent
    assert postbox.signed_in == []


async def test_tls_on_offer_is_taken_and_its_certificate_checked() -> None:
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    postbox = Postbox()
    async with smtp_server(postbox, tls_context=offered) as place:
        assert not (await refused(place)).permanent
    assert postbox.envelopes == []


@pytest.mark.parametrize(
    "url",
    ["", "secret", "https://secret@host", "smtp://", "smtp://secret@", "smtp://u:secret@host:port", "smtp://[secret"],
)
def test_another_setting_stops_with_one_line_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^MAIL_URL must be [^\n]+$") as raised:
        open_mailer(url, SENDER)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("sender", ["", "Billing", "a@b.example, c@d.example\r\nX: y", "Billing <>"])
def test_a_sender_without_an_address_stops_the_start(sender: str) -> None:
    with pytest.raises(ValueError, match="address"):
        open_mailer("smtp://127.0.0.1:25", sender)
