"""Formats of released weights: Delethink's bare turn that goes on, and InftyThink+'s tags."""

import json
import pickle
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from motif.evaluation.program import Evaluator
from motif.generation.engines import Transformers, replies_of
from motif.policies.pretrained import open_policy
from motif.rounds.carry import Continued, Turn
from motif.rounds.episode import Episode, grade, grow
from motif.rounds.prompts import SO_FAR, Drawn, Prompts
from motif.rounds.replies import Reply
from motif.system import config as settings
from motif.system.errors import UserError
from tests.support import ROOT
from tests.support.templates import policy_of
from tests.support.toys import question

ASKED = "What is 1+1?\n\nPlease reason step by step, and put your final answer within \\boxed{}."
USER = "<｜begin▁of▁sentence｜><｜User｜>"
OPEN = "<｜Assistant｜><think>\n"


def native(name, **changes):
    """`episode=NAME` of conf/evaluate.yaml."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        words = [f"episode={name}", *(f"{key}={value}" for key, value in changes.items())]
        return settings.build(compose("evaluate", overrides=["policy=x", *words]).episode)


def tokens(policy, text):
    return policy.tokenizer(text, add_special_tokens=False)["input_ids"]


def grown(policy, episode, *written):
    """The replies of one trajectory and their prompts, where the policy writes these texts; one with `END` ends."""
    prompts, left = [], list(written)

    def generate(talks, sampling):
        prompts.extend(policy.render(talks))
        text = left.pop(0)
        ids = tokens(policy, text.removesuffix("END"))
        assert len(ids) <= sampling.tokens
        ids += [policy.tokenizer.eos_token_id] * text.endswith("END")
        return replies_of(policy, prompts[-1:], [(ids, None)])

    (tree,) = grow(
        [question("What is 1+1?")], episode, [1] * episode.rounds, generate, policy.tokenizer, episode.sampling
    )
    grade([tree])
    assert not left
    (path,) = tree.paths()
    return path, prompts


def small(family, end):
    """A policy of random weights, of the architecture of the released models (Qwen2), with the template of `family`."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    policy = policy_of(family)
    policy.tokenizer.eos_token = end
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"eos_token_id": policy.tokenizer.eos_token_id, "pad_token_id": policy.tokenizer.pad_token_id}
    size |= {"num_key_value_heads": 1, "initializer_range": 0.2, "vocab_size": len(policy.tokenizer)}
    config = Qwen2Config(**size, **ends)
    return replace(policy, model=Qwen2ForCausalLM(config).eval())


@pytest.fixture(scope="module")
def distill():
    return small("deepseek_r1_distill", "<｜end▁of▁sentence｜>")


@pytest.fixture(scope="module")
def weights(distill, tmp_path_factory):
    place = tmp_path_factory.mktemp("weights")
    distill.model.save_pretrained(place)
    distill.tokenizer.save_pretrained(place)
    return place


def test_the_settings_of_delethink_are_those_of_its_authors():
    episode = native("delethink_native", rounds=5)
    assert [episode.sampling(round).tokens for round in (1, 2, 5)] == [8192, 4096, 4096]
    assert episode.budget() == 8192 + 4 * 4096 == 24576  # as their README says
    assert episode.carry == Continued(head=100, tokens=4096) and episode.stop == "ended"


def test_prompts_of_delethink_are_one_turn_that_goes_on_after_head_and_tail(distill):
    changes = {"episode.tokens": 16, "episode.later.tokens": 8, "episode.carry.head": 3, "episode.carry.tokens": 8}
    episode = native("delethink_native", rounds=3, **changes)
    first, second = "abcdefghijklmnop", " q<s t\nu"
    path, prompts = grown(distill, episode, first, second, "v")
    query = tokens(distill, f"{USER}{ASKED}{OPEN}")
    assert prompts[0] == query
    assert prompts[1] == query + tokens(distill, "abc") + tokens(distill, "ijklmnop")
    assert prompts[2] == query + tokens(distill, "abc") + tokens(distill, second)
    assert distill.tokenizer.decode(prompts[2]) == f"{USER}{ASKED}{OPEN}abc q<s t\nu"
    assert [node.carried for node in path] == ["abcijklmnop", "abc q<s t\nu", None]
    assert [node.reply.text for node in path] == [f"<think>\n{text}" for text in (first, second, "v")]
    assert path[-1].prediction is None and path[-1].events == ("no_answer",) and not path[-1].well_formed


