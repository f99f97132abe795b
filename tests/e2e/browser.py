"""A headless Chromium on a pipe: just enough of the DevTools protocol to open a page and read it.

Messages are JSON texts, each ended by a NUL, over file descriptors 3 (to the browser) and 4 (from
it). Every request, console message and uncaught error of a page is kept, for tests to judge.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import itertools
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LONGEST_MESSAGE_BYTES = 64 << 20
_PATIENCE_S = 20.0
# Nothing but the page itself may cause traffic.
_QUIET = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
)

# A process of its own, since only the child's descriptors may be 3 and 4.
_BECOME = """
import os, sys
read, write, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(path, sys.argv[3:])
"""

Message = dict[str, Any]


def chromium_path() -> str | None:
    """Return where Chromium is, None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@dataclass(slots=True)
class Page:
    """One tab; `run` evaluates in it."""

    browser: Browser
    session: str
    requests: list[str] = field(default_factory=list)
    """Every URL asked for, in order."""
    complaints: list[str] = field(default_factory=list)
    """Console messages of level warning or error, violations of the policy, uncaught errors."""
    loaded: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, method: str, **parameters: Any) -> Message:
        return await self.browser.call(method, session=self.session, **parameters)

    async def go(self, url: str) -> None:
        """Open `url` and wait until it has loaded."""
        self.loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self.loaded.wait(), _PATIENCE_S)

    async def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        answer = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        problem = answer.get("exceptionDetails")
        assert problem is None, f"{script}: {problem}"
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until the expression is true, looked at again and again."""
        await self.run(
            "new Promise((resolve, reject) => {"
            f" const end = performance.now() + {_PATIENCE_S * 500};"
            f" const look = () => {{ if ({condition}) resolve(true);"
            " else if (performance.now() > end) reject(new Error('never true'));"
            " else setTimeout(look, 10); }; look(); })"
        )

    async def fill(self, selector: str, text: str) -> None:
        """Type into a field, as a paste would."""
        await self.run(f"document.querySelector({json.dumps(selector)}).select()")
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, code: int, *, modifiers: int = 0) -> None:
        """Press and release a key; modifiers: 1 Alt, 2 Ctrl, 8 Shift."""
        # Only a key that makes text submits a form.
        text = {"text": "\r"} if key == "Enter" and not modifiers else {}
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                **text,
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
            )

    async def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        answer = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))

    def hear(self, method: str, parameters: Message) -> None:
        """Keep what an event of this tab says."""
        match method:
            case "Page.loadEventFired":
                self.loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in {"error", "warning"}:
                self.complaints.append(json.dumps(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in {"error", "warning"}:
                entry = parameters["entry"]
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}".strip())
            case _:
                pass


class Browser:
    """A running Chromium."""

    def __init__(self, reader: asyncio.StreamReader, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._pages: dict[str, Page] = {}

    async def call(self, method: str, *, session: str | None = None, **parameters: Any) -> Message:
        """Send a command and return its result."""
        number = next(self._ids)
        message: Message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        answer = await asyncio.wait_for(future, _PATIENCE_S)
        assert "error" not in answer, f"{method}: {answer}"
        result: Message = answer["result"]
        return result

    async def page(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        """Open an empty tab."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = Page(self, attached["sessionId"])
        self._pages[page.session] = page
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.call(f"{domain}.enable")
        await page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await page.call("Emulation.setEmulatedMedia", features=[scheme])
        return page

    async def listen(self) -> None:
        """Take in answers and events until the browser is gone."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                waiting = self._waiting.pop(message.get("id", 0), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
                elif page := self._pages.get(message.get("sessionId", "")):
                    page.hear(message.get("method", ""), message.get("params", {}))


def _pipe() -> tuple[int, int]:
    """Return both ends of a pipe, away from the descriptors 3 and 4."""
    low = os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low]
    for end in low:
        os.close(end)
    return ends[0], ends[1]


@asynccontextmanager
async def open_browser(profile: Path) -> AsyncIterator[Browser]:
    """Start Chromium with an empty profile folder, and end it."""
    path = chromium_path()
    assert path is not None, "look at chromium_path first"
    (to_browser, from_us), (to_us, from_browser) = _pipe(), _pipe()
    # Chromium's own sandbox refuses to run as root.
    unboxed = ("--no-sandbox",) if os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _BECOME,
        str(to_browser),
        str(from_browser),
        path,
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
        *_QUIET,
        *unboxed,
        pass_fds=(to_browser, from_browser),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    reader = asyncio.StreamReader(limit=_LONGEST_MESSAGE_BYTES)
    file = os.fdopen(to_us, "rb")
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    browser = Browser(reader, from_us)
    listening = asyncio.create_task(browser.listen())
    try:
        yield browser
    finally:
        with contextlib.suppress(AssertionError, TimeoutError, BrokenPipeError):
            await browser.call("Browser.close")
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.wait({listening}, timeout=_PATIENCE_S)
        listening.cancel()
        transport.close()
        os.close(from_us)
