"""Engines make a generator of a policy. Each is a choice of the config group `generation`.

An engine has no policy of its own: it generates with the weights of the policy it was given, as they are at the call.
vLLM holds a copy of them, and renews it before the first reply of a training step. Several processes all make the same
calls; the rows of a call are divided among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar, Protocol

from motif.generation import private
from motif.generation.vllm_requests import Ask, Tokens, ask_engine, ask_server, exact, written_by
from motif.generation.vllm_retry import check_alive, gone, make_last, reach
from motif.policies.pretrained import Policy
from motif.rounds import Conversation, Generate, Reply, Sampling
from motif.system import UserError, first_line, install, number, one_of, processes, whole


class Engine(Protocol):
    """What makes generators. `cut`: the log-probabilities are those of the distribution that top-k and top-p cut."""

    cut: ClassVar[bool]

    def check(self) -> None:
        """A `UserError` where this engine cannot run on this machine. Loads nothing."""

    def generator(self, policy: Policy, trainer: Any = None) -> Generate:
        """A generator with `policy`, as it is at a call, or as TRL's `trainer` has made it by the step of a call."""


@dataclass(frozen=True)
class Transformers:
    """Generation with the training model itself, in this process (`generation=transformers`).

    `cache_gib` bounds the key-value cache of one micro-batch; null takes 0.8 of the free memory of a GPU, or 1 GiB on
    a CPU. It changes replies by rounding alone. Where memory still runs out, the micro-batch is halved.
    """

    name: str = "transformers"
    cache_gib: float | None = None
    cut: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.cache_gib is not None:
            number("generation.cache_gib", self.cache_gib, above=0)

    def check(self) -> None: ...

    def generator(self, policy: Policy, trainer: Any = None, alone: bool = False) -> Generate:
        """A generator with `policy`. It computes rows together, or each `alone`."""
        from motif.generation.decodable import check_decodable
        from motif.generation.decoding import Allowance, decode

        check_decodable(policy.model)
        allowance = Allowance(0) if alone else Allowance()

        def generate(conversations: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
            prompts = policy.render(conversations)
            policy.check_ids(max(prompt, default=0) for prompt in prompts)
            written = decode(
                *(policy.model, prompts, sampling, policy.end_ids, policy.pad_id, self.cache_gib), allowance=allowance
            )
            return replies_of(policy, prompts, [(ids, logprobs) for ids, logprobs, _ in written])

        return divided(generate)


@dataclass(frozen=True)
class VLLM:
    """Generation with vLLM (`generation=vllm`), through TRL's own `VLLMGeneration`, which moves the weights.

    Args:
        mode: colocate runs vLLM in the training processes; server uses one that runs elsewhere.
        memory: the share of each GPU's memory that colocated vLLM takes.
        tensor_parallel: processes of one colocated engine.
        max_length: the most tokens of a prompt and its reply; null takes what the model knows and memory holds.
        sleep: frees the memory between calls, at the price of moving the weights again before each.
        base_url, group_port: the server's address, and the port that weights go to.
        wait: seconds for which a server that does not answer is asked again, after 1, 2, 4 … seconds.

    Raises:
        UserError: a value that cannot be, by its key.
        EngineLost: when generating, a server or engine that is gone.
    """

    name: str = "vllm"
    mode: str = "colocate"
    memory: float = 0.3
    tensor_parallel: int = 1
    max_length: int | None = None
    sleep: bool = False
    base_url: str = "http://localhost:8000"
    group_port: int = 51216
    wait: float = 60.0
    cut: ClassVar[bool] = True

    def __post_init__(self) -> None:
        one_of("generation.mode", self.mode, ("colocate", "server"))
        number("generation.memory", self.memory, above=0, at_most=1)
        whole("generation.tensor_parallel", self.tensor_parallel)
        whole("generation.group_port", self.group_port, at_most=65535)
        number("generation.wait", self.wait, at_least=0)
        one_of("generation.sleep", self.sleep, (True, False))
        if self.max_length is not None:
            whole("generation.max_length", self.max_length)
        if not str(self.base_url).startswith(("http://", "https://")):
            raise UserError(f"generation.base_url must be an http address, got {self.base_url!r}")

    def check(self) -> None:
        if find_spec("vllm") is None:
            raise UserError(f"generation=vllm needs vLLM, which is not installed: {install('vllm')}")

    def generator(self, policy: Policy, trainer: Any = None) -> Generate:
        self.check()
        engine = self._start(policy, trainer)
        limit, ask = self._asking(engine)

        def generate(conversations: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
            if trainer:
                private.renew(trainer, engine)
            prompts = policy.render(conversations)
            return replies_of(policy, prompts, written_by(engine, ask, limit, prompts, sampling, policy.end_ids))

        return divided(generate, among=1 if self.mode == "server" else None)

    def _start(self, policy: Policy, trainer: Any) -> Any:
        """TRL's `VLLMGeneration` of the policy, one a trainer.

        TRL makes it with no more places than a process has rows of a step, but later rounds have k times as many. So
        it is made here and given to the trainer, which then corrects for the engine's log-probabilities.
        """
        from accelerate import Accelerator

        if trainer and trainer.use_vllm:
            return trainer.vllm_generation
        if trainer and trainer.loss_type == "vespo" and trainer.vllm_importance_sampling_correction:
            modes = ("token_truncate", "token_mask")  # as TRL has it
            one_of("algo.trainer.vllm_importance_sampling_mode", trainer.vllm_importance_sampling_mode, modes)
        accelerator = trainer.accelerator if trainer else Accelerator(cpu=policy.model.device.type == "cpu")
        if self.mode == "server":  # TRL itself would wait for ever for one that takes the connection and says nothing
            processes.by_first(partial(reach, self.base_url.rstrip("/"), self.wait))
        try:
            engine = private.vllm_engine(
                model=trainer.model if trainer else policy.model,
                accelerator=accelerator,
                processing_class=policy.tokenizer,
                mode=self.mode,
                server_base_url=self.base_url.rstrip("/"),
                server_timeout=self.wait,
                group_port=self.group_port,
                tensor_parallel_size=self.tensor_parallel,
                gpu_memory_utilization=self.memory,
                max_model_length=self.max_length or -1,
                enable_sleep_mode=self.sleep,
            )
        except ValueError as error:  # vLLM's, of too little memory say
            raise UserError(f"generation={self.name}: {first_line(error)}") from error
        except (OSError, RuntimeError) as error:
            if self.mode == "colocate":
                raise
            words = first_line(error)
            raise UserError(gone(self.base_url, words) if isinstance(error, OSError) else words) from error
        if engine.accelerator.distributed_type.value in ("NO", "MULTI_GPU"):  # weights lie whole on each
            engine.sync_weights = exact(engine.sync_weights, engine.model)  # type: ignore[method-assign]
        if self.mode == "server":
            make_last(engine, self.wait)
        if trainer:
            private.take_engine(trainer, engine)
        else:
            engine.sync_weights()
        return engine

    def _asking(self, engine: Any) -> tuple[int, Ask]:
        """The most tokens of a prompt and its reply, and what asks for replies."""
        if self.mode == "colocate":
            own = engine.llm.llm_engine.model_config.max_model_len  # as the memory of this process's GPU allows
            return min(processes.of_all(own)), partial(ask_engine, engine)
        model = processes.by_first(lambda: engine.vllm_client.get_server_info()["model_config"])
        if model["logprobs_mode"] != "processed_logprobs":
            raise UserError(
                f"the vLLM server at {self.base_url} reports {model['logprobs_mode']}; "
                "start it with --logprobs-mode processed_logprobs"
            )
        client = engine.vllm_client if processes.first() else None  # the first process asks for all
        return model["max_model_len"], partial(ask_server, client, alive=partial(check_alive, client))


def divided(generate: Generate, among: int | None = None) -> Generate:
    """`generate`, the rows of a call divided among the first `among` processes, or all. Each of all processes makes the
    call, perhaps without a row, and has all replies."""

    def together(conversations: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        def some(rows: Sequence[int]) -> list[Reply]:
            return generate([conversations[row] for row in rows], sampling.keyed([sampling.key(row) for row in rows]))

        return processes.divided(some, range(len(conversations)), among)

    return together


def replies_of(policy: Policy, prompts: Sequence[list[int]], written: Sequence[Tokens]) -> list[Reply]:
    """What the engine has written after each prompt, as replies."""
    texts = [policy.tokenizer.decode(policy.without_end(ids)) for ids, _ in written]
    return [
        Reply(policy.thought_before(prompt) + text, ids, prompt, ids[-1] in policy.end_ids, logprobs)
        for text, prompt, (ids, logprobs) in zip(texts, prompts, written, strict=True)
    ]