def test_the_tokens_that_were_drawn_go_on_and_not_new_ones_of_their_text(distill):
    ids = [*tokens(distill, "ab"), distill.tokenizer.convert_tokens_to_ids("</think>")]
    control = distill.tokenizer.convert_tokens_to_ids("<｜User｜>")
    half = tokens(distill, "é")[:1]  # the first byte of a letter
    turn = Turn(Reply("", [*ids, control, *half], [], False), None, [], 5, distill.tokenizer)
    carried = Continued(head=3, tokens=2).carry(turn).text
    talk = [{"role": "user", "content": "?"}, {"role": SO_FAR, "content": carried}]
    (prompt,) = distill.render([talk])
    assert prompt == [*tokens(distill, f"{USER}?{OPEN}"), *ids, control, *half]
    assert pickle.loads(pickle.dumps(carried)).ids == carried.ids and json.loads(json.dumps(carried)) == carried
    others = [Drawn("ab", [1, 2]), Drawn("ab", [3]), "ab<｜User｜>"]  # one text in other tokens, and one from elsewhere
    prompts = distill.render([[talk[0], {"role": SO_FAR, "content": other}] for other in others])
    assert [prompt[-2:] for prompt in prompts[:2]] == [[1, 2], [*tokens(distill, "\n"), 3]]
    assert distill.tokenizer.decode(prompts[2]).endswith(f"{OPEN}ab< ｜User｜>")


def test_an_episode_of_delethink_ends_with_the_turn_and_its_last_box_is_the_answer(distill):
    changes = {"episode.tokens": 40, "episode.later.tokens": 30, "episode.carry.head": 2, "episode.carry.tokens": 30}
    episode = native("delethink_native", rounds=4, **changes)
    path, _ = grown(distill, episode, "x" * 30 + "</think>So it", " is \\boxed{3}, no: \\boxed{2}.END")
    assert len(path) == 2 and path[-1].ended and path[-1].reply.finished
    assert path[0].reply.text.startswith("<think>\n") and path[1].reply.text.startswith(" is")  # the thought is closed
    assert path[-1].prediction == "2" and path[-1].correct and path[-1].well_formed and path[-1].events == ()
    (path, _) = grown(distill, episode, "a box in a thought: \\boxed{2}END")
    assert len(path) == 1 and path[0].prediction is None


def test_a_model_that_opens_its_thought_itself_goes_on_with_it():
    policy, thought = small("qwen3", "<|im_end|>"), "<think>\nabcdefgh"
    changes = {"episode.tokens": 12, "episode.later.tokens": 40, "episode.carry.head": 2, "episode.carry.tokens": 10}
    path, prompts = grown(policy, native("delethink_native", rounds=2, **changes), thought, "</think>\\boxed{2}END")
    ids = tokens(policy, thought)
    assert prompts[1] == [*prompts[0], *ids[:2], *ids] and len(ids) == 10
    assert path[-1].prediction == "2" and path[-1].correct
    summed = native("inftythink_native", rounds=2, **{"episode.tokens": 60})
    _, prompts = grown(policy, summed, "<think>a</think><summary>S</summary>END", "<think>b</think>2END")
    assert policy.tokenizer.decode(prompts[1]).endswith("assistant\n<history>\nS\n</history>")


