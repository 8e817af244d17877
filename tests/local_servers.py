"""Run PostgreSQL and Redis programs as servers of this process alone, which faults may be done to."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10


class LocalServer(ABC):
    """Run one server that belongs to this process alone.

    `kill` and `start` may alternate; the port and the folder stay, so the URL does. `pause` freezes the server without
    closing a connection, as a hung machine would.
    """

    stop_signal: signal.Signals

    def __init__(self, program: Path) -> None:
        self.program = program
        self.folder = Path(tempfile.mkdtemp(prefix="server-"))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def _arguments(self) -> list[str]: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...

    def _identity(self) -> dict[str, Any]:
        return {}

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and return when it takes connections; fail with its log when it does not."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._arguments(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **self._identity(),
            )
        self._guard = _guard(self._process.pid, self.folder, self.stop_signal)
        for _ in range(START_SECONDS_MAX * 20):
            if self._is_ready():
                return
            # Waiting for the process doubles as the pause between two looks, and ends at once when it has died.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.05)
                break
        self.stop()
        raise RuntimeError(f"{self.program.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """Kill the server and its children with SIGKILL, as if the power had gone."""
        family = self._signal(signal.SIGKILL)
        self._reap()
        psutil.wait_procs(family, timeout=STOP_SECONDS_MAX)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None and self.running:
            self.resume()
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(timeout=STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reap()

    def _signal(self, number: signal.Signals) -> list[psutil.Process]:
        """Signal the server and its children, and return them; a child may end of itself meanwhile."""
        if self._process is None or not self.running:
            return []
        parent = psutil.Process(self._process.pid)
        family = [parent, *parent.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)
        return family

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(timeout=STOP_SECONDS_MAX)
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
        self._process = self._guard = None


class LocalPostgres(LocalServer):
    # The immediate shutdown: the data are thrown away, but the shared memory is given back.
    stop_signal = signal.SIGQUIT

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.data = self.folder / "data"
        self._lock_file = self.data / "postmaster.pid"

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        if not self.data.exists():
            self._initialise()
        # A killed server leaves its lock file, whose last line would be taken for the new one's readiness.
        self._lock_file.unlink(missing_ok=True)
        super().start()

    def stop(self) -> None:
        # What was killed left a shared memory segment, which only a start in the same folder finds and gives back.
        if self._process is None and self._lock_file.exists():
            self.start()
        super().stop()

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            account = _account()
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.program = self._within_reach(self.program)
        initdb = [str(self.program.with_name("initdb")), "-D", str(self.data), "-U", "postgres", "--auth=trust"]
        self._run([*initdb, "--no-sync", "--encoding=UTF8", "--locale=C"])

    def _identity(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        account = _account()
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **self._identity())
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")

    def _within_reach(self, program: Path) -> Path:
        """Return the program, or its copy when the unprivileged account cannot run it where it is."""
        try:
            self._run([str(program), "--version"])
        except (PermissionError, RuntimeError):
            return self._copy(program)
        return program

    def _copy(self, program: Path) -> Path:
        installation, package = program.parents[1], program.parents[2]
        copy = self.folder / "program" / package.name / installation.name
        shutil.copytree(installation, copy, symlinks=True)
        # A wheel keeps the libraries beside the package, and its programs look for them from where they are.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, self.folder / "program" / libraries.name)
        account = _account()
        for path in [self.folder / "program", *(self.folder / "program").rglob("*")]:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        return copy / program.parent.name / program.name

    def _arguments(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
            # The data need not survive the machine, only the server's own death: what was committed must have left the
            # server's memory by then, so synchronous_commit stays on.
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.program), "-D", str(self.data), *options]

    def _is_ready(self) -> bool:
        try:
            return self._lock_file.read_text().splitlines()[7].strip() == "ready"
        except (FileNotFoundError, IndexError):
            return False


class LocalRedis(LocalServer):
    stop_signal = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def _arguments(self) -> list[str]:
        return [str(self.program), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _guard(pid: int, folder: Path, stop_signal: signal.Signals) -> subprocess.Popen[bytes]:
    """Start a shell that ends server and folder when this process dies in whatever way, which closes its pipe."""
    wait = 'for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$2" || break; sleep 0.1; done'
    script = f'read _; kill -"$1" "$2"; {wait}; rm -rf "$3"'
    command = ["/bin/sh", "-c", script, "guard", str(int(stop_signal)), str(pid), str(folder)]
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=null, stderr=null, start_new_session=True)


def _account() -> pwd.struct_passwd:
    # PostgreSQL refuses to run as root, so a root's tests run it as an account that owns nothing.
    return pwd.getpwnam("nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
