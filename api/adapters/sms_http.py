"""Texts by a provider that speaks signed JSON over HTTP, both ways; docs/DEPLOY.md has the shapes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import httpx

from api.adapters.signatures import BadSignature, sign, verify
from api.adapters.sms import Text, TextUnavailable

SIGNATURE_HEADER = "x-signature"
KEY_LENGTH_MIN = 16
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# A refusal of our key or of our pace is for an operator to mend, or passes by itself; the text can wait.
_MAY_PASS = frozenset({401, 403, 404, 407, 408, 421, 423, 425, 429})


class HttpTexter:
    """Send texts by POST, with a connection for each, signed by the key that the provider shares with us."""

    def __init__(self, url: str, timeout_seconds: float = 10, machine_seconds: Callable[[], float] = time.time) -> None:
        """Read `https://SENDER:KEY@host[:port]/path`; `http://` is taken for this machine alone.

        `timeout_seconds` bounds the whole exchange. Raises ValueError with one line that holds no credentials.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        key = unquote(parts.password or "") if host else ""
        is_safe = host and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))
        if not host or not is_safe or not parts.username or len(key) < KEY_LENGTH_MIN or parts.fragment:
            raise ValueError(
                f"SMS_URL must be console:// or https://SENDER:KEY@host/path, with a key of {KEY_LENGTH_MIN} characters"
            )
        self._key = key
        self._sender = unquote(parts.username)
        place = f"[{host}]" if ":" in host else host
        place += f":{port}" if port else ""
        self._url = f"{parts.scheme}://{place}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
        self._timeout_seconds = timeout_seconds
        self._machine_seconds = machine_seconds

    async def send(self, text: Text) -> None:
        """Hand the text over; done means that the provider has taken it, now or under this key before.

        Raises TextUnavailable: permanent for a final no to this text, such as a number that there is not.
        """
        body = json.dumps({"id": text.key, "from": self._sender, "to": text.to, "text": text.text}).encode()
        headers = {
            "content-type": "application/json",
            "idempotency-key": text.key,
            SIGNATURE_HEADER: sign(self._key, body, int(self._machine_seconds())),
        }
        try:
            # Proxies named in the environment are not asked: the URL is what an operator chose.
            async with (
                asyncio.timeout(self._timeout_seconds),
                httpx.AsyncClient(timeout=self._timeout_seconds, trust_env=False) as client,
                client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, OSError) as error:
            raise TextUnavailable(f"the text provider: {type(error).__name__}", permanent=False) from None
        # 409: it has a text of this key already.
        if status == 409 or 200 <= status <= 299:
            return
        permanent = 400 <= status <= 499 and status not in _MAY_PASS
        raise TextUnavailable(f"the text provider: {status}", permanent=permanent)

    def is_from_provider(self, body: bytes, signature: str | None, now_seconds: float) -> bool:
        """Tell whether a call carries the provider's signature, made within five minutes of `now_seconds`."""
        try:
            verify(self._key, body, signature, now_seconds)
        except BadSignature:
            return False
        return True
