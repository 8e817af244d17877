"""The real service as processes of its own: served on a free port of 127.0.0.1, killed and started again at will."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

START_SECONDS_MAX = 100.0  # A loaded machine takes ten times as long as an idle one.
STOP_SECONDS_MAX = 20.0
ROOT = Path(__file__).parent.parent


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what a process of the service gets to see: these settings and none of the machine's or of a `.env`.

    It works in a folder of its own, where the sandbox on PostgreSQL keeps its secret and its processor's file. It may
    keep its bytecode, whatever the machine has it do: tests start it dozens of times.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "SANDBOX": "on", **settings}


class Process:
    """One command of the service; its output goes to a file beside its data."""

    def __init__(self, folder: Path, arguments: list[str], settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.log = folder / f"{arguments[0]}-{free_port()}.log"
        self._arguments = arguments
        self.settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process, again too."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api", *self._arguments],
                cwd=self.folder,
                env=environment(self.settings),
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask the process to end and wait until it has."""
        self._end(signal.SIGTERM)

    def wait_for_log(self, text: str) -> None:
        """Return once the process has logged this; fail when it ends or takes too long."""
        end = time.monotonic() + START_SECONDS_MAX
        while text not in self.log.read_text():
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < end, f"not logged: {text}"
            time.sleep(0.05)

    def end(self) -> int:
        """Ask the process to end; return its exit status, or fail when it takes too long."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS_MAX)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS_MAX)
        self._process = None


class LiveServer(Process):
    """The service on a port; `url` is where it answers."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *options: str) -> None:
        self.port = free_port()
        super().__init__(folder, ["serve", "--port", str(self.port), *options], settings)
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        super().start()
        end = time.monotonic() + START_SECONDS_MAX
        # Reading the certificates that are trusted, for each look, would take as long as the start itself.
        with httpx.Client(timeout=2, trust_env=False, verify=False) as http:
            while time.monotonic() < end:
                assert self._process is not None
                if self._process.poll() is not None:
                    break
                with contextlib.suppress(httpx.HTTPError):
                    if http.get(f"{self.url}/readyz").status_code == 200:
                        return
                time.sleep(0.05)
        raise AssertionError(f"the service did not start:\n{self.log.read_text()[-3000:]}")


@contextlib.contextmanager
def live_server(folder: Path, *options: str, **settings: str) -> Iterator[LiveServer]:
    """Serve for as long as the block lasts; SQLite in `folder` with the sandbox on unless `settings` say otherwise."""
    server = LiveServer(folder, {"DATABASE_URL": f"sqlite://{folder}/app.sqlite3", **settings}, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def run_command(folder: Path, *arguments: str, typed: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; SQLite in `folder` with the sandbox on unless `settings` say otherwise."""
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=folder,
        env=environment({"DATABASE_URL": f"sqlite://{folder}/app.sqlite3", **settings}),
        input=typed,
        capture_output=True,
        text=True,
        timeout=START_SECONDS_MAX,
        check=False,
    )


def audit(server: Process) -> tuple[int, str]:
    """Audit a server's books while it serves; return the exit status and what is said after the counts."""
    done = run_command(server.folder, "ledger", "audit", **server.settings)
    return done.returncode, done.stdout.rpartition(": ")[2].strip() or done.stderr
