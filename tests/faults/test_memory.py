"""Memory that runs out, injected: a model that has none for more rows than so many, and a process that may have no more."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from motif import screen
from motif.checks import UserError
from motif.engines import Transformers
from motif.generation import Sampling
from motif.memory import OutOfMemory, ran_out
from motif.prompts import Prompts
from motif.tiny import Tiny

ROOT = Path(__file__).parent.parent.parent
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
    OSError(12, "Cannot allocate memory"),
]


@pytest.fixture
def policy():
    return Tiny().load()


@pytest.fixture
def said(monkeypatch):
    heard = []
    monkeypatch.setattr(screen, "say", lambda text="", style=None: heard.append(text))
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
    from motif.chain import Chain

    prompts = Prompts(wording="terse")
    return [prompts.conversation(question.text, 1, 3, None) for question in Chain(test_size=number).test()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_memory_that_ran_out_is_known_by_whatever_says_so(error):
    assert ran_out(error)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(28, "No space left on device"), ValueError("memory")])
def test_what_is_another_error_is_not_taken_for_it(error, policy, monkeypatch):
    assert not ran_out(error)
    Narrow(monkeypatch, policy.model, 2, error)
    with pytest.raises(type(error)):
        Transformers().generator(policy)(talks(), Sampling(9, seed=1))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_generation_goes_on_in_halves_and_writes_the_same(policy, monkeypatch, said, error, temperature):
    sampling = Sampling(12, temperature=temperature, seed=7)
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
    Transformers().generator(policy)(talks(), Sampling(30, seed=7))
    named = float(said[-1].split("generation.cache_gib=")[1].split(" ")[0])
    said.clear(), narrow.seen.clear()
    Transformers(cache_gib=named).generator(policy)(talks(), Sampling(30, seed=7))
    assert not said and max(narrow.seen) <= 5


def test_a_single_reply_without_memory_is_one_line(policy, monkeypatch, said):
    policy.model.train()
    Narrow(monkeypatch, policy.model, 0)
    with pytest.raises(OutOfMemory, match=r"a single reply .* up to 30 new ones\); lower episode.tokens, to 15 say") as error:
        Transformers().generator(policy)(talks(), Sampling(30, seed=7))
    assert isinstance(error.value, UserError) and "\n" not in str(error.value)
    assert policy.model.training


LIMITED = """
import resource, sys
import torch
torch.set_num_threads(1)
from motif.engines import Transformers
from motif.generation import Sampling
from motif.tiny import Tiny

policy = Tiny().load()
generate = Transformers(cache_gib=64.0).generator(policy)
generate([[{"role": "user", "content": "1/1 9a-5"}]], Sampling(2, seed=1))
pages = int(open("/proc/self/statm").read().split()[0])
talks = [[{"role": "user", "content": f"1/1 {n}a-5b*8"}] for n in range(512)]
alone = generate(talks[:4], Sampling(400, temperature=1.5, seed=1))
room = int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room,) * 2)
found = generate(talks, Sampling(400, temperature=1.5, seed=1))
assert [one.token_ids for one in found[:4]] == [one.token_ids for one in alone] and len(found) == 512
"""


@pytest.mark.slow
def test_a_process_that_may_have_no_more_memory_generates_in_smaller_parts():
    call = [sys.executable, "-c", LIMITED, "100"]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "memory ran out while 512 replies were generated together" in " ".join(done.stdout.split())
