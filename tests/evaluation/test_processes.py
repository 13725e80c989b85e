"""Evaluation and probes in several processes: the records of one, each reply asked for once, and status 0."""

import json
import subprocess
import sys

import pytest

from motif.policies.tiny import Tiny
from tests.support import ROOT, ranks
from tests.support.vllm_server import VLLMServer

MEASURED = """
import json, sys
from motif.evaluation.probe.program import Prober
from motif.evaluation.program import Evaluator
from motif.generation.engines import Transformers
from motif.rounds import Episode, Prompts
from motif.tasks.chain import Chain

episode = Episode(rounds=3, tokens=24, prompts=Prompts(wording="countdown"), stop="answered")
shared = {"policy": sys.argv[1], "episode": episode, "generation": Transformers(), "outputs": "."}
shared |= {"dataset": Chain(test_size=7, longest=4)}
for made in (
    Evaluator(**shared, rounds=2, batch=5),
    Evaluator(**shared, rounds=3, samples=3, batch=7),
    Evaluator(**shared, rounds=1, deterministic=True),
    Prober(**shared, rounds=2, batch=3, k=2),
):
    assert made.run() == made.run()  # measured, and read
"""
ASKED = """
import json, sys
import pytest
from motif.generation.engines import VLLM
from motif.policies.tiny import Tiny
from motif.rounds import Episode, Prompts, draw_key, grow
from motif.rounds.carry import Tail
from motif.rounds.records import as_record
from motif.system import UserError
from motif.tasks.chain import Chain
from tests.support.vllm_server import without_vllm

without_vllm(pytest.MonkeyPatch())
policy = Tiny().load()
generate = VLLM(mode="server", base_url=sys.argv[1], wait=5.0).generator(policy)
how = {"carry": Tail(), "stop": "ended", "prompts": Prompts(wording="countdown")}
episode = Episode(rounds=4, tokens=12, **how)
trees = grow(Chain(test_size=3).test(), episode, [2, 1, 1, 1], generate, policy.tokenizer, episode.sampling)
try:
    generate([[{"role": "user", "content": "1/1 1a-5b*8"}]], Episode(rounds=1, tokens=4095).sampling(1))
except UserError as error:
    words = str(error)
print(json.dumps([[as_record(tree) for tree in trees], words]))
"""


class Uneven(VLLMServer):
    """Half of its replies come to no end of their own."""

    def choices(self, body):
        found = super().choices(body)
        for each in found:
            ids = each["token_ids"]
            ids[-1] = self.end if (len(ids) + body["seed"]) % 2 else self.words[0]
        return found


def records(folder):
    return {file.name: file.read_text() for file in sorted(folder.rglob("*.jsonl"))}


@pytest.mark.slow
def test_evaluations_and_probes_in_two_and_four_processes_have_the_records_of_one_also_after_a_kill(forks, tmp_path):
    policy, kept = str(Tiny().folder()), {}
    for count in (1, 2, 4):
        folder = tmp_path / str(count)
        folder.mkdir()
        ranks.run(forks, count, MEASURED, folder, policy)
        kept[count] = records(folder)
    assert len(kept[1]) == 4 and kept[1] == kept[2] == kept[4]
    for file in folder.rglob("*.jsonl"):  # as kills leave them
        file.with_suffix(".json").unlink()
        file.write_text(file.read_text()[: len(file.read_text()) // 2])
    ranks.run(forks, 2, MEASURED, folder, policy)
    assert records(folder) == kept[1]


@pytest.mark.slow
def test_torchrun_measures_in_two_processes_and_ends_with_status_0(tmp_path):
    words = [f"policy={Tiny().folder()}", "dataset=chain", "dataset.test_size=4", "rounds=2", f"outputs={tmp_path}"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    call = [*torchrun, "evaluate.py", *words, "episode.tokens=24", "episode.prompts.wording=countdown"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("records") == 1, "one screen"
    (kept,) = records(tmp_path).values()
    assert len(kept.splitlines()) == 4


@pytest.mark.slow
def test_a_server_is_asked_once_for_each_reply_whoever_has_no_episode_left(forks, tmp_path):
    tokenizer, said = Tiny().load().tokenizer, []
    for count in (1, 2, 4):
        server = Uneven(tokenizer("9a-5b*8")["input_ids"], tokenizer.eos_token_id)
        try:
            heard = ranks.run(forks, count, ASKED, tmp_path, server.url)
        finally:
            server.close()
        assert len(set(heard)) == 1, "all processes have all replies"
        said.append((json.loads(heard[0].splitlines()[-1]), server.asked.count("/v1/completions")))
    assert said[0] == said[1] == said[2]
    (trees, words), _ = said[0]
    assert "do not fit into vLLM's 4096" in words
    lengths = {depth(reply) for tree in trees for reply in tree["replies"]}
    assert len(lengths) > 1, "some episodes end before others"


def depth(reply):
    return 1 + max(map(depth, reply["children"]), default=0)
