"""Argon2id through passlib's API, in threads of its own, so that hashing never holds up the event loop."""

from __future__ import annotations

import asyncio
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

from passlib.context import CryptContext

from api.adapters.secrets import Secrets
from api.domain.passwords import normalise_password
from api.domain.security_questions import normalise_answer

# OWASP's password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
MEMORY_KIB = 19_456
PASSES = 2
_WORKERS = max(1, (os.cpu_count() or 2) // 2)


class Passwords:
    """Hashes and checks. Short secrets (passcodes, answers) are first keyed with a pepper, see rule 9."""

    def __init__(self, secrets: Secrets, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._context = CryptContext(
            schemes=["argon2"], argon2__type="ID", argon2__memory_cost=memory_kib, argon2__rounds=passes,
            argon2__parallelism=1,
        )  # fmt: skip
        self._secrets = secrets
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="argon2")
        self._nobody = self._context.hash("a password that nobody has")

    async def hash_password(self, password: str) -> str:
        """Return a salted hash of the normalised password."""
        return await self._run(self._context.hash, normalise_password(password))

    async def check_password(self, password: str, kept: str | None) -> bool:
        """Tell whether a password fits. With None the same work is done for nothing, so that both take as long."""
        fits = await self._run(self._context.verify, normalise_password(password), kept or self._nobody)
        return bool(fits) and kept is not None

    async def hash_short(self, purpose: str, secret: str) -> str:
        """Return a peppered, salted hash of a passcode or of a normalised answer."""
        return await self._run(self._context.hash, self._peppered(purpose, secret))

    async def check_short(self, purpose: str, secret: str, kept: str) -> bool:
        """Tell whether a passcode or an answer fits."""
        text = normalise_answer(secret) if purpose == "answer" else secret
        for pepper in self._secrets.digests("pepper", purpose):
            if await self._run(self._context.verify, _keyed(pepper, text), kept):
                return True
        return False

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _peppered(self, purpose: str, secret: str) -> str:
        text = normalise_answer(secret) if purpose == "answer" else secret
        return _keyed(self._secrets.digest("pepper", purpose), text)

    async def _run(self, work, *arguments: str) -> str:  # type: ignore[no-untyped-def]
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _keyed(pepper: bytes, text: str) -> str:
    return hmac.new(pepper, text.encode(), sha256).hexdigest()
