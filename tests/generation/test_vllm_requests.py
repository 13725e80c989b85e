"""Requests to vLLM, and replies of a server, without either."""

import json
import math
import sys
from types import SimpleNamespace

import pytest
import torch

from motif.generation.vllm_requests import ROWS, Request, ask_engine, ask_server, exact, pooled, requests, settings
from motif.rounds.replies import EngineLost, Sampling
from motif.system.memory import OutOfMemory
from tests.support import ranks
from tests.support.toys import random_qwen

A, B = [1, 2], [3]
SAMPLING = Sampling(5, temperature=0.8, top_p=0.9, top_k=7)


class Server:
    """Stands for TRL's client: replies tell the seed they were drawn with."""

    def __init__(self):
        self.calls = []

    def generate(self, prompts, n, logprobs, generation_kwargs, **named):
        self.calls.append({"prompts": prompts, "n": n, "logprobs": logprobs, **generation_kwargs, **named})
        seeds = [generation_kwargs["seed"] + place for place in range(n)]
        scores = [[[-1.0], [None]] for _ in seeds]
        return {"prompt_ids": prompts, "completion_ids": [[seed, 9] for seed in seeds], "logprobs": scores}


def test_equal_prompts_in_a_row_with_keys_that_follow_each_other_are_one_request():
    asked, widths = requests([A, A, B, A], SAMPLING.keyed([40, 41, 42, 43]))
    assert asked == [Request(A, 2, 40), Request(B, 1, 42), Request(A, 1, 43)] and widths == [2, 1, 1]
    asked, widths = requests([A, A, A], SAMPLING.keyed([40, 41, 7]))  # the second A is another question's
    assert asked == [Request(A, 2, 40), Request(A, 1, 7)] and widths == [2, 1]


def test_a_row_has_the_seed_that_it_would_have_alone():
    keys = [40, 41, 42, 9]
    asked, _ = requests([A, A, A, B], SAMPLING.keyed(keys))
    assert [request.seed + place for request in asked for place in range(request.n)] == keys
    assert [requests([A], SAMPLING.keyed([key]))[0][0].seed for key in keys] == keys


def test_a_greedy_reply_is_asked_for_once():
    asked, widths = requests([A, A, A, B], Sampling(5, temperature=0.0).keyed([5, 1, 8, 2]))
    assert [request.n for request in asked] == [1, 1] and widths == [3, 1]


def test_a_server_is_asked_with_the_settings_of_the_call_and_the_seed_of_the_request():
    server = Server()
    written = ask_server(server, [Request(A, 2, 10), Request(B, 1, 12)], settings(SAMPLING, [7, 8]))
    assert [[ids for ids, _ in replies] for replies in written] == [[[10, 9], [11, 9]], [[12, 9]]]
    scores = written[0][0][1]
    assert scores[0] == -1.0 and math.isnan(scores[1])
    first = next(call for call in server.calls if call["prompts"] == [A])
    told = {"n": 2, "seed": 10, "temperature": 0.8, "top_p": 0.9, "top_k": 7, "max_tokens": 5, "logprobs": 0}
    assert told.items() <= first.items() and first["stop_token_ids"] == [7, 8]
    assert first["min_p"] == 0.0 and first["repetition_penalty"] == 1.0  # a model's own defaults do not creep in


def test_one_request_has_a_bounded_number_of_replies_whose_seeds_are_the_same():
    keys = list(range(40, 40 + 2 * ROWS + 1))
    asked, widths = requests([A] * len(keys), SAMPLING.keyed(keys))
    assert [request.n for request in asked] == widths == [ROWS, ROWS, 1]
    assert [request.seed + place for request in asked for place in range(request.n)] == keys
    assert requests([A] * len(keys), Sampling(5, temperature=0.0).keyed(keys))[1] == [len(keys)]


def test_the_processes_that_one_engine_spreads_over_each_get_their_own_and_raise_the_same_line(forks, tmp_path):
    """Two processes of one engine, whose memory allows 60 tokens in the first and 50 in the second."""
    first, second = map(json.loads, ranks.run(forks, 2, SPREAD, tmp_path))
    assert first == second
    assert first["asked"] == [[2, 1]], "the engine is asked for all three replies, in both processes"
    assert first["replies"] == [[1], [2], [7]]
    assert first["said"] == ["a reply of 12 do not fit into vLLM's 50"]


