"""A vLLM server that fails for a moment, hangs, dies, or is another one: asked again, and then lost in one line."""

import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from motif.generation import vllm_requests, vllm_retry
from motif.generation.engines import VLLM
from motif.policies.tiny import Tiny
from motif.rounds.replies import EngineLost, Sampling
from motif.system import console
from motif.system.errors import UserError
from tests.support import ROOT

TALKS = [[{"role": "user", "content": f"1/1 {n}a-5b*8"}] for n in (1, 1, 2, 3, 4)]
SAMPLING = Sampling(12)


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


@pytest.fixture
def said(monkeypatch):
    heard = []
    monkeypatch.setattr(console, "say", lambda text="", style=None: heard.append(text))
    return heard


def engine(server, policy, wait=5.0):
    return VLLM(mode="server", base_url=server.url, wait=wait).generator(policy)


def lost(generate, words):
    with pytest.raises(EngineLost, match=words) as error:
        generate(TALKS, SAMPLING)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("fault", ["500", "503", "reset", "half"])
def test_a_server_that_fails_for_a_moment_is_asked_again_and_writes_the_same(server, policy, said, fault):
    generate = engine(server, policy)
    whole = generate(TALKS, SAMPLING)
    server.faults = [fault] * 6
    assert generate(TALKS, SAMPLING) == whole and not server.faults
    assert len(said) == 1 and "does not answer" in said[0] and "\n" not in said[0]


def test_a_server_that_is_away_for_a_moment_is_waited_for(server, policy, said):
    generate = engine(server, policy)
    whole = generate(TALKS, SAMPLING)
    server.stop()
    threading.Timer(0.5, server.start).start()
    assert generate(TALKS, SAMPLING) == whole
    assert len(said) == 1 and "Connection refused" in said[0]
    server.faults = ["500"]
    assert generate(TALKS, SAMPLING) == whole and len(said) == 2  # another time is said again


def test_a_server_that_was_started_again_has_other_weights_and_is_lost(server, policy):
    generate = engine(server, policy)
    server.stop()
    server.instance = "second"
    threading.Timer(0.3, server.start).start()
    lost(generate, "was started again and has not the weights that it was sent")


@pytest.mark.parametrize("fault", ["500", "503", "reset", "half"])
def test_a_server_that_keeps_failing_is_lost_in_one_line(server, policy, said, fault):
    generate = engine(server, policy, wait=0.4)
    server.faults = [fault] * 10_000
    lost(generate, "no vLLM server answers at generation.base_url=.* for generation.wait=0.4 seconds .*vllm serve")
    assert len(said) == 1


def test_a_server_that_is_gone_is_asked_at_growing_distances_and_no_longer_than_it_is_waited_for(
    server, policy, monkeypatch
):
    monkeypatch.setattr(vllm_retry, "FIRST", 1.0)
    generate = engine(server, policy, wait=60)
    server.stop()
    clock, pauses = [0.0], []

    def sleep(seconds):
        pauses.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(vllm_retry, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    with pytest.raises(EngineLost, match="Connection refused"):
        generate(TALKS[:1], SAMPLING)
    assert pauses == [1, 2, 4, 8, 16, 29]


def test_weights_that_are_under_way_are_announced_once(said):
    asked = []

    def request(method, url, **options):
        asked.append(url)
        return SimpleNamespace(status_code=500)

    with pytest.raises(
        EngineLost, match=r"no vLLM server answers at generation.base_url=http://host \(it answers with"
    ):
        vllm_retry.lasting(request, "http://host", 60.0)("POST", "http://host/update_weights")
    assert asked == ["http://host/update_weights"] and not said


def toy(send, get=lambda *_, **__: None):
    """Stands for TRL's engine with a server: `send` is its sync_weights, `get` how it is asked whether it lives."""

    def request(*_, **__):
        return SimpleNamespace(status_code=404)

    client = SimpleNamespace(
        base_url="http://host", session=SimpleNamespace(get=get, request=request, mount=lambda *_: 0)
    )
    return SimpleNamespace(server_base_url="http://host", sync_weights=send, vllm_client=client)


def test_a_server_that_is_gone_is_sent_no_weights():
    def gone(*_, **__):
        raise EngineLost("gone")

    sent = []
    for engine in (toy(lambda: sent.append(1)), toy(lambda: sent.append(2), gone)):
        vllm_retry.make_last(engine, 0.0)
        with suppress(EngineLost):
            engine.sync_weights()
    assert sent == [1]


def test_sending_that_never_ends_ends_the_process_after_half_of_its_patience():
    code = "import threading\nfrom motif.generation import vllm_retry\nfrom motif.system import processes\n"
    code += "from tests.generation.test_vllm_retry import toy\nprocesses.patience = 1.0\n"
    code += (
        "engine = toy(threading.Event().wait)\nvllm_retry.make_last(engine, 0.0)\nengine.sync_weights()\nprint('on')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert (
        done.returncode == 1
        and not done.stdout
        and done.stderr
        == (
            "error: the vLLM server at generation.base_url=http://host did not take the weights within 0.5 s, half of "
            "patience=; start it again, and the same command continues\n"
        )
    )


def test_a_server_that_hangs_is_lost(server, policy):
    generate = engine(server, policy, wait=0.5)
    server.silent.set()
    begun = time.monotonic()
    lost(generate, "no vLLM server answers .*timed out")
    assert time.monotonic() - begun < 30


def test_a_server_that_takes_long_and_lives_is_waited_for(server, policy, said):
    generate = engine(server, policy, wait=0.0)
    server.faults = ["slow"] * 4
    assert len(generate(TALKS, SAMPLING)) == 5
    assert server.asked.count("/health") > 2 and not said


def test_one_reply_that_never_comes_is_not_waited_for_where_the_others_say_that_the_server_is_gone(server, policy):
    server.faults = ["hang"] + ["503"] * 10_000
    lost(engine(server, policy, wait=0.2), "no vLLM server answers")


def test_a_server_that_lives_and_never_replies_is_lost(server, policy, monkeypatch):
    monkeypatch.setattr(vllm_requests, "SILENCE", 0.5)
    server.faults = ["", "hang"]
    lost(engine(server, policy), "says that it lives, but has replied to no request for 0.5 seconds")


@pytest.mark.parametrize("silent", [False, True])
def test_a_server_that_is_not_there_at_the_start_is_one_line(server, policy, silent):
    if silent:
        server.silent.set()
    else:
        server.stop()
    with pytest.raises(UserError, match="no vLLM server answers at generation.base_url=.*vllm serve") as error:
        engine(server, policy, wait=0.2)
    assert "\n" not in str(error.value)
