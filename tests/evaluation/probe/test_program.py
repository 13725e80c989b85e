"""Probes as a program, on the shipped tiny policy: they find what the chain task plants."""

import json
import re
from dataclasses import replace

import pytest

from motif.evaluation import program
from motif.evaluation.evaluate import Evaluation, evaluate
from motif.evaluation.probe.program import Prober
from motif.generation.engines import Transformers
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.system.errors import UserError
from motif.tasks.chain import Chain

CHAINS = Chain(longest=12, test_size=33)
EPISODE = Episode(rounds=3, tokens=44, prompts=Prompts(wording="countdown"))


def probing(tmp_path, **changes):
    settings = {
        "policy": str(Tiny().folder()),
        "dataset": CHAINS,
        "episode": EPISODE,
        "generation": Transformers(),
        "rounds": 3,
        "k": 1,
        "outputs": str(tmp_path),
    }
    return Prober(**{**settings, **changes})


def effect(result, name):
    return next(each for each in result["interventions"] if each["name"] == name)


def single_round(policy, generate, questions, file):
    found = evaluate(questions, EPISODE.with_rounds(1), generate, policy.tokenizer, Evaluation(), file)
    return sum(item["samples"][0]["correct"] for item in found) / len(found)


def test_a_policy_that_writes_no_progress_misses_none_and_would_use_the_true_one(tmp_path, capsys):
    result = probing(tmp_path).run()
    without, true = (effect(result, name) for name in ("without-every", "true-every"))
    assert without["outcome"] == "not distinguishable" and result["untouched"]["value"] < 0.6
    assert true["outcome"] == "better" and true["accuracy"]["value"] > 0.6
    said = capsys.readouterr().out
    assert "With the true progress after every round, accuracy rises by" in said and "n = 33): better progress" in said
    assert "next    python -m motif.report" in said and "chain-r3-" in said


def test_a_policy_that_hands_on_where_it_got_to_falls_to_the_single_round_level_without_it(tmp_path, monkeypatch):
    """The shipped policy as training makes it: what it hands on are the states that it has reached."""
    policy = Tiny().load()
    own = Transformers().generator(policy)

    def reached(talk, reply):
        following = int(re.match(r"\d", talk[-1]["content"])[0])
        steps = re.findall(r"([a-zA-D])[^;<]*=(\d);", reply.text)
        before = re.search(r"<progress>([a-zA-D]\d)</progress>", talk[-1]["content"])
        state = "".join(steps[-1]) if steps else before[1] if before else "ok"
        if not following:
            return reply
        return replace(reply, text=re.sub(r"<answer>.*", f"<answer>{state}</answer>", reply.text))

    def generate(talks, sampling):
        return [reached(talk, reply) for talk, reply in zip(talks, own(talks, sampling), strict=True)]

    monkeypatch.setattr(program, "opened", lambda *_: (policy, generate))
    result = probing(tmp_path).run()
    alone = single_round(policy, own, CHAINS.test(), tmp_path / "one.jsonl")
    assert result["untouched"]["value"] > 0.6 > 0.5 > alone == effect(result, "early-0")["accuracy"]["value"]
    without = effect(result, "without-every")
    assert without["outcome"] == "worse" and without["accuracy"]["value"] == pytest.approx(alone, abs=0.1)
    assert effect(result, "swapped-every")["accuracy"]["value"] < 0.5
    assert alone < effect(result, "early-1")["accuracy"]["value"] < result["untouched"]["value"]
    assert effect(result, "true-every")["accuracy"]["value"] > 0.6


def test_what_was_measured_is_read_and_what_was_interrupted_goes_on(tmp_path, monkeypatch, capsys):
    small = {"dataset": Chain(test_size=6), "rounds": 2}
    result = probing(tmp_path, **small, batch=4).run()
    (file,) = tmp_path.rglob("*.jsonl")
    text, records = file.read_bytes(), [json.loads(line) for line in file.read_text().splitlines()]
    assert file.parent.name == "probes" and len(records) == result["n"] == 6
    assert json.loads(file.with_suffix(".json").read_text()) == result
    file.with_suffix(".json").unlink()
    file.write_bytes(text[: len(text) * 3 // 4])
    assert probing(tmp_path, **small, batch=4).run() == result and file.read_bytes() == text
    capsys.readouterr()
    monkeypatch.setattr(program, "opened", lambda *_: pytest.fail("measured again"))
    assert probing(tmp_path, **small, batch=4).run() == result
    assert "measured before" in capsys.readouterr().out
    with pytest.raises(pytest.fail.Exception):
        probing(tmp_path, **small, overwrite=True).run()
    assert file.read_bytes() == text  # nothing is thrown away for a policy that cannot be opened


def test_settings_that_change_results_are_another_measurement(tmp_path):
    base = probing(tmp_path)
    keys = set()
    for changes in (
        {},
        {"k": 3},
        {"seed": 1},
        {"rounds": 2},
        {"questions": 4},
        {"episode": replace(EPISODE, tokens=40)},
    ):
        one = replace(base, **changes)
        keys.add(json.dumps(one.identity(one.dataset.test()[: one.questions]), default=str))
    assert len(keys) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": 1}, "rounds must be a whole number from 2"),
        ({"k": -1}, "k must be"),
        ({"batch": 1}, "batch must be a whole number of at least 2"),
        ({"questions": 1}, "questions must be a whole number of at least 2"),
        ({"policy": ""}, "policy must be"),
        ({"dataset": None}, "dataset must be chosen"),
    ],
)
def test_a_bad_value_is_refused_before_anything_is_loaded(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        probing(tmp_path, **changes)


def test_a_set_of_one_question_is_refused(tmp_path):
    with pytest.raises(UserError, match="one test question"):
        probing(tmp_path, dataset=Chain(test_size=1)).run()
