"""What vLLM is asked for and how it answers, in this process or through a server. No weights and no policy.

Equal prompts in a row are one request for n replies, so that the prompt is computed once; a row has the seed it would
have had alone. A request that fails is made again, which gives the same replies; how often, `vllm_retry` says.
"""

import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from typing import Any, NamedTuple

from motif.generation import private
from motif.generation.vllm_retry import BEAT, PLACES, SILENCE
from motif.rounds.replies import EngineLost, Sampling
from motif.system.memory import OutOfMemory, ran_out


class Request(NamedTuple):
    """`n` replies to one prompt (token ids), the i-th drawn with `seed` + i."""

    prompt: list[int]
    n: int
    seed: int


Tokens = tuple[list[int], list[float]]  # of a reply: token ids, their log-probabilities (NaN: unknown)
Ask = Callable[[Sequence[Request], dict[str, Any]], list[list[Tokens]]]  # with keywords of vLLM's SamplingParams


def requests(prompts: Sequence[list[int]], sampling: Sampling) -> list[tuple[Request, int]]:
    """The requests for rows with these prompts (token ids), and how many rows each is for.

    Rows that follow each other with one prompt and keys in a row are one request, so that the prompt is computed once.
    vLLM draws the i-th of its replies with its seed + i, which is that row's own key. Greedy replies are one.
    """
    greedy, found = sampling.temperature == 0, list[tuple[Request, int]]()
    for row, prompt in enumerate(prompts):
        key = sampling.key(row)
        if found:
            request, n = found[-1]
            if request.prompt == prompt and (greedy or request.seed + n == key):
                found[-1] = Request(prompt, 1 if greedy else n + 1, request.seed), n + 1
                continue
        found.append((Request(prompt, 1, key), 1))
    return found


def settings(sampling: Sampling, end_ids: Sequence[int]) -> dict[str, Any]:
    """Keywords of vLLM's SamplingParams, all that could come from the model's own defaults included."""
    return {
        "max_tokens": sampling.tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop_token_ids": list(end_ids),
        "logprobs": 0,  # of the token that was drawn, and no other
    }


def ask_engine(engine: Any, asked: Sequence[Request], keywords: dict[str, Any]) -> list[list[Tokens]]:
    """Replies of the engine in this process."""
    from vllm import SamplingParams

    try:
        if engine.enable_sleep_mode:
            private.wake(engine)
        outputs = engine.llm.generate(
            [{"prompt_token_ids": request.prompt} for request in asked],
            sampling_params=[SamplingParams(n=request.n, seed=request.seed, **keywords) for request in asked],
            use_tqdm=False,
        )
        if engine.enable_sleep_mode:
            private.put_to_sleep(engine)
    except Exception as error:
        if type(error).__name__ in ("EngineDeadError", "EngineGenerateError"):  # vLLM's, whose module moves about
            raise EngineLost(f"vLLM, which generates in this process, died: {error}") from error
        if ran_out(error):
            raise OutOfMemory(
                f"memory ran out in vLLM ({type(error).__name__}); lower generation.memory, generation.max_length or "
                "algo.micro_batch, or set generation.sleep=true"
            ) from error
        raise
    return [
        [
            (
                list(reply.token_ids),
                [place[token].logprob for token, place in zip(reply.token_ids, reply.logprobs, strict=True)],
            )
            for reply in output.outputs
        ]
        for output in outputs
    ]


def ask_server(
    client: Any, asked: Sequence[Request], keywords: dict[str, Any], alive: Callable[[], object] = lambda: None
) -> list[list[Tokens]]:
    """Replies of a server, through TRL's client; a call a request, since a call has one seed.

    However long they take, they are waited for while `alive`, called now and then, raises nothing, and some reply came
    within `SILENCE` seconds.
    """
    named = {key: value for key, value in keywords.items() if key != "stop_token_ids"}

    def ask(numbered: tuple[int, Request]) -> tuple[int, list[Tokens]]:
        place, request = numbered
        others = {"seed": request.seed, "stop_token_ids": keywords["stop_token_ids"]}
        output = client.generate([request.prompt], n=request.n, generation_kwargs=others, **named)
        scores = [[math.nan if one[0] is None else one[0] for one in reply] for reply in output["logprobs"]]
        return place, list(zip(output["completion_ids"], scores, strict=True))

    found: dict[int, list[Tokens]] = {}
    with ThreadPool(max(1, min(PLACES, len(asked)))) as threads:  # not waited for where one of them hangs
        replies, heard = threads.imap_unordered(ask, enumerate(asked)), time.monotonic()
        while len(found) < len(asked):
            try:
                place, written = replies.next(BEAT)
            except multiprocessing.TimeoutError:
                alive()
                if time.monotonic() - heard > SILENCE:
                    raise EngineLost(
                        f"the vLLM server says that it lives, but has replied to no request for {SILENCE:g} seconds"
                    ) from None
                continue
            found[place], heard = written, time.monotonic()
    return [found[place] for place in range(len(asked))]


def pooled(engine: Any, asked: list[Request], ask: Callable[[list[Request]], list[list[Tokens]]]) -> list[list[Tokens]]:
    """`ask`, called once for the requests of all processes that share an engine; each gets the replies to its own."""
    accelerator = engine.accelerator
    if engine.mode == "server" and accelerator.num_processes > 1:
        from accelerate.utils import broadcast_object_list, gather_object

        parts, place = gather_object([asked]), accelerator.process_index
        found: list[Any] = [None]
        if accelerator.is_main_process:
            try:
                found = [ask([request for part in parts for request in part])]
            except EngineLost as error:  # for all of them, or the others would wait for ever
                found = [error]
        written = broadcast_object_list(found, from_process=0)[0]
        if isinstance(written, EngineLost):
            raise written
    elif engine.mode == "colocate" and engine.tensor_parallel_size > 1:
        from torch import distributed

        parts = [None] * engine.tensor_parallel_size
        distributed.all_gather_object(parts, asked, group=engine.tp_group)
        place = distributed.get_rank(group=engine.tp_group)
        written = ask([request for part in parts for request in part])
    else:
        return ask(asked)
    start = sum(map(len, parts[:place]))
    return written[start : start + len(asked)]


def exact(sync: Callable[[], None], model: Any) -> Callable[[], None]:
    """`sync`, TRL's, which merges adapters into the base model and takes them out again; and nothing has changed then.

    In half precision each such round trip rounds the base model anew (docs/LOG.md has how much), until saved adapters
    no longer belong to the base they were trained on. So what is frozen is put back from a copy in
    the host's memory (a quantised weight, which is replaced by a new object, from the object itself).
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return sync
    kept = [
        (module, parameter, parameter.data.to("cpu", copy=True) if parameter.is_floating_point() else None)
        for name, module in model.named_modules()
        if name.endswith(".base_layer") and not (parameter := module.weight).requires_grad
    ]

    def synced() -> None:
        try:
            sync()
        except BaseException:  # half way, and so merged
            model.unmerge_adapter()
            raise
        finally:
            for module, parameter, copy in kept:
                module.weight = parameter
                if copy is not None:
                    parameter.data.copy_(copy)

    return synced
