"""A headless Chromium, driven by its DevTools protocol over a pipe: as much of it as tests of pages need."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ANSWER_S = 60.0
"""How long one answer may take: a loaded machine starts a browser in several seconds."""
QUIET_S = 0.3
"""After loading: how long nothing more may come before a page counts as settled."""

_OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip


class Chromium:
    """One browser with one page. Use as a context manager.

    problems: what the console and the log said, exceptions included; requests: every address that was asked for.
    """

    def __init__(self, program: str, profile: Path) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._buffer = b""
        self._last = 0
        self._session = ""
        self._loaded: set[str] = set()
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        command = [program, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        # The browser reads 3 and writes 4. A shell puts them there, so that the numbers here don't matter.
        shell = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "chromium", *command],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)

    def __enter__(self) -> Chromium:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(ANSWER_S)
        os.close(self._out)
        os.close(self._in)

    # ---------------------------------------------------------------------------------------------------- the protocol

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command. Raises RuntimeError with the browser's own words."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + ANSWER_S
        while True:
            said = self._read(until)
            if said is None:
                raise RuntimeError(f"{method}: no answer within {ANSWER_S:g} s")
            if said.get("id") == self._last:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                result: dict[str, Any] = said["result"]
                return result
            self._note(said)

    def _read(self, until: float) -> dict[str, Any] | None:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._in, 1 << 20)
            if not data:
                raise RuntimeError("the browser ended")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        name, what = event.get("method", ""), event.get("params", {})
        if name == "Page.lifecycleEvent" and what["name"] == "load":
            self._loaded.add(what["loaderId"])
        elif name == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif name == "Runtime.exceptionThrown":
            self.problems.append(str(what["exceptionDetails"])[:500])
        elif name == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.problems.append(str(what["args"])[:500])
        elif name == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.problems.append(what["entry"]["text"])

    # -------------------------------------------------------------------------------------------------------- the page

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a file and wait until it has settled."""
        # From elsewhere, so that another fragment of the same page is a page of its own.
        self.call("Page.navigate", url="about:blank")
        loader = self.call("Page.navigate", url=page.resolve().as_uri() + fragment)["loaderId"]
        until = time.monotonic() + ANSWER_S
        while loader not in self._loaded:
            said = self._read(until)
            if said is None:
                raise RuntimeError(f"{page.name} did not load within {ANSWER_S:g} s")
            self._note(said)
        while (said := self._read(time.monotonic() + QUIET_S)) is not None:
            self._note(said)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for. Raises RuntimeError where it throws."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:1000])
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys by name, such as "ArrowRight" or "Tab", one after the other."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
        for key in keys:
            for kind in ("rawKeyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])

    def show(self, *, width: int, height: int, dark: bool = False, media: str = "") -> None:
        """The size of the window in CSS pixels, the reader's theme, "print" for paper."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def scripts(self, allowed: bool) -> None:
        """Whether pages that are opened from now on may run scripts."""
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def screenshot(self, whole: bool = False) -> bytes:
        """What is seen, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def pdf(self) -> bytes:
        """The page on paper (A4)."""
        sizes = {"paperWidth": 8.27, "paperHeight": 11.69}
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True, **sizes)["data"])


def find_program(candidates: Sequence[str] = PROGRAMS) -> str:
    """The path of a browser; "" where there is none."""
    from shutil import which

    return next((path for name in candidates if (path := which(name))), "")
