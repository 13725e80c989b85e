"""A vLLM server that fails for a moment, hangs, dies, or is another one: asked again, and then lost in one line."""

import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest
from trl.generation import vllm_client, vllm_generation

from motif.generation import vllm_retry
from motif.generation.engines import VLLM
from motif.policies.tiny import Tiny
from motif.rounds.replies import EngineLost, Sampling, vllm_requests
from motif.runs.checkpoints import Checkpoints
from motif.runs.folder import Run
from motif.runs.ledger import Ledger
from motif.runs.tracking.base import Nowhere
from motif.system import console
from motif.system.errors import UserError
from motif.tasks.chain import Chain
from motif.training.algorithms import GRPO, MOTIF
from motif.training.rewards import Reward, accuracy
from motif.training.rollout import Rollout
from motif.training.trainer import make_trainer, train
from motif.training.trl_config import trainer_arguments
from tests.support.vllm_server import VLLMServer
from tests.training.test_trainer import EPISODE, episodes, small, weights, without_times

TALKS = [[{"role": "user", "content": f"1/1 {n}a-5b*8"}] for n in (1, 1, 2, 3, 4)]
SAMPLING = Sampling(12, seed=5)


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


@pytest.fixture
def server(policy):
    found = VLLMServer(policy.tokenizer("9a-5b*8")["input_ids"], policy.tokenizer.eos_token_id)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def without_vllm(monkeypatch):
    """TRL's client runs without vLLM; the weights, which it would send from a GPU, are not sent."""
    monkeypatch.setattr("motif.generation.engines.find_spec", lambda name: True)
    monkeypatch.setattr(vllm_client, "is_vllm_available", lambda: True)
    monkeypatch.setattr(vllm_generation, "is_vllm_available", lambda: True)
    monkeypatch.setattr(vllm_client.VLLMClient, "init_communicator", lambda *_, **__: None)
    monkeypatch.setattr(vllm_generation.VLLMGeneration, "sync_weights", lambda self: None)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(vllm_retry, "FIRST", 0.02)
    monkeypatch.setattr(vllm_retry, "PROBE", 0.3)
    monkeypatch.setattr(vllm_requests, "BEAT", 0.1)


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


def test_all_processes_that_share_a_server_hear_that_it_is_gone(monkeypatch):
    """Two processes: the first asks for both and finds it gone, the second is told."""
    told = []
    monkeypatch.setattr("accelerate.utils.gather_object", lambda asked: [*asked, []])
    monkeypatch.setattr("accelerate.utils.broadcast_object_list", lambda found, from_process: told or found)

    def ask(asked):
        raise EngineLost("gone")

    for main in (True, False):
        accelerator = SimpleNamespace(num_processes=2, process_index=int(not main), is_main_process=main)
        with pytest.raises(EngineLost, match="gone"):
            vllm_requests.pooled(SimpleNamespace(mode="server", accelerator=accelerator), [], ask if main else None)
        told = [EngineLost("gone")]


# training


VARIETY = Reward(
    outcome={"accuracy": accuracy},
    reply={"variety": lambda path: float(len(set(path[-1].reply.token_ids)))},
    weights={"accuracy": 1.0, "variety": 1.0},
)


def trained(server, folder, algorithm, every=100, at_step=lambda step: None, wait=0.3):
    """Train the tiny policy with what the server writes; `at_step` is called when a step is done."""
    policy, run = Tiny().load(), Run.open(folder, {})
    run.begin({})
    questions, episode = Chain(train_size=16, longest=4).train(), EPISODE.with_rounds(algorithm.rounds(3))
    engine = partial(VLLM(mode="server", base_url=server.url, wait=wait).generator, policy)
    rollout = Rollout(algorithm, episode, VARIETY, questions, engine, policy.tokenizer, Ledger(), 0)
    arguments = trainer_arguments(algorithm, episode, VARIETY, 0, run.checkpoints, Checkpoints(every, 2))
    trainer = make_trainer(policy, arguments, rollout)
    rollout.generator(trainer)
    train(trainer, rollout, run, Nowhere(), lambda step, *_: at_step(step), checkpoints=Checkpoints(every, 2))
    return policy, run


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [small(GRPO, steps=4), small(MOTIF, steps=4, k=2)], ids=lambda found: found.name)
def test_a_server_that_dies_in_training_leaves_an_exact_checkpoint_and_the_same_command_continues(
    server, tmp_path, algorithm
):
    whole, undisturbed = trained(server, tmp_path / "whole", algorithm)
    with pytest.raises(EngineLost, match="no vLLM server answers .*; what is done is kept, .* from step 2$") as error:
        trained(server, tmp_path / "run", algorithm, at_step=lambda step: server.stop() if step == 2 else None)
    assert "\n" not in str(error.value)
    assert Run(tmp_path / "run").checkpoint().step == 2
    server.start()
    policy, run = trained(server, tmp_path / "run", algorithm)
    assert weights(policy) == weights(whole) != weights(Tiny().load())
    assert without_times(run) == without_times(undisturbed) and episodes(run) == episodes(undisturbed)


@pytest.mark.slow
def test_a_server_that_dies_in_a_later_round_or_fails_for_a_moment_changes_nothing(server, tmp_path):
    algorithm = small(MOTIF, steps=3, k=2)
    whole, undisturbed = trained(server, tmp_path / "whole", algorithm)

    def fail(step):
        server.faults = [""] * 2 + ["hang"] + ["503"] * 10_000 if step == 1 else ["reset", "500", "half"]

    with pytest.raises(EngineLost):
        trained(server, tmp_path / "run", algorithm, at_step=fail)
    server.faults = []
    policy, run = trained(server, tmp_path / "run", algorithm, at_step=lambda step: fail(2), wait=5)
    assert weights(policy) == weights(whole)
    assert without_times(run) == without_times(undisturbed) and episodes(run) == episodes(undisturbed)


@pytest.mark.slow
def test_a_server_that_dies_before_the_first_step_is_finished_or_after_a_checkpoint_writes_no_second(server, tmp_path):
    algorithm = small(GRPO, steps=3)
    whole, undisturbed = trained(server, tmp_path / "whole", algorithm)
    server.faults = ["503"] * 10_000
    with pytest.raises(EngineLost, match="from step 0"):
        trained(server, tmp_path / "run", algorithm)
    server.faults = []

    def die(step):
        server.faults = ["503"] * 10_000 * (step == 2)

    with pytest.raises(EngineLost, match="from step 2"):
        trained(server, tmp_path / "run", algorithm, every=1, at_step=die)
    server.faults = []
    policy, run = trained(server, tmp_path / "run", algorithm)
    assert weights(policy) == weights(whole) and without_times(run) == without_times(undisturbed)
