"""Load over HTTP from this process: keep-alive connections that each do one thing after the other."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import psutil

ANSWER_SECONDS_MAX = 20.0


class Client(asyncio.Protocol):
    """One connection; it understands answers with a Content-Length, which is all that is asked of here."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) >= end + 4 + length and self._answer:
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            self._answer.set_result(body)

    async def ask(self, request: bytes) -> bytes:
        """Send a request and return the answer's body."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


@asynccontextmanager
async def clients(port: int, count: int) -> Any:
    """Open connections for as long as the block lasts."""
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Client, "127.0.0.1", port))[1] for _ in range(count)]
    try:
        yield opened
    finally:
        for client in opened:
            client.close()


def graphql_request(port: int, token: str, body: bytes | dict[str, Any]) -> bytes:
    """Return the bytes of a GraphQL request; without a token, of somebody who is signed out."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"{authorization}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@dataclass(frozen=True, slots=True)
class Load:
    """What one round measured; times in milliseconds, CPU in microseconds of the server per thing done."""

    per_second: float
    p50: float = 0.0
    p99: float = 0.0
    cpu: float = 0.0

    @staticmethod
    def median(rounds: Sequence[Load]) -> Load:
        """Return the medians of several rounds."""
        middle = [statistics.median(getattr(r, name) for r in rounds) for name in ("per_second", "p50", "p99", "cpu")]
        return Load(*middle)


async def run(port: int, pid: int, connections: int, seconds: float, act: Callable[[Client], Awaitable[None]]) -> Load:
    """Let each connection do `act` again and again for some seconds."""
    took: list[float] = []

    async def go_on(client: Client, end: float) -> None:
        while (begun := time.perf_counter()) < end:
            await act(client)
            took.append(time.perf_counter() - begun)

    async with clients(port, connections) as opened, asyncio.timeout(seconds + ANSWER_SECONDS_MAX):
        cpu, begun = cpu_seconds(pid), time.perf_counter()
        await asyncio.gather(*(go_on(client, begun + seconds) for client in opened))
        elapsed, cpu = time.perf_counter() - begun, cpu_seconds(pid) - cpu
    done = max(1, len(took))
    return Load(done / elapsed, percentile(took, 0.5) * 1e3, percentile(took, 0.99) * 1e3, cpu / done * 1e6)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of them lies; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and its children have used."""
    family = [process := psutil.Process(pid), *process.children(recursive=True)]
    return sum(sum(member.cpu_times()[:2]) for member in family)


def resident_kib(pid: int) -> float:
    """Return the memory that a process and its children hold."""
    family = [process := psutil.Process(pid), *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 1024


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"
