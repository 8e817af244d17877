"""Argon2id through passlib's API, in threads of its own, so that hashing never holds up the event loop."""

from __future__ import annotations

import asyncio
import hmac
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256

from passlib.context import CryptContext

from api.adapters.secrets import Secrets
from api.auth.turns import Turns
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.passwords import normalise_password
from api.domain.security_questions import normalise_answer

# OWASP's password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
MEMORY_KIB = 19_456
PASSES = 2
WAITING_MAX = 500
"""Hashes that are made, and as many tries of secrets, may wait at once, some seconds of work; past that it is kinder to
ask for another try."""
NICENESS = 12
"""How far hashing gives way to everything else: with 0, twenty sign-ins a second made the slowest reads take two to
three times as long on two processors, with 5 still more than twice as long (bench/RESULTS.md)."""
_WORKERS = max(1, (os.cpu_count() or 2) // 2)


class Passwords:
    """Hashes and checks. Short secrets (passcodes, answers) are first keyed with a pepper, see rule 9."""

    def __init__(self, secrets: Secrets, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._context = CryptContext(
            schemes=["argon2"], argon2__type="ID", argon2__memory_cost=memory_kib, argon2__rounds=passes,
            argon2__parallelism=1,
        )  # fmt: skip
        self._secrets = secrets
        # Checks have threads of their own: those who sign in must not wait behind a crowd that signs up, nor be sent
        # away because of it.
        self._checking = ThreadPoolExecutor(_WORKERS, "argon2-check", _give_way)
        self._hashing = ThreadPoolExecutor(_WORKERS, "argon2-hash", _give_way)
        self._turns = Turns()
        self._waiting = {self._checking: 0, self._hashing: 0}
        self._nobody = self._context.hash("a password that nobody has")

    @asynccontextmanager
    async def attempt(self, email_key: str | None) -> AsyncIterator[None]:
        """Hold a place for a try of an account's secret, from before it is counted until it is known to be right.

        Tries of one account go one after another. Raises Refused with UNAVAILABLE when too much waits already: that
        the service has no time is no guess of anybody's, so nothing may be counted by then. None: of no account.
        """
        if email_key is None:
            with self._place(self._checking):
                yield
            return
        async with self._turns.of(email_key):
            with self._place(self._checking):
                yield

    async def hash_password(self, password: str, *, in_attempt: bool = False) -> str:
        """Return a salted hash of the normalised password; an attempt that it is part of has its place already."""
        if in_attempt:
            return str(await self._run(self._hashing, self._context.hash, normalise_password(password)))
        return await self._hash(normalise_password(password))

    async def check_password(self, password: str, kept: str | None) -> bool:
        """Tell whether a password fits, within an attempt. With None the same work is done for nothing, so that both
        take as long."""
        fits = await self._verify(normalise_password(password), kept or self._nobody)
        return fits and kept is not None

    async def hash_short(self, purpose: str, secret: str) -> str:
        """Return a peppered, salted hash of a passcode or of a normalised answer."""
        return await self._hash(self._peppered(purpose, secret))

    async def check_short(self, purpose: str, secret: str, kept: str) -> bool:
        """Tell whether a passcode or an answer fits, within an attempt."""
        text = normalise_answer(secret) if purpose == "answer" else secret
        for pepper in self._secrets.digests("pepper", purpose):
            if await self._verify(_keyed(pepper, text), kept):
                return True
        return False

    def close(self) -> None:
        """End the threads."""
        for threads in (self._checking, self._hashing):
            threads.shutdown(wait=False, cancel_futures=True)

    def _peppered(self, purpose: str, secret: str) -> str:
        text = normalise_answer(secret) if purpose == "answer" else secret
        return _keyed(self._secrets.digest("pepper", purpose), text)

    async def _hash(self, secret: str) -> str:
        with self._place(self._hashing):
            return str(await self._run(self._hashing, self._context.hash, secret))

    async def _verify(self, secret: str, kept: str) -> bool:
        return bool(await self._run(self._checking, self._context.verify, secret, kept))

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[..., object], *arguments: str) -> object:
        return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)

    @contextmanager
    def _place(self, threads: ThreadPoolExecutor) -> Iterator[None]:
        """Hold one of the places before these threads; raises Refused with UNAVAILABLE when there is none."""
        if self._waiting[threads] >= WAITING_MAX:
            raise Refused(Fault(ErrorCode.UNAVAILABLE, "errors.unavailable"))
        self._waiting[threads] += 1
        try:
            yield
        finally:
            self._waiting[threads] -= 1


def _give_way() -> None:
    """Let the event loop go before this thread where processors are short: hashing is work, and nobody else's wait."""
    if sys.platform == "linux":
        # There a thread has a priority of its own; elsewhere the number could be another process's.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


def _keyed(pepper: bytes, text: str) -> str:
    return hmac.new(pepper, text.encode(), sha256).hexdigest()
