"""Every setting, typed, read once by the composition roots. A wrong or missing one stops the start with one line."""

from __future__ import annotations

import contextlib
import secrets
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.domain.sign_ins import Lifetime, Lifetimes

Sandbox = Literal["off", "on", "shared"]
_DEFAULT = Lifetimes()


class SettingsError(Exception):
    """A setting is wrong or missing; the message is one line that names it."""


class Settings(BaseSettings):
    """What a deployment chooses. Names are those of the environment, in any case; `.env` is read too."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", populate_by_name=True)

    database_url: str = "sqlite://./data/app.sqlite3"
    database_pool: int = Field(10, ge=1, le=200)
    broadcast_url: str = "memory://"
    secret_key: str = ""
    secret_key_old: str = ""
    public_url: str = "http://127.0.0.1:8000"
    allowed_origins: str = ""
    allowed_hosts: str = ""
    return_urls: str = ""
    mail_url: str = "console://"
    mail_from: str = ""
    sms_url: str = "console://"
    payments_url: str = "simulated://"
    stripe_api_base: str = ""
    sandbox: Sandbox = "off"
    worker: Literal["on", "off"] = "on"
    operator_name: str = "Correctional Billing Services"
    trusted_proxies: str = ""
    sign_in_app_idle: timedelta = _DEFAULT.apps.idle
    sign_in_app_absolute: timedelta = _DEFAULT.apps.absolute
    sign_in_browser_idle: timedelta = _DEFAULT.browsers.idle
    sign_in_browser_absolute: timedelta = _DEFAULT.browsers.absolute
    sign_in_staff_idle: timedelta = _DEFAULT.staff.idle
    sign_in_staff_absolute: timedelta = _DEFAULT.staff.absolute

    @field_validator("public_url")
    @classmethod
    def _public_url_has_host(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http or https address, like https://pay.example.com")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("sqlite", "postgres", "postgresql"):
            raise ValueError("must begin with sqlite:// or postgres://")
        return value.replace("postgresql://", "postgres://", 1)

    @field_validator("stripe_api_base")
    @classmethod
    def _stripe_api_base_is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        is_here = parts.scheme == "http" and _is_loopback(parts.hostname or "")
        if value and not ((parts.scheme == "https" and parts.hostname) or is_here):
            raise ValueError("must be an https address; http only to this machine")
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.sandbox == "off":
            if len(self.secret_key) < 32:
                raise ValueError("SECRET_KEY must be set to at least 32 characters")
            if urlsplit(self.payments_url).scheme == "simulated":
                raise ValueError("PAYMENTS_URL must name a real processor outside the sandbox")
        elif self.sandbox == "on":
            real = [
                name
                for name, value, simulated in (
                    ("MAIL_URL", self.mail_url, "console"),
                    ("SMS_URL", self.sms_url, "console"),
                    ("PAYMENTS_URL", self.payments_url, "simulated"),
                )
                if urlsplit(value).scheme != simulated
            ]
            if real:
                raise ValueError(f"SANDBOX=on must not run beside a real {real[0]}; SANDBOX=shared allows it")
        return self

    @model_validator(mode="after")
    def _lifetimes_fit_together(self) -> Self:
        for name in ("app", "browser", "staff"):
            idle, absolute = (getattr(self, f"sign_in_{name}_{kind}") for kind in ("idle", "absolute"))
            if not timedelta(minutes=1) <= idle <= absolute:
                raise ValueError(
                    f"SIGN_IN_{name.upper()}_IDLE must be at least a minute and at most SIGN_IN_{name.upper()}_ABSOLUTE"
                )
        return self

    @property
    def lifetimes(self) -> Lifetimes:
        """How long sign-ins last; given as ISO 8601 durations, like P30D or PT30M."""
        return Lifetimes(
            apps=Lifetime(self.sign_in_app_idle, self.sign_in_app_absolute),
            browsers=Lifetime(self.sign_in_browser_idle, self.sign_in_browser_absolute),
            staff=Lifetime(self.sign_in_staff_idle, self.sign_in_staff_absolute),
        )

    @property
    def is_sandbox(self) -> bool:
        """True where the clock may be moved and the processor is simulated."""
        return self.sandbox != "off"

    @property
    def data_dir(self) -> Path:
        """Where files of this process's own are kept: beside the SQLite database, else `./data`."""
        if self.database_url.startswith("sqlite://"):
            return Path(self.database_url.removeprefix("sqlite://")).parent
        return Path("data")

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins that browsers may call from; those of the public URL when none are named."""
        named = tuple(origin.strip().rstrip("/") for origin in self.allowed_origins.split(",") if origin.strip())
        if named:
            return named
        parts = urlsplit(self.public_url)
        own = f"{parts.scheme}://{parts.netloc}"
        if self.is_sandbox and parts.hostname == "127.0.0.1":
            # People type either name into the browser of the machine that they develop on.
            return (own, own.replace("127.0.0.1", "localhost"))
        return (own,)

    @property
    def return_to(self) -> tuple[str, ...]:
        """Addresses that a bank's page may lead back to, app links too; the public URL when none are named."""
        named = tuple(url.strip() for url in self.return_urls.split(",") if url.strip())
        return named or (self.public_url,)

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that requests may carry, without ports."""
        named = {host.strip().lower() for host in self.allowed_hosts.split(",") if host.strip()}
        own = urlsplit(self.public_url).hostname or ""
        return frozenset(named | {own} | ({"127.0.0.1", "localhost", "::1"} if self.is_sandbox else set()))

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Proxies in front of the service, whose word on the client's address is taken; none when none are named."""
        return _networks(self.trusted_proxies)

    @property
    def sender(self) -> str:
        """The address that mails come from."""
        return self.mail_from or f"no-reply@{urlsplit(self.public_url).hostname}"


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raises SettingsError with one line that names the first wrong one."""
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]).upper() + ": " if fault["loc"] else ""
        raise SettingsError(name + fault["msg"].removeprefix("Value error, ")) from None
    if settings.sandbox != "off" and not settings.secret_key:
        settings.secret_key = _kept_secret(settings.data_dir)
    return settings


def refuse_open_sandbox(settings: Settings, host: str) -> None:
    """Raise SettingsError when the sandbox would be reachable from other machines."""
    if settings.sandbox == "on" and not _is_loopback(host):
        raise SettingsError(f"SANDBOX=on must not listen on {host}, which is not loopback; SANDBOX=shared allows it")


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be addresses or networks, like 10.0.0.0/8, 192.0.2.1") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _kept_secret(directory: Path) -> str:
    """Return the sandbox's secret, made at the first start and kept, so that a restart ends no sign-in."""
    file = directory / "secret_key"
    directory.mkdir(parents=True, exist_ok=True)
    made = directory / f".secret_key.{secrets.token_hex(8)}"
    made.touch(mode=0o600)
    made.write_text(secrets.token_urlsafe(48))
    # A link appears with its whole content or not at all, so two processes that start at once read the same secret.
    with contextlib.suppress(FileExistsError):
        file.hardlink_to(made)
    made.unlink()
    return file.read_text()
