"""Estimated FLOPs of a dense decoder. A multiplication and an addition are two. It is never a measurement.

The formula and its sources are in `Cost`. A test compares it with what torch counts in a forward and backward pass.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What tokens cost a model, from its shape.

    N = `blocks` + `head` are the weights that a token is multiplied with: those of all linear layers, with the output
    head, also where it is tied, and without input embeddings, norms and biases. A token that attends to c tokens, with
    itself, costs

        forward    2 N + 4 · layers · width · c       (queries times keys, and weights times values: 2 each)
        backward   2 N + 8 · layers · width · c       through the activations
                   2 · `trained` weights              for their gradients

    That is 6 N where all weights are trained, and 4 N where adapters are. `recomputed` (gradient checkpointing) adds
    another forward of the blocks. Each of `scored` adds a whole forward: log-probabilities of the reference, or of the
    policy where an engine's are corrected. `width` is heads × head size. To generate a token is a forward, and so is to
    read one of a prompt, without the head; a prompt of several replies is read once. An update reads each reply with
    its prompt.

    Sources: Kaplan et al. 2020 (arXiv 2001.08361, section 2.1), Hoffmann et al. 2022 (2203.15556, appendix F),
    Chowdhery et al. 2022 (2204.02311, appendix B). They take c to be the whole context; here c is what a token attends
    to. Not counted: softmax, norms, sampling, padding. Of a mixture of experts only linear layers are counted.
    """

    blocks: int
    head: int
    trained_blocks: int
    trained_head: int
    layers: int
    width: int
    recomputed: bool = False
    scored: int = 0

    @classmethod
    def of(cls, model: Any, recomputed: bool = False, scored: int = 0) -> "Cost":
        """The cost of a causal language model of transformers, with or without adapters of peft."""
        head = {id(module) for module in model.get_output_embeddings().modules()}
        sizes: Counter[tuple[bool, bool]] = Counter()  # by whether it is the head's, and trained
        for module in model.modules():
            weight: Any = dict(module.named_parameters(recurse=False)).get("weight")  # not that of a wrapped module
            if getattr(weight, "ndim", 0) < 2 or hasattr(module, "num_embeddings"):
                continue
            shape: tuple[Any, Any] = getattr(module, "in_features", None), getattr(module, "out_features", None)
            entries = math.prod(shape) if all(shape) else weight.numel()  # a weight in 4 bits is packed
            sizes[id(module) in head, bool(weight.requires_grad)] += entries
        config = model.config.get_text_config()
        heads = config.num_attention_heads
        return cls(
            blocks=sizes[False, False] + sizes[False, True],
            head=sizes[True, False] + sizes[True, True],
            trained_blocks=sizes[False, True],
            trained_head=sizes[True, True],
            layers=config.num_hidden_layers,
            width=heads * (getattr(config, "head_dim", None) or config.hidden_size // heads),
            recomputed=recomputed,
            scored=scored,
        )

    def generation(self, prompt: int, replies: Iterable[int]) -> int:
        """FLOPs to read `prompt` tokens once and to write `replies` of so many tokens each after them."""
        written = sum(self._forward(n, n) + self._attention(prompt, n) for n in replies)
        return self._forward(prompt, 0) + self._attention(0, prompt) + written

    def update(self, prompt: int, reply: int) -> int:
        """FLOPs to train on `reply` tokens after `prompt` tokens."""
        tokens = prompt + reply
        attention = self._attention(0, tokens)
        forward = self._forward(tokens, reply) + attention
        backward = forward + attention + 2 * (self.trained_blocks * tokens + self.trained_head * reply)
        again = self.recomputed * (self._forward(tokens, 0) + attention)
        return forward * (1 + self.scored) + backward + again

    def _forward(self, tokens: int, heads: int) -> int:
        return 2 * (self.blocks * tokens + self.head * heads)

    def _attention(self, before: int, tokens: int) -> int:
        """FLOPs of `tokens` tokens that attend to those before them: among themselves, and `before` earlier ones."""
        return 4 * self.layers * self.width * (tokens * before + tokens * (tokens + 1) // 2)

    @classmethod
    def of_trainer(cls, trainer: Any) -> "Cost":
        """The cost of the policy of TRL's GRPO trainer, which may score rows besides training on them."""
        arguments = trainer.args
        corrected = trainer.use_vllm and trainer.vllm_importance_sampling_correction
        generations = (arguments.steps_per_generation or 1) * arguments.num_iterations
        again = corrected or arguments.gradient_accumulation_steps % generations != 0
        return cls.of(trainer.model, bool(arguments.gradient_checkpointing), (arguments.beta != 0) + bool(again))
