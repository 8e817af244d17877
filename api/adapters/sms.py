"""The port for text messages to and from mobiles."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from api.adapters.console import console


class Text(NamedTuple):
    """A text to send: `to` in E.164; `key` comes from the event, so that a provider recognises a repeat."""

    to: str
    text: str
    key: str


class TextUnavailable(Exception):
    """The text did not go out; `permanent` when trying again cannot help. Its words name no number."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Texter(Protocol):
    """Sends texts, and knows which calls come from the provider."""

    async def send(self, text: Text) -> None:
        """Hand the text to the provider; a repeat with the same key is safe where the provider knows keys.

        Raises TextUnavailable.
        """
        ...

    def is_from_provider(self, body: bytes, signature: str | None, now_seconds: float) -> bool:
        """Tell whether the provider signed a call, at most five minutes before or after `now_seconds`, machine time."""
        ...


class ConsoleTexter:
    """Print texts instead of sending them."""

    async def send(self, text: Text) -> None:
        """Print the text to standard output."""
        console("sms").info("Text to %s: %s", text.to, text.text)

    def is_from_provider(self, body: bytes, signature: str | None, now_seconds: float) -> bool:
        """Return False: there is no provider."""
        return False


def open_texter(url: str) -> Texter:
    """Return the texter that SMS_URL names; nothing is connected to before the first text.

    Raises ValueError with one line, which never repeats the URL since that may hold credentials.
    """
    if url == "console://":
        return ConsoleTexter()
    # The one behind it is built of the names above, so it can only be imported once they exist.
    from api.adapters.sms_http import HttpTexter

    return HttpTexter(url)
