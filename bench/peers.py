"""Other servers that do the same work, from a folder that is no part of this repository; see its README."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.live_servers import free_port

START_SECONDS_MAX = 30.0
INSTALL_SECONDS_MAX = 240.0


class Peer:
    """One running server."""

    def __init__(self, name: str, port: int, pid: int) -> None:
        self.name, self.port, self.pid = name, port, pid


class Peers:
    """The folder, its database and its programs."""

    def __init__(self, source: Path, work: Path, server_url: str) -> None:
        """Copy the folder into `work`, install what its Node servers need, and fill a database of its own."""
        self.folder = work / "peers"
        shutil.copytree(source, self.folder, copy_function=shutil.copyfile)
        for folder in (self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        if not (self.folder / "node" / "node_modules").exists():
            install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(install, cwd=self.folder / "node", timeout=INSTALL_SECONDS_MAX, check=True)
        self.tokens = work / "peers-tokens.txt"
        psql = ["psql", "-q", "-v", "ON_ERROR_STOP=1"]
        subprocess.run([*psql, "-d", server_url, "-c", "drop database if exists bench_peers with (force)"], check=True)
        subprocess.run([*psql, "-d", server_url, "-c", "create database bench_peers"], check=True)
        self.url = urlunsplit(urlsplit(server_url)._replace(path="/bench_peers"))
        for script in ("schema.sql", "seed.sql"):
            with (work / "peers-database.log").open("ab") as log:
                command = [*psql, "-d", self.url, "-f", str(self.folder / "db" / script)]
                subprocess.run(command, check=True, stdout=log, stderr=log, timeout=120)
        with self.tokens.open("wb") as tokens:
            command = ["psql", "-qAt", "-d", self.url, "-f", str(self.folder / "db" / "tokens.sql")]
            subprocess.run(command, check=True, stdout=tokens, timeout=60)

    def body(self, operation: str) -> bytes:
        """Return the request body of one of the peers' operations, as their own load has it."""
        found = re.search(rf"^\s*{operation} = '(.*)',$", (self.folder / "load" / "post.lua").read_text(), re.M)
        assert found is not None
        return found[1].encode()

    @contextmanager
    def serving(self, name: str) -> Iterator[Peer]:
        """Run a server for as long as the block lasts; `name` is a Node program's, with `-one` or `-many`, or floor."""
        program, _, data = name.rpartition("-") if name.endswith(("-one", "-many")) else (name, "", "")
        port = free_port()
        if program == "floor":
            command = [sys.executable, "-m", "uvicorn", "floor:app", "--port", str(port), "--no-access-log"]
            folder = self.folder / "python"
        else:
            command, folder = ["node", f"{program}.js"], self.folder / "node"
        settings = {"PORT": str(port), "DATA": data or "many", "DATABASE_URL": self.url, "NODE_ENV": "production"}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            _wait_until_open(port, process)
            yield Peer(name, port, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args} did not start")
