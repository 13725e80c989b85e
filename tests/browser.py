"""A headless Chromium for tests of pages: a frame holds the page as it is, and a script beside it clicks and looks."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=20000"),
)
WRAPPER = """<!doctype html><meta charset="utf-8"><style>body {{ margin: 0 }}</style>
<iframe id="frame" src="{page}" style="border: 0; width: {width}px; height: {height}px"></iframe><pre id="found"></pre>
<script>
const frame = document.getElementById("frame");
const until = async (test, tries = 200) => {{
  for (let i = 0; i < tries; i += 1) {{
    if (test()) return true;
    await new Promise((go) => setTimeout(go, 20));
  }}
  return false;
}};
frame.onload = async () => {{
  const page = frame.contentDocument, win = frame.contentWindow, $ = (id) => page.getElementById(id);
  let found;
  try {{ found = await (async () => {{ {script} }})(); }} catch (error) {{ found = {{ error: String(error.stack) }}; }}
  document.getElementById("found").textContent = JSON.stringify(found) + " end";
}};
</script>"""


def browse(
    page: Path, script: str, width: int = 1100, height: int = 900, dark: bool = False, shot: Path | None = None
) -> tuple[Any, list[str]]:
    """What `script`, the body of an async function, returns, and the lines of the console.

    It sees `page` (the document), `win`, `$(id)` and `until(test)`. Skips the test where there is no Chromium.
    """
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no chromium here")
    with tempfile.TemporaryDirectory() as folder:
        wrapper = Path(folder) / "wrapper.html"
        address = html.escape(page.absolute().as_uri())
        wrapper.write_text(WRAPPER.format(page=address, script=script, width=width, height=height), encoding="utf-8")
        # Blink's schemes: 0 dark, 1 light
        how = [f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--user-data-dir={folder}/profile"]
        how += [f"--window-size={max(width, 500)},{height}", f"--screenshot={shot}" if shot else "--dump-dom"]
        done = subprocess.run(
            [binary, *FLAGS, *how, wrapper.as_uri()], capture_output=True, text=True, encoding="utf-8", timeout=120
        )
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    if shot:
        return None, console
    given = re.search(r'<pre id="found">(.*?) end</pre>', done.stdout, flags=re.S)
    assert given, f"the script came to no end: {done.stdout[-500:]} {console}"
    return json.loads(html.unescape(given[1])), console
