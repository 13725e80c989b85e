"""Private parts of TRL, and of transformers and torch below it, that this package touches: all, and nothing else.

TRL does not promise them from one minor version to the next, so pyproject.toml holds it to the one they were read in.
`tests/test_layers.py` finds such touches elsewhere.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MethodType
from typing import Any

from motif.generation.packed import pack, unpacked

WORDS = 1024  # of the vocabulary in a tile of the output head on a CPU
PACKABLE = ("llama", "qwen2", "qwen3")  # each position sees all before it, and knows its place by position_ids alone


def own_rows(trainer: Any, credit: Callable[[], tuple[Sequence[float], Sequence[float]]]) -> None:
    """Let `trainer` learn from advantages and weights of ours, one a row of the generation.

    A row's weight multiplies all of its part of the loss, the KL term too. A loss that counts tokens divides by the sum
    of weight × tokens. Rows that are equal, such as those that fill a batch, are computed once.

    Args:
        trainer: TRL's.
        credit: asked after each generation, gives advantages and weights of this process's rows.
    """
    import torch

    scored, computed = trainer._generate_and_score_completions, trainer._compute_loss

    def generated(inputs: Any) -> dict[str, Any]:
        output: dict[str, Any] = scored(inputs)
        made, weights = (torch.tensor(each).to(output["advantages"]) for each in credit())
        assert len(made) == len(weights) == len(output["advantages"])
        output["advantages"], output["row_weight"] = made, weights
        tokens = trainer.accelerator.gather((weights * counted(output)).sum()).sum()
        output["num_items_in_batch"] = tokens.clamp(min=1e-9)  # 0 where every row is masked out
        return output

    def weighted(model: Any, inputs: dict[str, Any]) -> Any:
        weights = inputs["row_weight"]
        if trainer.loss_type == "bnpo":  # the only one that divides by the tokens of each part of a step
            tokens = counted(inputs)
            weights = weights * tokens.sum() / (weights * tokens).sum().clamp(min=1e-9)
        beta, trainer.beta = trainer.beta, OfRows(trainer.beta)
        trainer.beta.weights = weights.unsqueeze(1)
        try:
            return computed(model, {**inputs, "advantages": inputs["advantages"] * weights})
        finally:
            trainer.beta = beta

    trainer._generate_and_score_completions, trainer._compute_loss = generated, weighted
    of_tokens = with_prompts_once(trainer._get_per_token_logps_and_entropies, trainer.accelerator.autocast)
    trainer._get_per_token_logps_and_entropies = in_small_tiles(once(of_tokens))


def in_small_tiles(of_tokens: Callable[..., Any]) -> Callable[..., Any]:
    """TRL's `_get_per_token_logps_and_entropies`, on a CPU with its output head computed for `WORDS` words of the
    vocabulary at a time, and for the tokens that have a label alone. TRL's own tiles, made for a GPU, take gigabytes of
    memory, and the time to write them."""

    def computed(model: Any, input_ids: Any, *rest: Any, **named: Any) -> Any:
        from trl.trainer import utils

        if input_ids.device.type != "cpu":
            return of_tokens(model, input_ids, *rest, **named)
        before = utils._CHUNKED_LOGPROB_CHUNK_SIZE, utils._use_triton
        utils._CHUNKED_LOGPROB_CHUNK_SIZE = WORDS
        utils._use_triton = lambda device: True  # it is asked there whether labelled tokens are taken out, and no more
        try:
            return of_tokens(model, input_ids, *rest, **named)
        finally:
            utils._CHUNKED_LOGPROB_CHUNK_SIZE, utils._use_triton = before

    return computed


def once(of_tokens: Callable[..., Any]) -> Callable[..., Any]:
    """TRL's `_get_per_token_logps_and_entropies`, so that rows of equal tokens are computed once and given to each.

    Half of a group's replies may be alike where a policy is sure, and those that fill a batch all are. Gradients add up
    over equal rows. With dropout in the adapters, equal rows lose the same units.
    """
    import torch

    def computed(model: Any, input_ids: Any, attention_mask: Any, *rest: Any, **named: Any) -> Any:
        rows = [*map(tuple, torch.cat([input_ids, attention_mask], dim=1).tolist())]
        first = {row: place for place, row in reversed([*enumerate(rows)])}
        if len(first) == len(rows) or named.get("compute_aux_loss"):  # the loss of experts' load counts each row
            return of_tokens(model, input_ids, attention_mask, *rest, **named)
        kept = sorted(first.values())
        number = {rows[place]: number for number, place in enumerate(kept)}
        found = of_tokens(model, input_ids[kept], attention_mask[kept], *rest, **named)
        return tuple(None if each is None else each[[number[row] for row in rows]] for each in found)

    return computed


def with_prompts_once(of_tokens: Callable[..., Any], autocast: Callable[[], Any]) -> Callable[..., Any]:
    """TRL's `_get_per_token_logps_and_entropies`, so that what prompts begin with alike is computed once where that
    saves a third of the tokens (`motif.generation.packed`)."""

    def computed(model: Any, input_ids: Any, attention_mask: Any, kept: int, *rest: Any, **named: Any) -> Any:
        asked = {key for key, value in named.items() if value is not None and value is not False}
        plain = not rest and asked <= {"compute_entropy"} and fits(model)
        packed = pack(input_ids, attention_mask, kept) if plain else None
        if packed is None:
            return of_tokens(model, input_ids, attention_mask, kept, *rest, **named)
        with autocast():
            found = model(
                input_ids=packed.ids,
                attention_mask=packed.sees,
                position_ids=packed.positions,
                shift_labels=packed.labels,
                fused_lm_head=True,
            )
        entropies = unpacked(found.entropy, packed, kept) if named.get("compute_entropy") else None
        return unpacked(found.log_probs, packed, kept), entropies, None

    return computed


def fits(model: Any) -> bool:
    """Whether `model` computes packed rows as it computes separate ones."""
    model = getattr(model, "module", model)  # of DistributedDataParallel
    config = model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    return config.model_type in PACKABLE and layers == {"full_attention"} and attention(model) == "sdpa"


def counted(inputs: dict[str, Any]) -> Any:
    """Tokens of each row that the loss runs over."""
    mask = inputs["completion_mask"]
    return (mask * inputs["tool_mask"] if "tool_mask" in inputs else mask).sum(1)


class OfRows(float):
    """The weight of the KL term, times the weight of each row: TRL multiplies it with a tensor (rows, tokens)."""

    weights: Any

    def __mul__(self, other: Any) -> Any:
        return float(self) * self.weights * other


@contextmanager
def without_autocast(model: Any) -> Iterator[None]:
    """Within the block, `model` computes as it is saved. For training, accelerate wraps its forward into autocast."""
    from accelerate.utils.operations import ConvertOutputsToFp32

    wrapped = plain = model.__dict__.get("forward")
    while isinstance(inner := getattr(plain, "__wrapped__", None), ConvertOutputsToFp32):
        plain = inner.model_forward.__wrapped__
    if plain is wrapped:
        yield
        return
    model.forward = MethodType(plain, model) if isinstance(wrapped, MethodType) else plain
    try:
        yield
    finally:
        model.forward = wrapped


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


def onednn_bfloat16() -> bool:
    """Whether oneDNN computes in bfloat16 on this CPU. Where it does not, it refuses to lay such weights out."""
    import torch

    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def onednn_linear(weight: Any, bias: Any, rows: int) -> Callable[..., Any]:
    """`torch.nn.functional.linear` with a copy of `weight` that oneDNN has laid out for `rows` rows. A second argument
    is added to what it makes."""
    import torch

    weight = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    linear = torch.ops.mkldnn._linear_pointwise

    def computed(x: Any, added: Any = None) -> Any:
        if added is None:
            return linear(x, weight, bias, "none", [], "")
        return linear.binary(x, added, weight, bias, "add")

    return computed


def attention(model: Any) -> str:
    """The name of the attention that `model` computes with, as transformers registers it."""
    return str(model.config.get_text_config()._attn_implementation)


def set_attention(model: Any, name: str) -> None:
    """Let `model` compute attention by the registered function `name`."""
    model.config.get_text_config()._attn_implementation = name