def test_prompts_of_inftythink_begin_the_turn_with_the_history_before_the_thought(distill):
    episode = native("inftythink_native", rounds=3, **{"episode.tokens": 120})
    first = "one\n</think><summary>\nS1 <｜User｜>\n</summary>END"
    second = "two\n</think><summary>\nS2\n</summary>END"
    path, prompts = grown(distill, episode, first, second, "three\n</think>\nIt is \\boxed{2}.\nEND")
    texts = [distill.tokenizer.decode(prompt) for prompt in prompts]
    begin = f"{USER}What is 1+1?<｜Assistant｜>"
    assert texts[0] == f"{begin}<think>\n"
    assert texts[1] == f"{begin}<history>\nS1\n</history><think>\n"  # control strings of a summary are taken out
    assert texts[2] == f"{begin}<history>\nS2\n</history><think>\n"
    assert all(prompt == tokens(distill, text) for prompt, text in zip(prompts, texts, strict=True))
    assert path[0].events == ("progress_cleaned",) and [node.well_formed for node in path] == [True] * 3
    assert path[-1].prediction == "2" and path[-1].correct and path[-1].reply.text.startswith("<think>\nthree")


@pytest.mark.parametrize(
    ("text", "rounds", "answer"),
    [
        ("so\n</think>\n\\boxed{2}END", 1, "2"),  # a conclusion
        ("so\n</think>\nno box, no summaryEND", 1, None),  # no valid form
        ("a thought that was cut off", 1, None),
        ("so\n</think><summary>S</summary> cut", 2, "2"),
    ],
)
def test_an_episode_of_inftythink_ends_with_a_reply_without_a_summary(distill, text, rounds, answer):
    episode = native("inftythink_native", rounds=2)
    path, _ = grown(distill, episode, *[text, "</think>\\boxed{2}END"][:rounds])
    assert len(path) == rounds and path[-1].prediction == answer and path[-1].well_formed == (answer is not None)


def test_the_request_for_a_box_stands_where_it_is_asked_for():
    talks = {
        system: Prompts(format="bare", system=system).conversation("1+1?", 1, 3, None)
        for system in (True, False, "none", "boxed")
    }
    (alone,), (below,) = talks["none"], talks[False]
    assert alone["content"] == "1+1?" and below["content"].startswith("1+1?\n\nPlease reason step by step, and put")
    assert talks[True] == talks["boxed"] == [{"role": "system", "content": below["content"][6:]}, alone]


def test_what_cannot_be_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"^episode.carry: head=100 and tokens=4096 overlap .* of 4195 tokens; "):
        Episode(rounds=2, tokens=4195, carry=Continued())
    assert Episode(rounds=2, tokens=4196, carry=Continued()) and Episode(rounds=1, tokens=8, carry=Continued())
    with pytest.raises(UserError, match="episode.carry.head"):
        Continued(head=0)
    with pytest.raises(UserError, match="show no examples"):
        Prompts(format="bare", examples=2)


@pytest.mark.parametrize("name", ["delethink_native", "inftythink_native"])
def test_weights_in_a_folder_are_measured_to_the_end(name, weights, tmp_path):
    from motif.tasks.chain import Chain

    small = {"episode.tokens": 12, "episode.later.tokens": 6}
    carry = {"episode.carry.head": 3, "episode.carry.tokens": 6} if name.startswith("dele") else {}
    program = Evaluator(
        policy=str(weights),
        dataset=Chain(test_size=3),
        episode=native(name, rounds=3, **small, **carry),
        generation=Transformers(),
        rounds=3,
        samples=2,
        outputs=str(tmp_path),
    )
    result = program.run()
    (file,) = tmp_path.rglob("*.jsonl")
    samples = [sample for line in file.read_text().splitlines() for sample in json.loads(line)["samples"]]
    assert result["n"] == 3 and len(samples) == 6
    if name == "delethink_native":
        longest = max(samples, key=lambda sample: len(sample["replies"]))
        first, *later = longest["prompt_tokens_by_round"]
        assert longest["tokens_by_round"][0] == 12 and later == [first + 9] * len(later) and later
    else:
        assert {len(sample["replies"]) for sample in samples} == {1}  # random weights write no summary
    assert open_policy(str(weights)).thought == "<think>\n"
