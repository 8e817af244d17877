"""What the composition roots share: settings become ports, and a database is looked at before it is used."""

from __future__ import annotations

from api.adapters import migrations
from api.adapters.broadcast import open_broadcast
from api.adapters.clock import Clock, SandboxClock, SystemClock
from api.adapters.live import Live
from api.adapters.mail import Mailer, open_mailer
from api.adapters.payments import open_processor
from api.adapters.ports import Ports
from api.adapters.sandbox_messages import SandboxMailer, SandboxTexter
from api.adapters.secrets import Secrets
from api.adapters.sms import Texter, open_texter
from api.services.sandbox import was_sandbox
from api.settings import Settings, SettingsError


def make_ports(settings: Settings) -> Ports:
    """Return the ports that the settings name; raises SettingsError where one of them cannot be read.

    In the sandbox mails and texts are kept where tests can read them."""
    try:
        return _ports(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _ports(settings: Settings) -> Ports:
    clock: Clock = SandboxClock() if settings.is_sandbox else SystemClock()
    keeps_mails = settings.is_sandbox and settings.mail_url == "console://"
    keeps_texts = settings.is_sandbox and settings.sms_url == "console://"
    mailer: Mailer = SandboxMailer(clock) if keeps_mails else open_mailer(settings.mail_url, settings.sender)
    texter: Texter = SandboxTexter(clock) if keeps_texts else open_texter(settings.sms_url)
    return Ports(
        clock=clock,
        live=Live(open_broadcast(settings.broadcast_url)),
        mailer=mailer,
        texter=texter,
        processor=open_processor(settings.payments_url, data_dir=settings.data_dir, public_url=settings.public_url),
        secrets=Secrets(settings.secret_key, settings.secret_key_old),
        public_url=settings.public_url,
        return_urls=settings.return_to,
        operator_name=settings.operator_name,
        sandbox=settings.is_sandbox,
    )


async def check_database(settings: Settings) -> None:
    """Raise SettingsError unless the connected database is migrated and, outside the sandbox, was never in one."""
    missing = await migrations.pending()
    if missing:
        raise SettingsError(f"DATABASE_URL: the database lacks {missing[0]}; run `python -m api migrate`")
    await migrations.verify_guards()
    if not settings.is_sandbox and await was_sandbox():
        raise SettingsError("DATABASE_URL: a sandbox used this database, so its demo sign-ins would be served")
