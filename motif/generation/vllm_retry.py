"""Retries of what is asked of a vLLM server: after 1, 2, 4 … seconds, for `generation.wait` seconds.

Then the server is gone (`EngineLost`). One that was started again in between is gone too: it no longer has the weights
that it was sent. This module does not know what is asked for.
"""

import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from motif.rounds.replies import EngineLost
from motif.system import console, processes

FIRST, LONGEST = 1.0, 30.0  # seconds before the next request: at first, and at most
PROBE = 10.0  # seconds to take a connection, or to say that it is alive
BEAT = 30.0  # seconds without a reply, after which the server is asked whether it is alive
SILENCE = 3600.0  # seconds without any reply, after which it is gone even if it says that it is alive
PLACES = 64  # connections at a time
ONCE = "/update_weights"  # is not asked again: the weights that it announces are under way
GONE = (500, 502, 503, 504)  # the answers of a server, or of a proxy before it, whose engine is dead
SERVE = (
    'VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --weight-transfer-config \'{"backend": "nccl"}\' '
    "--logprobs-mode processed_logprobs"
)

Request = Callable[..., Any]  # of the library requests: (method, url, **options) -> response


def lasting(request: Request, address: str, wait: float, back: Callable[[], None] = lambda: None) -> Request:
    """`request` with retries, for `wait` seconds.

    Args:
        request: the function `request` of the library requests, or of a session of it.
        address: the server's, for messages.
        back: called when a request succeeds after a failure; it may raise.

    Returns:
        A function like `request` that raises `EngineLost` in the end. Threads that use it say one line together.
    """
    from requests import ConnectionError, Timeout
    from requests.exceptions import ChunkedEncodingError

    said = threading.Lock()

    def asked(method: str, url: str, **options: Any) -> Any:
        begun: float | None = None
        pause, last = FIRST, 0.0 if url.endswith(ONCE) else wait
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
            if now - begun >= last:
                raise EngineLost(gone(address, problem, last))
            if said.acquire(blocking=False):
                words = f"the vLLM server at {address} does not answer ({problem}); asked again for {wait:g} seconds"
                console.say(words, style="yellow")
            time.sleep(min(pause, max(0.0, begun + wait - now)))
            pause = min(2 * pause, LONGEST)
        if begun is not None:
            back()
            with suppress(RuntimeError):  # another thread was first
                said.release()
        return response

    return asked


def gone(address: str, problem: str, wait: float = 0.0) -> str:
    """The message about a server that does not answer."""
    tried = f" for generation.wait={wait:g} seconds" if wait else ""
    return f"no vLLM server answers at generation.base_url={address}{tried} ({problem}); start one with: {SERVE}"


def reach(address: str, wait: float) -> None:
    """Wait for a server at `address`; raises `EngineLost` where none is alive within `wait` seconds."""
    import requests

    lasting(requests.request, address, wait)("GET", f"{address}/health", timeout=PROBE)


def make_last(engine: Any, wait: float) -> None:
    """Let TRL's `engine` ask its server with retries, and send weights to one that lives, for half of `patience`.

    All processes call it, since sending is the work of all. One that never comes to its end hears no exception.
    """
    address, sync = engine.server_base_url, engine.sync_weights
    limit = processes.patience / 2  # the others wait for `patience`
    words = f"the vLLM server at generation.base_url={address} did not take the weights within {limit:g} s, half of"

    def send(places: Sequence[int]) -> Sequence[int]:
        with processes.within(limit, f"{words} patience=; start it again, and the same command continues"):
            sync()
        return places

    def synced() -> None:
        processes.by_first(lambda: check_alive(engine.vllm_client))
        processes.divided(send, range(processes.count()))  # an error in one is raised in all

    engine.sync_weights = synced
    if processes.first():
        ask_again(engine.vllm_client, wait)


def ask_again(client: Any, wait: float) -> None:
    """Let TRL's `client` ask its server with retries, as long as it is the one that was sent the weights."""
    from requests.adapters import HTTPAdapter

    for prefix in ("http://", "https://"):
        client.session.mount(prefix, HTTPAdapter(pool_maxsize=PLACES))  # in place of TRL's, which retries by itself
    plain, address = client.session.request, client.base_url

    def instance() -> Any:
        """vLLM's own id of one start of a server; None where it has none."""
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

    client.session.request = lasting(plain, address, wait, back)


def check_alive(client: Any) -> None:
    """Raises `EngineLost` where the server of `client` does not answer that it is alive."""
    client.session.get(f"{client.base_url}/health", timeout=PROBE)


def in_words(error: Exception) -> str:
    """Why a request failed, in the system's words, without what libraries put around them."""
    if reason := re.search(r"\[Errno -?\d+\] ([^'\")\]]+)|(\w[\w ]*timed out|Remote end closed[\w ]*)", str(error)):
        return (reason[1] or reason[2]).strip()
    return re.sub(r"\s+", " ", str(error))[:120] or type(error).__name__
