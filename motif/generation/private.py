"""Private parts of TRL, and of transformers below it, that this package touches: all of them, and nothing else.

TRL does not promise them from one minor version to the next, so pyproject.toml holds it to the one they were read in.
`tests/test_layers.py` finds such touches elsewhere.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def own_advantages(trainer: Any, advantages: Callable[[], Sequence[float]]) -> None:
    """Let `trainer` learn from `advantages()`, asked after each generation, in place of those that TRL made; one a row
    of the generation."""
    import torch

    scored = trainer._generate_and_score_completions

    def generated(inputs: Any) -> dict[str, Any]:
        output: dict[str, Any] = scored(inputs)
        made = advantages()
        assert len(made) == len(output["advantages"])
        output["advantages"] = torch.tensor(made).to(output["advantages"])
        return output

    trainer._generate_and_score_completions = generated


def load_weights(trainer: Any, checkpoint: Path) -> None:
    """Give the trainer's model the weights of a checkpoint, and nothing else of it."""
    trainer._load_from_checkpoint(str(checkpoint))


def save_checkpoint(trainer: Any) -> None:
    """Write a checkpoint of the trainer as it is, at its step."""
    trainer._save_checkpoint(trainer.model_wrapped, None)


def begin_anew(trainer: Any, rows: int) -> None:
    """Let `trainer` begin again with micro-batches of `rows` rows; a step has as many rows as before.

    What it holds of a step that was cut short is forgotten: replies, metrics, gradients.
    """
    arguments = trainer.args
    parts = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps // rows
    arguments.per_device_train_batch_size = trainer._train_batch_size = rows
    arguments.gradient_accumulation_steps = arguments.steps_per_generation = parts
    trainer._step, trainer._buffered_inputs, trainer._current_train_step_time = 0, None, 0.0
    trainer._metrics["train"].clear()
    trainer._pending_metrics.clear()
    trainer.model.zero_grad(set_to_none=True)


def rewards_entropy(trainer: Any) -> bool:
    """Whether the trainer's objective has a bonus for entropy."""
    return bool(trainer._entropy_bonus_enabled)


def selected(logits: Any, ids: Any) -> Any:
    """Log-probabilities of `ids` (rows, tokens) under `logits` (rows, tokens, vocabulary), in the memory that TRL's own
    take."""
    from trl.trainer.utils import selective_log_softmax

    return selective_log_softmax(logits, ids)


def vllm_engine(**options: Any) -> Any:
    """TRL's `VLLMGeneration`, which holds a vLLM engine or a line to a server, and sends it the weights."""
    from trl.generation.vllm_generation import VLLMGeneration

    return VLLMGeneration(**options)


def take_engine(trainer: Any, engine: Any) -> None:
    """Let `trainer` use `engine`, and correct for its log-probabilities; it has been sent no weights yet."""
    trainer.use_vllm, trainer.vllm_generation, trainer._last_loaded_step = True, engine, -1


def renew(trainer: Any, engine: Any) -> None:
    """Send `engine` the trainer's weights, unless it has those of this step."""
    if trainer._last_loaded_step != trainer.state.global_step:
        engine.sync_weights()
        trainer._last_loaded_step = trainer.state.global_step


def wake(engine: Any) -> None:
    """Give a sleeping engine its weights and cache back."""
    if engine._llm_weights_sleeping:
        engine.sync_weights()
    engine.llm.wake_up(tags=["kv_cache"])


def put_to_sleep(engine: Any) -> None:
    """Free the memory of an engine in this process; its weights have to be sent again."""
    engine.llm.sleep(level=2)
    engine._llm_weights_sleeping = True


def attention(model: Any) -> str:
    """The name of the attention that `model` computes with, as transformers registers it."""
    return str(model.config.get_text_config()._attn_implementation)


def set_attention(model: Any, name: str) -> None:
    """Let `model` compute attention by the registered function `name`."""
    model.config.get_text_config()._attn_implementation = name
