"""What is touched of TRL, and of transformers below it, is there in the pinned versions and does what is said."""

from types import SimpleNamespace

import pytest
import torch
from trl import GRPOTrainer

from motif.generation import private
from motif.policies.tiny import Tiny
from motif.training.algorithms import GRPO
from tests.support.training import run_training, small


def test_log_probabilities_are_those_of_the_whole_vocabulary():
    torch.manual_seed(0)
    logits, ids = torch.randn(2, 5, 11), torch.randint(11, (2, 5))
    whole = torch.log_softmax(logits, -1).gather(-1, ids[..., None])[..., 0]
    assert torch.allclose(private.selected(logits, ids), whole, atol=1e-6)


def rows_of(credit):
    """A trainer of three rows of 1, 2 and 3 tokens, with advantages and weights of ours."""
    mask = torch.tensor([[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    made = {"advantages": torch.zeros(3), "completion_ids": "as they are", "completion_mask": mask}
    trainer = SimpleNamespace(
        _generate_and_score_completions=lambda inputs: dict(made),
        _compute_loss=lambda model, inputs: (inputs["advantages"], trainer.beta * torch.ones(3, 3)),
        _get_per_token_logps_and_entropies=None,
        accelerator=SimpleNamespace(gather=lambda tensor: tensor, autocast=None),
        loss_type="dapo",
        beta=0.5,
    )
    private.own_rows(trainer, lambda: credit)
    return trainer


def test_own_advantages_and_weights_take_the_place_of_those_that_trl_made_one_a_row():
    trainer = rows_of(([1.0, -0.5, 0.0], [1.0, 2.0, 0.0]))
    inputs = trainer._generate_and_score_completions(None)
    assert inputs["advantages"].tolist() == [1.0, -0.5, 0.0] and inputs["completion_ids"] == "as they are"
    assert inputs["num_items_in_batch"].item() == 1 * 1 + 2 * 2  # weight times tokens
    advantages, divergence = trainer._compute_loss(None, inputs)
    assert advantages.tolist() == [1.0, -1.0, 0.0]
    assert divergence.tolist() == [[0.5] * 3, [1.0] * 3, [0.0] * 3] and trainer.beta == 0.5


def test_rows_without_an_advantage_or_a_weight_of_their_own_are_a_fault():
    with pytest.raises(AssertionError):
        rows_of(([1.0], [1.0]))._generate_and_score_completions(None)


def test_equal_rows_are_computed_once_and_have_the_values_and_the_gradient_of_each():
    weight, seen = torch.ones(6, requires_grad=True), []

    def of_tokens(model, ids, mask, keep, compute_entropy=False, compute_aux_loss=False):
        seen.append(len(ids))
        return (weight[ids] * mask)[:, -keep:], weight[ids][:, -keep:] if compute_entropy else None, None

    ids = torch.tensor([[1, 2, 3], [4, 2, 3], [1, 2, 3], [1, 2, 3], [4, 2, 3]])
    mask = torch.ones(5, 3)
    mask[3, 0] = 0  # padded: another row than the first, though its tokens are the same
    gradients = []
    for function in (of_tokens, private.once(of_tokens)):
        logprobs, entropies, aux = function(None, ids, mask, 2, compute_entropy=True)
        assert logprobs.shape == entropies.shape == (5, 2) and aux is None
        weight.grad = None
        (logprobs * torch.arange(1.0, 6.0)[:, None]).sum().backward()
        gradients.append(weight.grad)
    assert seen == [5, 3] and torch.equal(*gradients)
    assert private.once(of_tokens)(None, ids, mask, 2)[1] is None
    private.once(of_tokens)(None, ids, mask, 2, compute_aux_loss=True)  # the load of experts counts every row
    assert seen[2:] == [3, 5]


@pytest.mark.program
def test_a_trainer_has_all_that_is_touched_and_begins_anew_with_smaller_parts(tmp_path, monkeypatch):
    kept, plain = [], GRPOTrainer.compute_loss

    def spy(trainer, *rest, **named):
        kept.append(trainer)
        return plain(trainer, *rest, **named)

    monkeypatch.setattr(GRPOTrainer, "compute_loss", spy)
    run_training(Tiny().load(), small(GRPO, steps=1), tmp_path / "run")
    (trainer,) = kept
    assert not private.rewards_entropy(trainer) and trainer.args.per_device_train_batch_size == 8
    trainer._metrics["train"]["of a step that was cut short"].append(1.0)
    private.begin_anew(trainer, 4)
    assert trainer.args.per_device_train_batch_size == 4 and trainer.args.gradient_accumulation_steps == 2
    assert not trainer._metrics["train"] and trainer._buffered_inputs is None and trainer._step == 0
    assert all(weight.grad is None for weight in trainer.model.parameters())


def test_the_attention_of_a_model_is_set_by_its_registered_name():
    model = Tiny().load().model
    before = private.attention(model)
    private.set_attention(model, "eager")
    assert private.attention(model) == "eager" != before
    private.set_attention(model, before)


def test_an_engine_is_sent_weights_once_a_step_and_again_after_it_slept():
    sent, woken = [], []
    llm = SimpleNamespace(wake_up=lambda tags: woken.append(tags), sleep=lambda level: woken.append(level))
    engine = SimpleNamespace(sync_weights=lambda: sent.append(1), llm=llm, _llm_weights_sleeping=False)
    trainer = SimpleNamespace(state=SimpleNamespace(global_step=0))
    private.take_engine(trainer, engine)
    for step in (0, 0, 1):
        trainer.state.global_step = step
        private.renew(trainer, engine)
    assert len(sent) == 2 and trainer.vllm_generation is engine and trainer.use_vllm
    private.wake(engine)
    assert len(sent) == 2
    private.put_to_sleep(engine)
    private.wake(engine)
    assert len(sent) == 3 and woken == [["kv_cache"], 2, ["kv_cache"]]
