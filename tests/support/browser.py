"""A real headless Chromium, spoken to over the pipe of its DevTools protocol, which needs no library and no port."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"),
)
HELPERS = """
const page = document, win = window, $ = (id) => document.getElementById(id);
const until = async (test) => { while (!test()) await new Promise((go) => setTimeout(go, 20)); };
"""


def chromium() -> str | None:
    """The program, where there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One tab of a browser with a profile of its own. `console` gathers errors, warnings and whatever the page logs,
    `requests` what it asks a network for."""

    def __init__(self, width: int = 1100, height: int = 900, dark: bool = False, patience: float = 120) -> None:
        program = chromium()
        assert program, "no chromium here"
        self.console: list[str] = []
        self.requests: list[str] = []
        self.patience, self.calls, self.held, self.loads, self.seen = patience, 0, b"", 0, 0
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self.to = _pipe()
        self.back, theirs_out = _pipe()

        def place() -> None:
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"],
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL},
            close_fds=False,
            preexec_fn=place,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.session = None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        self.profile.cleanup()

    def point(self, x: float, y: float) -> None:
        """Move the mouse to a place on the screen."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        """Press a key that writes one letter."""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def open(self, page: Path, place: str = "") -> float:
        """Go to a file, at a `place` such as `#results`; the seconds until it has loaded."""
        started, self.seen = time.perf_counter(), self.loads
        self.call("Page.navigate", url=page.absolute().as_uri() + place)
        self.wait_for_load()
        return time.perf_counter() - started

    def wait_for_load(self) -> None:
        """Wait until a page has loaded since the last one that was waited for."""
        while self.loads == self.seen:
            self._receive()
        self.seen = self.loads

    def run(self, script: str) -> Any:
        """What `script`, the body of an async function, returns; it sees `page`, `win`, `$(id)` and `until(test)`."""
        code = f"(async () => {{ {HELPERS} {script} }})()"
        found = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def shoot(self, file: Path) -> None:
        """What is on the screen, as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.calls += 1
        message = {"id": self.calls, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.to, text) :]
        while True:
            answer = self._receive()
            if answer.get("id") == self.calls:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        """The next message; events are noted on the way."""
        while b"\0" not in self.held:
            assert select.select([self.back], [], [], self.patience)[0], f"no answer; console: {self.console}"
            read = os.read(self.back, 1 << 20)
            assert read, "the browser has ended"
            self.held += read
        text, self.held = self.held.split(b"\0", 1)
        message = json.loads(text)
        method, given = message.get("method"), message.get("params")
        if method == "Page.loadEventFired":
            self.loads += 1
        elif method == "Network.requestWillBeSent" and not given["request"]["url"].startswith(("file:", "data:")):
            self.requests.append(given["request"]["url"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.console.append(f"{method} {json.dumps(given)[:500]}")
        return message


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are above 4, where the browser expects its own."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
