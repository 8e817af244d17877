"""The port for text messages to mobiles."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from api.adapters.console import console


class Text(NamedTuple):
    """A text to send: `to` in E.164; `key` comes from the event, so that a provider recognises a repeat."""

    to: str
    text: str
    key: str


class TextUnavailable(Exception):
    """The text did not go out; `permanent` when trying again cannot help."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Texter(Protocol):
    """Sends texts."""

    async def send(self, text: Text) -> None:
        """Hand the text to the provider; a repeat with the same key is safe where the provider knows keys.

        Raises TextUnavailable.
        """
        ...


class ConsoleTexter:
    """Print texts instead of sending them."""

    async def send(self, text: Text) -> None:
        """Print the text to standard output."""
        console("sms").info("Text to %s: %s", text.to, text.text)


def open_texter(url: str) -> Texter:
    """Return the texter that SMS_URL names.

    Raises ValueError with one line, which never repeats the URL since that may hold credentials.
    """
    if url != "console://":
        raise ValueError("SMS_URL must be console://")
    return ConsoleTexter()