SPREAD = """
import json, re, sys
from types import SimpleNamespace
from motif.generation import engines
from motif.policies.tiny import Tiny
from motif.rounds.replies import Sampling
from motif.system import UserError, processes

index, asked, said = processes.index(), [], []

def generate(prompts, sampling_params, use_tqdm):
    asked.append([each.n for each in sampling_params])
    reply = lambda id: SimpleNamespace(token_ids=[id], logprobs=[{id: SimpleNamespace(logprob=-1.0)}])
    return [SimpleNamespace(outputs=[reply(each.seed + place) for place in range(each.n)]) for each in sampling_params]

config = SimpleNamespace(max_model_len=60 - 10 * index)
llm = SimpleNamespace(generate=generate, llm_engine=SimpleNamespace(model_config=config))
engine = SimpleNamespace(
    mode="colocate", tensor_parallel_size=2, enable_sleep_mode=False, llm=llm, sync_weights=lambda: None, model=None,
    accelerator=SimpleNamespace(distributed_type=SimpleNamespace(value="MULTI_CPU")),
)
sys.modules["vllm"] = SimpleNamespace(SamplingParams=SimpleNamespace)
engines.find_spec = lambda name: True
engines.private.vllm_engine = lambda **_: engine
policy = Tiny().load()
write = engines.VLLM(tensor_parallel=2).generator(policy)
talk = lambda words: [{"role": "user", "content": words}]
replies = write([talk("9a"), talk("9a"), talk("5b")], Sampling(12).keyed([1, 2, 7]))
try:
    write([talk("9a"), talk("9a" + "*8" * 20)], Sampling(12).keyed([1, 2]))
except UserError as error:
    said.append(re.search("a reply of.*50", str(error))[0])
print(json.dumps({"asked": asked, "replies": [reply.token_ids for reply in replies], "said": said}))
"""


def test_an_engine_without_a_row_is_not_asked():
    assert ask_engine(None, [], {}) == []


def test_a_process_alone_asks_for_itself():
    engine = SimpleNamespace(mode="colocate", tensor_parallel_size=1, accelerator=None)
    assert pooled(engine, [Request(A, 1, 0)], lambda asked: [len(asked)]) == [1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sending_the_weights_leaves_a_model_with_adapters_bit_for_bit_as_it_was(dtype):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(random_qwen().model.to(dtype), LoraConfig(r=4, target_modules="all-linear"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    before, sent = {name: weight.clone() for name, weight in model.state_dict().items()}, []

    def sync():
        model.merge_adapter()
        sent.append(model.get_parameter("base_model.model.model.layers.0.mlp.up_proj.base_layer.weight").clone())
        model.unmerge_adapter()

    exact(sync, model)()
    assert not torch.equal(sent[0], before["base_model.model.model.layers.0.mlp.up_proj.base_layer.weight"])
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_a_sending_that_fails_half_way_leaves_the_model_as_it_was():
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(random_qwen().model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    def sync():
        model.merge_adapter()
        raise EngineLost("gone")

    with pytest.raises(EngineLost):
        exact(sync, model)()
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    model.merge_adapter()  # as it is at the next sending, which merges anew
    name = "base_model.model.model.layers.0.mlp.up_proj.base_layer.weight"
    assert not torch.equal(model.state_dict()[name], before[name])


KEPT = """
import json, pathlib, torch
from motif.generation.vllm_requests import kept
from motif.system import processes

weights = [torch.full((3, 4), 1.5, dtype=torch.bfloat16), torch.arange(5.0)]
copies = kept(weights)
processes.wait()  # until the one that wrote the file has taken its name away
maps = [line for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if "weights.safetensors" in line]
same = all(torch.equal(copy, own) for copy, own in zip(copies, weights, strict=True))
weights[0].zero_()
print(json.dumps([same, bool((copies[0] == 1.5).all()), sorted({" ".join(line.split()[3:]) for line in maps})]))
"""


@pytest.mark.program
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what a process has mapped")
def test_processes_of_one_machine_share_one_copy_of_the_frozen_weights(forks, tmp_path):
    first, second = map(json.loads, ranks.run(forks, 2, KEPT, tmp_path))
    assert first == second and first[:2] == [True, True]
    assert len(first[2]) == 1 and first[2][0].endswith("(deleted)")


class EngineDeadError(Exception):
    """Named as vLLM's."""


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (EngineDeadError("EngineCore encountered an issue"), EngineLost, "vLLM, which generates in this process, died"),
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory, "lower generation.memory, generation.max_length"),
        (RuntimeError("a bug"), RuntimeError, "a bug"),
    ],
)
def test_an_engine_in_this_process_that_dies_is_lost_and_its_bugs_are_bugs(monkeypatch, raised, kind, words):
    def generate(*_, **__):
        raise raised

    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=lambda **_: None))
    engine = SimpleNamespace(enable_sleep_mode=False, llm=SimpleNamespace(generate=generate))
    with pytest.raises(kind, match=words):
        ask_engine(engine, [Request(A, 1, 0)], {})


def test_a_model_without_adapters_is_sent_as_trl_does_it():
    assert exact(print, random_qwen().model) is print
