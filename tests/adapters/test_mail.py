"""Mails that arrive over a real SMTP server on this machine, and on the console."""

import pytest

from api.adapters.mail import ConsoleMailer, SmtpMailer, open_mailer
from tests.adapters.postbox import MAIL, SENDER, Postbox, refused, smtp_server, text_of


async def test_a_plain_mail_arrives_with_the_headers_of_an_automatic_one() -> None:
    postbox = Postbox()
    async with smtp_server(postbox) as place:
        await open_mailer(f"smtp://{place}", SENDER).send(MAIL)

    message = postbox.only()
    assert postbox.envelopes[0].mail_from == "billing@mail.example"
    assert postbox.envelopes[0].rcpt_tos == ["ann@example.com"]
    assert {name: message[name] for name in ("From", "To", "Subject", "Message-ID")} == {
        "From": SENDER,
        "To": "ann@example.com",
        "Subject": "Verify your e-mail",
        "Message-ID": "<0198c0de-verify@mail.example>",
    }
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert message["Date"].datetime.tzinfo is not None
    assert message.get_content_type() == "text/plain"
    assert text_of(message) == MAIL.text


async def test_a_mail_with_html_offers_both_and_the_plain_text_first() -> None:
    postbox = Postbox()
    async with smtp_server(postbox) as place:
        await SmtpMailer(f"smtp://{place}", SENDER).send(MAIL._replace(html="<p>Verify</p>"))

    message = postbox.only()
    parts = [(part.get_content_type(), text_of(part)) for part in message.iter_parts()]
    assert message.get_content_type() == "multipart/alternative"
    assert parts == [("text/plain", MAIL.text), ("text/html", "<p>Verify</p>\n")]


@pytest.mark.rule("37")
async def test_spanish_and_long_lines_arrive_unharmed_over_plain_ascii() -> None:
    postbox = Postbox()
    subject = "Su reembolso está en camino: " + "ñandú " * 30 + "✓"
    text = "¡Atención! " * 200 + "\n.\n..\nFin\n"
    async with smtp_server(postbox) as place:
        await SmtpMailer(f"smtp://{place}", SENDER).send(
            MAIL._replace(subject=subject, text=text, html="<p>¡Sí!</p>", language="es")
        )

    message = postbox.only()
    plain, html = message.iter_parts()
    assert (postbox.envelopes[0].content or "é").isascii()
    assert message["Subject"] == subject
    assert message["Content-Language"] == "es"
    assert (text_of(plain), text_of(html)) == (text, "<p>¡Sí!</p>\n")


async def test_an_international_address_goes_to_a_server_that_knows_them_and_is_refused_for_good_elsewhere() -> None:
    mail = MAIL._replace(to="josé@correo.example")
    knows, does_not = Postbox(), Postbox()
    async with smtp_server(knows, enable_SMTPUTF8=True) as place:
        await SmtpMailer(f"smtp://{place}", SENDER).send(mail)
    async with smtp_server(does_not) as place:
        assert (await refused(place, mail)).permanent

    assert knows.envelopes[0].rcpt_tos == ["josé@correo.example"]
    assert knows.only()["To"] == "josé@correo.example"


async def test_a_repeat_carries_the_same_message_id() -> None:
    postbox = Postbox()
    async with smtp_server(postbox) as place:
        mailer = SmtpMailer(f"smtp://{place}", SENDER)
        await mailer.send(MAIL)
        await mailer.send(MAIL)

    assert [message["Message-ID"] for message in postbox.messages()] == ["<0198c0de-verify@mail.example>"] * 2


async def test_credentials_are_decoded_and_used() -> None:
    postbox = Postbox()
    options = {"authenticator": postbox.authenticate, "auth_require_tls": False}
    async with smtp_server(postbox, **options) as place:
        await SmtpMailer(f"smtp://us%3Aer:p%40ss%2Fword@{place}", SENDER).send(MAIL)
        error = await refused(f"someone:else@{place}")
    assert len(postbox.envelopes) == 1
    assert not error.permanent
    assert "535" in str(error)


async def test_the_console_shows_the_whole_text_with_its_link(capsys: pytest.CaptureFixture[str]) -> None:
    mailer = open_mailer("console://", SENDER)
    await mailer.send(MAIL)

    assert isinstance(mailer, ConsoleMailer)
    out = capsys.readouterr().out
    assert "Mail to ann@example.com: Verify your e-mail" in out
    assert "http://127.0.0.1:8000/verify?token=abc" in out
