"""Rollouts with vLLM in this process: `make test-vllm`. Skipped where vLLM is not installed."""

from functools import partial

import pytest

pytest.importorskip("vllm")

import torch
from trl.generation.vllm_generation import VLLMGeneration

from motif.evaluation.evaluate import Evaluation, evaluate
from motif.generation.engines import VLLM, Transformers
from motif.policies.pretrained import Pretrained
from motif.rounds.carry import Summary
from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling
from motif.runs.checkpoints import Checkpoints
from motif.runs.folder import Run
from motif.runs.ledger import Ledger
from motif.runs.tracking.base import Nowhere
from motif.system.errors import UserError
from motif.tasks.chain import Chain
from motif.training.algorithms import MOTIF
from motif.training.guard import Guard, differences
from motif.training.rewards import Reward, accuracy
from motif.training.rollout import Rollout
from motif.training.trainer import make_trainer, train
from motif.training.trl_config import trainer_arguments

LORA = {"r": 8, "lora_alpha": 64, "target_modules": "all-linear"}
TRAINER = {"learning_rate": 0.02, "loss_type": "grpo", "beta": 0.0, "bf16": False, "gradient_checkpointing": False}
REWARD = Reward(
    outcome={"accuracy": accuracy},
    reply={"variety": lambda path: float(len(set(path[-1].reply.token_ids)))},
    weights={"accuracy": 1.0, "variety": 1.0},
)
EPISODE = Episode(
    rounds=3,
    tokens=12,
    later={"tokens": 9, "temperature": 0.8, "top_p": 0.9, "top_k": 50},
    carry=Summary(missing="tail", tokens=8),
    prompts=Prompts(wording="countdown"),
)
QUESTIONS = Chain(train_size=16, longest=4).train()
TALKS = [[{"role": "user", "content": f"1/1 {n}a-5b*8"}] for n in (1, 1, 1, 2, 2, 3)]
GREEDY = Sampling(12, temperature=0.0)


class Training:
    """A short training in `place`: its trainer, its generator, and what it recorded."""

    def __init__(self, folder, place, peft=LORA, **settings):
        torch.manual_seed(0)  # of the adapters
        self.policy = Pretrained(str(folder), peft=peft, wording="countdown").load()
        algorithm = MOTIF(k=2, m=4, questions=2, steps=3, trainer={**TRAINER, **settings})
        self.run, engine, ledger = Run.open(place, {}), VLLM(), Ledger()
        self.run.begin({})
        arguments = trainer_arguments(algorithm, EPISODE, REWARD, 0, self.run.checkpoints, Checkpoints(1, 2))
        check = Guard(replies=12).watch(EPISODE.sampling, engine.cut)
        generator = partial(engine.generator, self.policy)
        self.rollout = Rollout(
            algorithm, EPISODE, REWARD, QUESTIONS, generator, self.policy.tokenizer, ledger, 0, check=check
        )
        self.trainer = make_trainer(self.policy, arguments, self.rollout)
        self.generate = self.rollout.generator(self.trainer)

    def go(self, report=lambda *_: None):
        train(self.trainer, self.rollout, self.run, Nowhere(), report)
        return self.run.metrics()


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """Three steps of MOTIF, with what was generated greedily before."""
    training = Training(folder, tmp_path_factory.mktemp("runs") / "run")
    training.before = training.generate(TALKS, GREEDY)
    training.metrics = training.go()
    return training


@pytest.fixture
def asked(trained, monkeypatch):
    """What the engine is asked for: pairs of a prompt and its sampling parameters."""
    seen, plain = [], trained.trainer.vllm_generation.llm.generate

    def generate(prompts, sampling_params, **options):
        seen.extend(zip(prompts, sampling_params, strict=True))
        return plain(prompts, sampling_params=sampling_params, **options)

    monkeypatch.setattr(trained.trainer.vllm_generation.llm, "generate", generate)
    return seen


def ids(replies):
    return [reply.token_ids for reply in replies]


def test_the_log_probabilities_of_the_engine_are_those_of_the_policy_in_every_round(trained):
    assert [line["step"] for line in trained.metrics] == [1, 2, 3]
    for line in trained.metrics:
        assert line["guard/difference"] < 1e-4
        assert line["rounds/3/tokens"] <= 9 < line["rounds/1/tokens"] <= 12
    assert [line["guard/difference_base"] > 0.1 for line in trained.metrics] == [False, True, True]


def test_trl_corrects_with_the_engines_log_probabilities(trained):
    for line in trained.metrics:
        assert 0 < line["train/sampling/sampling_logp_difference/mean"] < 1e-4
        assert line["train/sampling/importance_sampling_ratio/mean"] == pytest.approx(1.0, abs=1e-3)


def test_after_training_the_engine_writes_what_the_trained_policy_writes(trained):
    after = trained.generate(TALKS, GREEDY)
    own = Transformers().generator(trained.policy)(TALKS, GREEDY)
    assert ids(after) == ids(own) != ids(trained.before)
    for reply, other in zip(after, own, strict=True):
        assert (reply.text, reply.prompt_ids, reply.finished) == (other.text, other.prompt_ids, other.finished)
        assert reply.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_equal_prompts_are_one_request(trained, asked):
    replies = trained.generate(TALKS, Sampling(8))
    assert [parameters.n for _, parameters in asked] == [3, 2, 1]
    assert [reply.prompt_ids for reply in replies] == trained.policy.render(TALKS)
    assert len({tuple(row) for row in ids(replies)}) == 6


