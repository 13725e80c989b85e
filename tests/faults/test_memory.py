"""Memory that runs out: injected, for more than so many rows, and real, in a process that may have no more."""

import re
import subprocess
import sys

import pytest
import torch
from trl import GRPOTrainer

from motif.generation.engines import Transformers
from motif.policies.tiny import Tiny
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling
from motif.runs.folder import Run
from motif.system import console
from motif.system.errors import UserError
from motif.system.memory import OutOfMemory
from motif.training.algorithms import GRPO
from tests.support import ROOT
from tests.support.training import (
    TRAINER,
    Killed,
    dies_at,
    episodes,
    motif,
    questions,
    result,
    run_training,
    small,
    weights,
    without_times,
)
from tests.system.test_memory import ERRORS


@pytest.fixture
def policy():
    return Tiny().load()


@pytest.fixture
def said(monkeypatch):
    heard = []
    monkeypatch.setattr(console, "say", lambda text="", style=None: heard.append(text))
    return heard


class Narrow:
    """Has `model` fail with `error` wherever a pass has more than `rows` rows; `seen` are the rows of each pass."""

    def __init__(self, monkeypatch, model, rows, error=ERRORS[0], when=lambda: True):
        self.seen, plain = [], model.forward

        def forward(*args, input_ids, **options):
            self.seen.append(len(input_ids))
            if len(input_ids) > rows and when():
                raise error
            return plain(*args, input_ids=input_ids, **options)

        monkeypatch.setattr(model, "forward", forward)


def talks(number=12):
    from motif.tasks.chain import Chain

    prompts = Prompts(wording="countdown")
    return [prompts.conversation(question.text, 1, 3, None) for question in Chain(test_size=number).test()]


