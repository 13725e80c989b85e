"""A line to a vLLM server that lasts: what fails for a moment is asked again, what is gone is `EngineLost`.

Asked again after 1, 2, 4 … seconds, for as long as `generation.wait` says. A server that was started again in between
has not the weights it was sent, and counts as gone. What is asked for is not known here.
"""

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from motif.rounds.replies import EngineLost
from motif.system import console

FIRST, LONGEST = 1.0, 30.0  # seconds before it is asked again: at first, and at most
PROBE = 10.0  # seconds to take a connection, or to say that it lives
BEAT = 30.0  # seconds without a reply after which it is asked whether it lives
SILENCE = 3600.0  # seconds without any reply after which one that says it lives counts as gone all the same
PLACES = 64  # connections at a time
GONE = (500, 502, 503, 504)  # what it, or a proxy before it, answers when its engine is dead
SERVE = (
    'VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --weight-transfer-config \'{"backend": "nccl"}\' '
    "--logprobs-mode processed_logprobs"
)

Request = Callable[..., Any]  # of the library requests: (method, url, **options) -> response


def lasting(request: Request, address: str, wait: float, back: Callable[[], None] = lambda: None) -> Request:
    """`request` to the server at `address`, made again for `wait` seconds where it fails; then `EngineLost`.

    `back` is called when one succeeds that had failed, and may refuse. Threads say one line together.
    """
    from requests import ConnectionError, Timeout
    from requests.exceptions import ChunkedEncodingError

    said = threading.Lock()

    def asked(method: str, url: str, **options: Any) -> Any:
        begun: float | None = None
        pause = FIRST
        while True:
            try:
                response = request(method, url, **{"timeout": (PROBE, None), **options})
                problem = f"it answers with status {response.status_code}"
                if response.status_code not in GONE:
                    break
            except (ConnectionError, Timeout, ChunkedEncodingError) as error:
                problem = in_words(error)
            now = time.monotonic()
            begun = now if begun is None else begun
            if now - begun >= wait:
                raise EngineLost(gone(address, problem, wait))
            if said.acquire(blocking=False):
                words = f"the vLLM server at {address} does not answer ({problem}); asked again for {wait:g} seconds"
                console.say(words, style="yellow")
            time.sleep(min(pause, max(0.0, begun + wait - now)))
            pause = min(2 * pause, LONGEST)
        if begun is not None:
            back()
            with suppress(RuntimeError):  # another thread has come back before
                said.release()
        return response

    return asked


def gone(address: str, problem: str, wait: float = 0.0) -> str:
    """What a person is told of a server that does not answer."""
    tried = f" for generation.wait={wait:g} seconds" if wait else ""
    return f"no vLLM server answers at generation.base_url={address}{tried} ({problem}); start one with: {SERVE}"


def reach(address: str, wait: float) -> None:
    """Wait for a server at `address`; raises `EngineLost` where none says within `wait` seconds that it lives."""
    import requests

    lasting(requests.request, address, wait)("GET", f"{address}/health", timeout=PROBE)


def make_last(engine: Any, wait: float) -> None:
    """Let all that TRL's `engine` asks of its server be asked so, and look for life before weights are sent."""
    from requests.adapters import HTTPAdapter

    client = engine.vllm_client
    for prefix in ("http://", "https://"):
        client.session.mount(prefix, HTTPAdapter(pool_maxsize=PLACES))  # for one of TRL's that asks again by itself
    plain, address = client.session.request, client.base_url

    def instance() -> Any:
        """vLLM's own mark of one start of a server; None where it tells none."""
        ask = lasting(plain, address, wait)
        response = ask("GET", f"{address}/server_info", params={"config_format": "json"}, timeout=PROBE)
        return response.json()["vllm_config"].get("instance_id") if response.status_code == 200 else None

    first = instance()

    def back() -> None:
        if instance() != first:
            raise EngineLost(
                f"the vLLM server at generation.base_url={address} was started again and has not the weights that "
                "it was sent"
            )

    sync = engine.sync_weights

    def synced() -> None:
        check_alive(client)  # where it is gone, the sending itself may wait for ever
        sync()

    client.session.request, engine.sync_weights = lasting(plain, address, wait, back), synced


def check_alive(client: Any) -> None:
    """Raises `EngineLost` where the server of `client` does not answer that it lives."""
    client.session.get(f"{client.base_url}/health", timeout=PROBE)


def in_words(error: Exception) -> str:
    """Why a request failed: the system's words for it, out of what the libraries make of them."""
    if found := re.search(r"\[Errno -?\d+\] ([^'\")\]]+)|(\w[\w ]*timed out|Remote end closed[\w ]*)", str(error)):
        return (found[1] or found[2]).strip()
    return re.sub(r"\s+", " ", str(error))[:120] or type(error).__name__
