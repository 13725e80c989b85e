"""Requests to vLLM and its replies, in this process or through a server. No policy is known here.

Equal prompts in a row are one request for n replies, so that the prompt is computed once. A row has the seed that it
would have alone. A request that fails is made again, which gives the same replies; `vllm_retry` says how often.
"""

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from motif.generation import private
from motif.generation.vllm_retry import BEAT, PLACES, SILENCE
from motif.rounds.replies import EngineLost, Sampling
from motif.system import UserError, processes
from motif.system.files import explained
from motif.system.memory import OutOfMemory, ran_out

ROWS = 64  # replies of one request at most: a server answers all of them at once


class Request(NamedTuple):
    """`n` replies to one prompt (token ids), the i-th drawn with `seed` + i."""

    prompt: list[int]
    n: int
    seed: int


Tokens = tuple[list[int], list[float]]  # token ids of a reply, and their log-probabilities (NaN: unknown)
Ask = Callable[[Sequence[Request], dict[str, Any]], list[list[Tokens]]]  # with keywords of vLLM's SamplingParams


def written_by(
    engine: Any, ask: Ask, limit: int, prompts: Sequence[list[int]], sampling: Sampling, end_ids: Sequence[int]
) -> list[Tokens]:
    """One reply for each of `prompts` (token ids), from the `engine` of TRL that `ask` asks.

    A `UserError` where a prompt and its reply have more than `limit` tokens, in all processes of the engine.
    """
    asked, widths = requests(prompts, sampling)
    keywords = settings(sampling, end_ids)

    def fitting(some: Sequence[Request]) -> list[list[Tokens]]:
        longest = max((len(request.prompt) for request in some), default=0)
        if longest + sampling.tokens > limit:
            raise UserError(
                f"a prompt of {longest} tokens and a reply of {sampling.tokens} do not fit into vLLM's {limit}; "
                "raise generation.max_length, or lower the tokens of a round (episode.tokens)"
            )
        return ask(some, keywords)

    replies = pooled(engine, asked, fitting)
    copies = [n if sampling.temperature == 0 else 1 for n in widths]  # a greedy reply is asked for once
    return [reply for group, n in zip(replies, copies, strict=True) for reply in group * n]


def requests(prompts: Sequence[list[int]], sampling: Sampling) -> tuple[list[Request], list[int]]:
    """The requests for rows with these prompts (token ids), and how many rows each is for.

    Neighbouring rows with one prompt and consecutive keys are one request, of `ROWS` replies at most, so that the
    prompt is computed once. vLLM draws the i-th of its replies with its seed + i, which is the key of that row.
    """
    greedy, asked, widths = sampling.temperature == 0, list[Request](), list[int]()
    for row, prompt in enumerate(prompts):
        key = sampling.key(row)
        same = asked and asked[-1].prompt == prompt
        if same and (greedy or (widths[-1] < ROWS and asked[-1].seed + widths[-1] == key)):
            widths[-1] += 1
            asked[-1] = asked[-1]._replace(n=1 if greedy else widths[-1])
        else:
            asked.append(Request(prompt, 1, key))
            widths.append(1)
    return asked, widths


def settings(sampling: Sampling, end_ids: Sequence[int]) -> dict[str, Any]:
    """Keywords of vLLM's SamplingParams, with all that the model's own defaults could change."""
    return {
        "max_tokens": sampling.tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop_token_ids": list(end_ids),
        "logprobs": 0,  # of the drawn token, and no other
    }


def ask_engine(engine: Any, asked: Sequence[Request], keywords: dict[str, Any]) -> list[list[Tokens]]:
    """Replies of the engine in this process."""
    if not asked:
        return []
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
    return [[tokens_of(reply) for reply in output.outputs] for output in outputs]


def tokens_of(reply: Any) -> Tokens:
    """The tokens of one of vLLM's replies, each with its log-probability."""
    drawn = zip(reply.token_ids, reply.logprobs, strict=True)
    return list(reply.token_ids), [logprobs[token].logprob for token, logprobs in drawn]