def test_another_error_of_generation_is_let_through(policy, monkeypatch):
    Narrow(monkeypatch, policy.model, 2, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        Transformers().generator(policy)(talks(), Sampling(9))


@pytest.mark.parametrize(
    ("error", "temperature"),
    [(ERRORS[0], 0.0), *((error, 1.3) for error in ERRORS)],
    ids=lambda each: type(each).__name__,
)
def test_generation_goes_on_in_halves_and_writes_the_same(policy, monkeypatch, said, error, temperature):
    sampling = Sampling(12, temperature=temperature)
    whole = Transformers().generator(policy)(talks(), sampling)
    generate = Transformers().generator(policy)
    narrow = Narrow(monkeypatch, policy.model, 3, error)
    narrowed = generate(talks(), sampling)
    assert [(one.token_ids, one.text) for one in narrowed] == [(one.token_ids, one.text) for one in whole]
    assert 2 <= len(said) <= 4 and "12 replies were generated together" in said[0]
    assert all("\n" not in line and "generation.cache_gib=" in line for line in said)
    narrow.seen.clear()
    generate(talks(), sampling)
    assert max(narrow.seen) <= 3 and len(said) <= 4  # what was learned is kept


def test_the_cache_that_is_named_spares_the_attempts(policy, monkeypatch, said):
    narrow = Narrow(monkeypatch, policy.model, 5)
    Transformers().generator(policy)(talks(), Sampling(30))
    named = float(said[-1].split("generation.cache_gib=")[1].split(" ")[0])
    said.clear(), narrow.seen.clear()
    Transformers(cache_gib=named).generator(policy)(talks(), Sampling(30))
    assert not said and max(narrow.seen) <= 5


def test_a_single_reply_without_memory_is_one_line(policy, monkeypatch, said):
    policy.model.train()
    generate = Transformers().generator(policy)
    Narrow(monkeypatch, policy.model, 0)
    with pytest.raises(
        OutOfMemory, match=r"a single reply .* up to 30 new ones\); lower episode.tokens, to 15 say"
    ) as error:
        generate(talks(), Sampling(30))
    assert isinstance(error.value, UserError) and "\n" not in str(error.value)
    assert policy.model.training


# updates


class Hungry:
    """Has the trainer's loss fail with `error` for more than `rows` rows while `when(step)`; `seen` are the sizes."""

    def __init__(self, monkeypatch, rows, error=ERRORS[0], when=lambda step: True):
        self.seen, plain = [], GRPOTrainer.compute_loss

        def compute(trainer, model, inputs, *args, **kwargs):
            size = len(inputs["completion_ids"])
            self.seen.append(size)
            loss = plain(trainer, model, inputs, *args, **kwargs)
            if size > rows and when(trainer.state.global_step):
                raise error
            return loss

        monkeypatch.setattr(GRPOTrainer, "compute_loss", compute)


def vectors(policy):
    return torch.cat([parameter.detach().flatten() for parameter in policy.model.parameters()])


def same_up_to_rounding(one, other):
    return torch.allclose(vectors(one), vectors(other), atol=2e-6)


def trained(folder, policy=None, micro_batch=None, steps=3, **settings):
    """Steps of MOTIF from the tiny policy; the policy and its run."""
    policy = policy or Tiny().load()
    loss = settings.pop("loss_type", "grpo")
    algorithm = motif(micro_batch=micro_batch, steps=steps, trainer={**TRAINER, "loss_type": loss})
    return policy, run_training(policy, algorithm, folder, **settings)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.program
@pytest.mark.parametrize("loss", ["grpo", *map(slow, ("dapo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"))])
def test_an_update_without_memory_is_taken_again_in_halves_and_gives_the_same_up_to_rounding(
    tmp_path, monkeypatch, said, loss
):
    start = vectors(Tiny().load())
    level = {"luspo": "sequence"}
    monkeypatch.setitem(TRAINER, "importance_sampling_level", level.get(loss, "token"))
    undisturbed, run = trained(tmp_path / "undisturbed", micro_batch=2, loss_type=loss, steps=2)
    hungry = Hungry(monkeypatch, 2)
    policy, narrowed = trained(tmp_path / "narrowed", loss_type=loss, steps=2)
    assert hungry.seen[:2] == [8, 4] and set(hungry.seen[2:]) == {2} and len(hungry.seen) == 2 + 2 * 4
    assert same_up_to_rounding(policy, undisturbed) and not torch.allclose(vectors(policy), start, atol=2e-6)
    assert [line["step"] for line in narrowed.metrics()] == [1, 2]
    assert [one["id"] for one in episodes(narrowed)] == [one["id"] for one in episodes(run)]
    assert [line[line.index("of ") : line.index(",")] for line in said] == [
        "of 8 rows at a time; going on from step 0 with 4",
        "of 4 rows at a time; going on from step 0 with 2",
    ]
    assert all("algo.micro_batch=" in line and "\n" not in line for line in said)


@pytest.mark.program
@pytest.mark.parametrize("every", [slow(100), 1])
def test_what_follows_is_bit_for_bit_a_run_that_continues_with_that_micro_batch(tmp_path, monkeypatch, said, every):
    """Memory runs out in step 2, the second pass over two questions; the other run is killed, and continues from step 1
    with half the micro-batch."""
    asked = questions()[:2]
    with pytest.raises(Killed):
        trained(tmp_path / "other", every=1, report=dies_at(2), asked=asked)
    other, run = trained(tmp_path / "other", micro_batch=4, every=100, asked=asked)
    with monkeypatch.context() as patch:
        Hungry(patch, 4, when=lambda step: step == 1)
        policy, narrowed = trained(tmp_path / "narrowed", every=every, asked=asked)
    assert "going on from step 1 with 4" in said[0] and len(said) == 1
    assert weights(policy) == weights(other)
    assert without_times(narrowed) == without_times(run) and episodes(narrowed) == episodes(run)


@pytest.mark.slow
def test_a_run_that_is_killed_afterwards_continues_with_the_smaller_micro_batch(tmp_path, monkeypatch, said):
    Hungry(monkeypatch, 4)
    whole, _ = trained(tmp_path / "whole", every=1)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", every=1, report=dies_at(2))
    again = Hungry(monkeypatch, 4)
    policy, _ = trained(tmp_path / "killed", every=1)
    assert set(again.seen) == {4} and weights(policy) == weights(whole)


def refused(folder, **settings):
    """The error of a training, and what lies in its folder."""
    with pytest.raises(OutOfMemory) as error:
        trained(folder, **settings)
    assert "\n" not in str(error.value)
    return str(error.value), Run(folder)


@pytest.mark.program
@pytest.mark.parametrize(
    ("settings", "rows", "words"),
    [
        slow(
            {"loss_type": "bnpo"}, 4, "of 8 rows at a time; set algo.micro_batch=4, which is another objective: .*bnpo"
        ),
        ({"micro_batch": 1}, 0, "a single row; set model.gradient_checkpointing=true, or lower episode.tokens, to 22"),
    ],
)
def test_where_halving_would_not_do_a_line_names_the_setting_and_a_checkpoint_is_kept(
    tmp_path, monkeypatch, settings, rows, words
):
    settings = {**settings, "steps": 2}
    whole = result(*trained(tmp_path / "whole", **settings))
    with monkeypatch.context() as patch:
        Hungry(patch, rows, when=lambda step: step == 1)
        said, kept = refused(tmp_path / "run", **settings)
        assert re.search(words, said) and said.endswith(
            "what is done is kept, and the same command continues from step 1"
        )
        assert kept.checkpoint().step == 1
    assert result(*trained(tmp_path / "run", **settings)) == whole


@pytest.mark.slow
@pytest.mark.program
def test_an_update_that_was_cut_short_is_not_kept(tmp_path, monkeypatch, reference):
    """Memory runs out between two weights: step 2 is torn, and the checkpoint of step 1 is what there is."""
    plain, calls = torch.optim.AdamW.step, []

    def step(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            self.param_groups[0]["params"][0].data.add_(1.0)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", step)
        said, kept = refused(tmp_path / "run", every=1)
    assert "when the weights were changed" in said and "from step 1" in said and kept.checkpoint().step == 1
    assert result(*trained(tmp_path / "run", every=1)) == reference.result


def test_a_rollout_without_memory_for_one_reply_leaves_a_checkpoint_and_a_line(tmp_path, monkeypatch, reference):
    policy = Tiny().load()
    step = []
    with monkeypatch.context() as patch:
        Narrow(patch, policy.model, 0, when=lambda: len(step) == 2)
        words, kept = refused(tmp_path / "run", policy=policy, report=lambda *_: step.append(1))
    assert "lower episode.tokens, to 22 say" in words and "continues from step 2" in words
    assert kept.checkpoint().step == 2
    assert result(*trained(tmp_path / "run")) == reference.result


@pytest.mark.program
def test_vanilla_grpo_is_carried_through_too(tmp_path, monkeypatch, said):
    hungry = Hungry(monkeypatch, 3, MemoryError())
    run_training(Tiny().load(), small(GRPO, steps=2, questions=1, m=6), tmp_path / "run")
    assert hungry.seen == [6, 3, 3, 3, 3] and len(said) == 1


# limits of the system

LIMITED = """
import resource, sys
import torch
torch.set_num_threads(1)
from motif.generation.engines import Transformers
from motif.rounds.replies import Sampling
from tests.support import ROOT
from motif.policies.tiny import Tiny

policy = Tiny().load()
generate = Transformers(cache_gib=64.0).generator(policy)
generate([[{"role": "user", "content": "1/1 9a-5"}]], Sampling(2))
pages = int(open("/proc/self/statm").read().split()[0])
talks = [[{"role": "user", "content": f"1/1 {n}a-5b*8"}] for n in range(512)]
alone = generate(talks[:4], Sampling(400, temperature=1.5))
room = int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room,) * 2)
found = generate(talks, Sampling(400, temperature=1.5))
assert [one.token_ids for one in found[:4]] == [one.token_ids for one in alone] and len(found) == 512
"""


@pytest.mark.slow
def test_a_process_that_may_have_no_more_memory_generates_in_smaller_parts():
    call = [sys.executable, "-c", LIMITED, "100"]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "memory ran out while 512 replies were generated together" in " ".join(done.stdout.split())