def test_each_call_has_its_own_settings(trained, asked):
    for sampling in (Sampling(5, 0.7, 0.9, 20), Sampling(7, 1.3)):
        replies = trained.generate(TALKS[-1:], sampling)
        parameters = asked[-1][1]
        assert (parameters.temperature, parameters.top_p, parameters.top_k, parameters.max_tokens) == (
            *(sampling.temperature, sampling.top_p, sampling.top_k or parameters.top_k, sampling.tokens),
        )
        assert [len(row) for row in ids(replies)] == [sampling.tokens]
        assert max(differences(trained.policy.model, replies, sampling, cut=True)) < 1e-3
    assert asked[-1][1].top_k in (0, -1)
    assert ids(trained.generate(TALKS, Sampling(9, 1.0, top_k=1))) == ids(trained.generate(TALKS, Sampling(9, 0.0)))


def test_log_probabilities_are_those_of_the_distribution_that_was_drawn_from(trained):
    sampling = Sampling(12, 1.0, top_p=0.5)
    replies = trained.generate(TALKS, sampling)
    assert max(differences(trained.policy.model, replies, sampling, cut=True)) < 1e-3
    assert min(differences(trained.policy.model, replies, sampling, cut=False)) > 0.3


def test_a_reply_depends_on_its_seed_and_row_and_not_on_its_company(trained):
    sampling = Sampling(12)
    replies = ids(trained.generate(TALKS, sampling))
    assert ids(trained.generate(TALKS, sampling)) == replies
    alone = [[{"role": "user", "content": f"other {n}"}] for n in range(4)] + TALKS[4:]
    assert ids(trained.generate(alone, sampling))[4:] == replies[4:]
    assert not {tuple(row) for row in ids(trained.generate(TALKS, sampling.keyed(range(100, 106))))} & set(
        map(tuple, replies)
    )


def test_a_reply_that_ends_holds_its_end_token(trained):
    talks = [[{"role": "user", "content": f"1/1 {n}"}] for n in range(40)]
    replies = trained.generate(talks, Sampling(100, 1.5))
    assert {reply.finished for reply in replies} == {True, False}
    end = trained.policy.tokenizer.eos_token_id
    for reply in replies:
        assert (reply.token_ids[-1] == end) == reply.finished and end not in reply.token_ids[:-1]
        assert len(reply.token_ids) == 100 or reply.finished


def test_evaluation_goes_through_it(trained, tmp_path):
    settings = Evaluation(batch=5)
    found = [
        evaluate(QUESTIONS[:8], EPISODE, generate, trained.policy.tokenizer, settings, tmp_path / f"{place}.jsonl")
        for place, generate in enumerate([trained.generate, Transformers().generator(trained.policy)])
    ]
    assert found[0] == found[1] and len(found[0]) == 8


def test_a_prompt_that_does_not_fit_is_named(trained):
    with pytest.raises(UserError, match="do not fit into vLLM's 512; raise generation.max_length"):
        trained.generate(TALKS, Sampling(510))


def test_a_policy_without_a_trainer_generates_with_its_own_weights(folder):
    policy = Pretrained(str(folder), peft=LORA).load()
    plain = ids(Transformers().generator(policy)(TALKS, GREEDY))
    for name, parameter in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(0))
    expected = ids(Transformers().generator(policy)(TALKS, GREEDY))
    assert ids(VLLM().generator(policy)(TALKS, GREEDY)) == expected != plain


def test_a_loss_that_cannot_be_corrected_by_sequences_is_refused_in_a_line(folder, tmp_path):
    with pytest.raises(UserError, match="algo.trainer.vllm_importance_sampling_mode must be one of token_truncate"):
        Training(folder, tmp_path / "run", loss_type="vespo")


@pytest.mark.parametrize(("peft", "words"), [(LORA, "come from the base model"), (None, "come from another policy")])
def test_an_engine_that_is_not_sent_the_weights_is_found_at_the_next_step(folder, tmp_path, monkeypatch, peft, words):
    monkeypatch.setattr(VLLMGeneration, "sync_weights", lambda self: None)
    training = Training(folder, tmp_path / "run", peft=peft)
    with pytest.raises(UserError, match=f"guard: the replies of round 1 {words}"):
        training.go()
    assert training.run.checkpoint()[1]["step"] == 1 and len(training.run.metrics()) == 1


def test_a_run_that_is_continued_is_generated_with_the_weights_of_its_checkpoint(trained, folder, tmp_path):
    def die(step, steps, metrics):
        if step == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        Training(folder, tmp_path / "run").go(die)
    again = Training(folder, tmp_path / "run")
    again.generate(TALKS, GREEDY)  # with the base's weights, as the evaluation before training does
    metrics = again.go()
    assert [line["step"] for line in metrics] == [1, 2, 3]
    for line, other in zip(metrics, trained.metrics, strict=True):
        assert line["guard/difference"] < 1e-4
        assert line["train/reward"] == pytest.approx(other["train/reward"], abs=1e-3)


def test_a_run_that_was_trained_already_is_generated_with_its_trained_weights(trained, folder):
    again = Training(folder, trained.run.folder)
    assert ids(again.generate(TALKS, GREEDY)) == ids(trained.before)
    again.go()
    assert ids(again.generate(TALKS, GREEDY)) == ids(trained.generate(TALKS, GREEDY))
