"""What the composition roots share: settings become ports, and a database is looked at before it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import asyncpg
from tortoise.exceptions import DBConnectionError

from api.adapters import database, migrations
from api.adapters.broadcast import BroadcastUnavailable, open_broadcast
from api.adapters.clock import Clock, SandboxClock, SystemClock
from api.adapters.database import DatabaseUnavailable
from api.adapters.live import Live
from api.adapters.mail import Mailer, open_mailer
from api.adapters.payments import open_processor
from api.adapters.ports import Ports
from api.adapters.sandbox_messages import SandboxMailer, SandboxTexter
from api.adapters.secrets import Secrets
from api.adapters.sms import Texter, open_texter
from api.auth.sign_ins import follow_sandbox_clock
from api.services.sandbox import was_sandbox
from api.settings import Settings, SettingsError

T = TypeVar("T")


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
    mailer: Mailer = (
        SandboxMailer(clock) if keeps_mails else _named("MAIL_URL", open_mailer, settings.mail_url, settings.sender)
    )
    texter: Texter = SandboxTexter(clock) if keeps_texts else _named("SMS_URL", open_texter, settings.sms_url)
    return Ports(
        clock=clock,
        live=Live(_named("BROADCAST_URL", open_broadcast, settings.broadcast_url)),
        mailer=mailer,
        texter=texter,
        processor=_named(
            "PAYMENTS_URL",
            open_processor,
            settings.payments_url,
            data_dir=settings.data_dir,
            public_url=settings.public_url,
            api_base=settings.stripe_api_base,
        ),
        secrets=Secrets(settings.secret_key, settings.secret_key_old),
        public_url=settings.public_url,
        return_urls=settings.return_to,
        operator_name=settings.operator_name,
        sandbox=settings.is_sandbox,
        lifetimes=settings.lifetimes,
    )


def _named(name: str, make: Callable[..., T], *arguments: Any, **more: Any) -> T:
    try:
        return make(*arguments, **more)
    except ValueError as error:
        raise SettingsError(f"{name}: {str(error).removeprefix(name).lstrip()}") from error


@asynccontextmanager
async def current_ports(settings: Settings) -> AsyncIterator[Ports]:
    """Give the ports for as long as the block lasts, in the sandbox with its clock as it stands."""
    ports = make_ports(settings)
    try:
        if settings.is_sandbox:
            await follow_sandbox_clock(ports)
        yield ports
    finally:
        await ports.processor.close()


async def check_start(settings: Settings) -> None:
    """Raise SettingsError when the settings name what is not there; what a serving process would die of as it starts.

    It is asked before the server is: whatever is raised within that ends in a traceback.
    """
    ports = make_ports(settings)
    try:
        with naming_settings():
            await database.connect(settings.database_url, pool=1)
            try:
                await check_database(settings)
            finally:
                await database.disconnect()
            await ports.live.broadcast.connect()
            await ports.live.broadcast.disconnect()
    finally:
        await ports.processor.close()


@contextmanager
def naming_settings() -> Iterator[None]:
    """Turn what a database or a broadcast that cannot be used raises into SettingsError, without a secret."""
    try:
        yield
    except (DatabaseUnavailable, DBConnectionError, OSError, asyncpg.PostgresError) as error:
        raise SettingsError(f"DATABASE_URL: the database cannot be used ({type(error).__name__})") from error
    except migrations.SchemaIncomplete as error:
        raise SettingsError(f"DATABASE_URL: {error}") from error
    except BroadcastUnavailable as error:
        raise SettingsError(f"BROADCAST_URL: {str(error).splitlines()[0]}") from error


async def check_database(settings: Settings) -> None:
    """Raise SettingsError unless the connected database is migrated and, outside the sandbox, was never in one."""
    missing = await migrations.pending()
    if missing:
        raise SettingsError(f"DATABASE_URL: the database lacks {missing[0]}; run `python -m api migrate`")
    await migrations.verify_guards()
    if not settings.is_sandbox and await was_sandbox():
        raise SettingsError("DATABASE_URL: a sandbox used this database, so its demo sign-ins would be served")