def ask_server(
    client: Any, asked: Sequence[Request], keywords: dict[str, Any], alive: Callable[[], object] = lambda: None
) -> list[list[Tokens]]:
    """Replies of a server, through TRL's client; a call for each request, since a call has one seed.

    It waits as long as `alive`, called now and then, raises nothing.

    Raises:
        EngineLost: for `SILENCE` seconds no request got a reply.
    """
    named = {key: value for key, value in keywords.items() if key != "stop_token_ids"}

    def ask(numbered: tuple[int, Request]) -> tuple[int, list[Tokens]]:
        place, request = numbered
        others = {"seed": request.seed, "stop_token_ids": keywords["stop_token_ids"]}
        output = client.generate([request.prompt], n=request.n, generation_kwargs=others, **named)
        scores = [[math.nan if one[0] is None else one[0] for one in reply] for reply in output["logprobs"]]
        return place, list(zip(output["completion_ids"], scores, strict=True))

    received: dict[int, list[Tokens]] = {}
    with ThreadPool(max(1, min(PLACES, len(asked)))) as threads:  # left alone where one of them hangs
        replies, heard = threads.imap_unordered(ask, enumerate(asked)), time.monotonic()
        while len(received) < len(asked):
            try:
                place, written = replies.next(BEAT)
            except multiprocessing.TimeoutError:
                alive()
                if time.monotonic() - heard > SILENCE:
                    raise EngineLost(
                        f"the vLLM server says that it lives, but has replied to no request for {SILENCE:g} seconds"
                    ) from None
                continue
            received[place], heard = written, time.monotonic()
    return [received[place] for place in range(len(asked))]


def pooled(engine: Any, asked: list[Request], ask: Callable[[list[Request]], list[list[Tokens]]]) -> list[list[Tokens]]:
    """The replies to `asked`. `ask` is called with the requests of all processes that one engine spreads over, in each
    of them alike."""
    if engine.mode != "colocate" or (size := engine.tensor_parallel_size) == 1:
        return ask(asked)
    place = processes.index() % size
    parts = processes.of_all(asked)[processes.index() - place :][:size]
    written = ask([request for part in parts for request in part])
    start = sum(map(len, parts[:place]))
    return written[start : start + len(asked)]


def exact(sync: Callable[[], None], model: Any) -> Callable[[], None]:
    """TRL's `sync`, which sends weights, made to leave the model bit for bit as it was.

    TRL merges adapters into the base model and takes them out again. In half precision each round trip rounds the base
    model (docs/LOG.md has how much), until saved adapters no longer fit it. So frozen weights are put back from a copy
    in the host's memory, one for all processes of a machine. TRL replaces a quantised weight by a new object; that one
    is put back as the object it was.
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return sync
    modules = [module for name, module in model.named_modules() if name.endswith(".base_layer")]
    frozen = [(module, module.weight) for module in modules if not module.weight.requires_grad]
    plain = [parameter for _, parameter in frozen if parameter.is_floating_point()]
    copies = kept([parameter.data for parameter in plain])

    def synced() -> None:
        try:
            sync()
        except BaseException:  # half way, with adapters merged
            model.unmerge_adapter()
            raise
        finally:
            for module, parameter in frozen:
                module.weight = parameter
            for parameter, copy in zip(plain, copies, strict=True):
                parameter.data.copy_(copy)

    return synced


def kept(weights: Sequence[Any]) -> Sequence[Any]:
    """Copies of these tensors in the host's memory. All processes call it, with equal tensors; those of one machine
    share one copy, a file that each of them maps and that nobody sees any more."""
    from safetensors.torch import load_file, save_file

    if processes.count() == 1:
        return [tensor.to("cpu", copy=True) for tensor in weights]
    place = int(os.environ["LOCAL_RANK"])
    with TemporaryDirectory(prefix="motif-") as name:

        def write(items: Sequence[object]) -> list[Path]:
            file = Path(name, "weights.safetensors")
            if place == 0:
                with explained(file.parent, "and one copy of the frozen weights is kept there; set TMPDIR elsewhere"):
                    save_file({str(number): tensor.cpu().contiguous() for number, tensor in enumerate(weights)}, file)
            return [file for _ in items]

        files = processes.divided(write, range(processes.count()))
        copies = load_file(files[processes.index() - place])
        processes.wait()
    return [copies[str(number)] for number in range(len(weights))]
