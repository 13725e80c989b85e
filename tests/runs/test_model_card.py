"""A card says what a run recorded, and a reader finds numbers with their intervals and commands that can be typed."""

import copy
import re

import pytest
import yaml
from huggingface_hub import ModelCard

from motif.runs.model_card import write_card
from tests.support import ROOT

SUMMARY = {
    "name": "motif-gsm8k-qwen2.5-3b-r3-s7",
    "algo": "motif",
    "model": "qwen2.5-3b",
    "dataset": "gsm8k",
    "rounds": 3,
    "seed": 7,
    "sampling": {
        "training": [{"tokens": 1024, "temperature": 0.8, "top_p": 0.95, "top_k": 0}],
        "evaluation": [{"tokens": 1024, "temperature": 0.0, "top_p": 1.0, "top_k": 0}],
    },
    "evaluation": [
        {"policy": policy, "dataset": "gsm8k", "rounds": rounds, "n": 1319, "correct": 900, "accuracy": accuracy}
        | {"interval": [accuracy - 0.02, accuracy + 0.02], "truncated": 0.031, "unparsable": 0.042, "tokens": 1234.5}
        for policy, rounds, accuracy in (
            ("base", 1, 0.61),
            ("base", 3, 0.62),
            ("trained", 1, 0.71),
            ("trained", 3, 0.7284),
        )
    ],
    "compute": {"training": {"questions": 300, "generated_tokens": 21_600_123, "trained_tokens": 1_000_000}},
    "seconds": {"load": 1.0, "rollout": 600.0, "future_rollout": 1200.0, "update": 600.0},
}
CONFIG = {
    "model": {
        "name": "qwen2.5-3b",
        "path": "Qwen/Qwen2.5-3B-Instruct",
        "revision": "a" * 40,
        "dtype": "bfloat16",
        "quantization": None,
        "license": "qwen-research",
        "peft": {"r": 64, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]},
    },
    "dataset": {"name": "gsm8k", "hub": "openai/gsm8k"},
    "algo": {"name": "motif", "steps": 300, "questions": 1, "m": 8, "k": 4, "trainer": {"learning_rate": 5e-6}},
    "episode": {"carry": {"tokens": 512}},
    "reward": {"weights": {"accuracy": 1.0, "format": 0.1}},
}
ENVIRONMENT = {
    "device": "NVIDIA H100",
    "motif": "0.1.0",
    "git": "b" * 40,
    "packages": {"torch": "2.13.0", "vllm": None},
}


@pytest.fixture
def card(tmp_path):
    def write(changes=None, summary=None, environment=ENVIRONMENT):
        config = copy.deepcopy(CONFIG)
        for key, value in (changes or {}).items():
            group, name = key.split(".")
            config[group][name] = value
        write_card(tmp_path / "policy", config, {**SUMMARY, **(summary or {})}, environment)
        return ModelCard.load(tmp_path / "policy" / "README.md")

    return write


def test_the_header_says_base_license_library_and_data(card):
    data = card().data.to_dict()
    assert data["base_model"] == "Qwen/Qwen2.5-3B-Instruct" and data["base_model_relation"] == "adapter"
    assert data["library_name"] == "peft" and "lora" in data["tags"]
    assert (data["license"], data["license_name"]) == ("other", "qwen-research") and "LICENSE" in data["license_link"]
    assert data["datasets"] == ["openai/gsm8k"]


def test_the_headers_results_are_those_of_the_trained_policy_each_with_its_rounds_and_interval(card):
    results = card().data.eval_results
    assert [(found.metric_args["rounds"], found.metric_value) for found in results] == [(1, 0.71), (3, 0.7284)]
    assert {found.metric_name for found in results} == {"accuracy in 1 round", "accuracy in 3 rounds"}
    assert results[1].metric_args == {"rounds": 3, "n": 1319, "interval_95": [0.7084, 0.7484]}


def test_every_accuracy_stands_beside_its_interval_n_truncation_and_tokens(card):
    rows = [line for line in card().text.splitlines() if line.startswith(("| before", "| **this"))]
    assert len(rows) == 4
    assert "| **this policy** | gsm8k | 3 | 1319 | 72.8% | 70.8% – 74.8% | 3.1% | 4.2% | 1,234 |" in rows


def test_the_commands_are_those_of_this_run(card):
    text = card().text
    assert "pip install motif-rounds\n" in text
    assert "motif-evaluate policy=FOLDER dataset=gsm8k rounds=3 " in text
    assert 'motif-solve policy=FOLDER "question"' in text
    assert "PeftModel.from_pretrained(base, " in text and f'revision="{"a" * 40}"' in text


def code(text):
    return text.split("```python\n")[1].split("```")[0]


@pytest.mark.parametrize("changes", [{}, {"model.quantization": "4bit"}, {"model.peft": None}])
def test_the_loading_code_is_python_and_quantizes_as_the_training_did(card, changes):
    shown = code(card(changes).text)
    compile(shown, "card", "exec")
    assert ("load_in_4bit" in shown) is ("model.quantization" in changes)
    assert ("PeftModel" in shown) is ("model.peft" not in changes)


def test_the_loading_code_loads(card, tmp_path, monkeypatch):
    from motif.policies.pretrained import Pretrained
    from motif.policies.tiny import Tiny

    base = Tiny().folder()
    policy = Pretrained(path=str(base), peft={"r": 2, "target_modules": ["q_proj"]}).load()
    policy.model.save_pretrained(tmp_path / "FOLDER")
    policy.tokenizer.save_pretrained(tmp_path / "FOLDER")
    shown = code(card({"model.path": str(base), "model.dtype": "float32", "model.revision": None}).text)
    (tmp_path / base.name).symlink_to(base)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(shown, found)
    assert type(found["model"]).__name__ == "PeftModelForCausalLM" and found["tokenizer"].chat_template


def test_settings_and_compute_are_told(card):
    text = card().text
    for row in (
        "| weights trained | LoRA, r = 64, alpha = 32, on q_proj, v_proj |",
        "| reward | 1 · accuracy + 0.1 · format |",
        "| sampling | temperature 0.8, top-p 0.95 |",
        "| continuations a first-round reply | 4 |",
        "| tokens generated | 21,600,123 |",
        "| time of the steps | 40.0 min |",
        "| device | NVIDIA H100 |",
        f"| code | motif 0.1.0 {'b' * 40} |",
    ):
        assert row in text


def test_what_is_not_recorded_is_left_out(card):
    text = card(environment=None).text
    assert "device" not in text.split("## Training")[1].split("## Limits")[0]
    assert "None" not in text and "vllm" not in card().text


def test_a_model_from_a_folder_names_no_place_of_this_machine(card):
    found = card({"model.path": "/home/me/secret/my-model", "model.license": None})
    assert "/home/me" not in str(found) and "my-model" in found.text
    assert found.data.base_model is None and found.data.license is None


def test_the_suites_own_model_and_the_baseline_are_said_to_be_what_they_are(card, tmp_path):
    config = {"model": {"name": "tiny"}, "dataset": {"name": "chain"}, "algo": {"name": "grpo"}}
    write_card(tmp_path, config, {**SUMMARY, "algo": "grpo", "model": "tiny", "dataset": "chain"})
    found = ModelCard.load(tmp_path / "README.md")
    assert "A fine-tune of the suite's tiny model trained by vanilla GRPO on the chain questions." in found.text
    assert "replies of one round" in found.text and found.data.library_name == "transformers"


def test_the_header_is_yaml_and_the_paper_is_cited(card, tmp_path):
    card()
    written = (tmp_path / "policy" / "README.md").read_text()
    assert yaml.safe_load(written.split("---\n")[1])["model-index"][0]["name"] == SUMMARY["name"]
    assert "arXiv preprint arXiv:2507.02851" in written


SECTIONS = ("Results", "Running it", "Training", "Limits", "Citation")
EVIL = 'x|`a``b`<script>\n# head\n```\n[a](b)![i](http://h/p.png) $x$ \u202e\x1b[31m\ud800"); evil('


def test_what_comes_of_settings_and_data_is_text_and_neither_markup_nor_code(tmp_path):
    config = copy.deepcopy(CONFIG)
    config["reward"]["weights"], config["model"]["peft"]["target_modules"] = {EVIL: 1.0}, [EVIL]
    config["model"] |= {"path": f"/tmp/{EVIL}".replace("http://h/", ""), "dtype": EVIL, "license": EVIL}
    measured = [{**found, "dataset": EVIL} for found in SUMMARY["evaluation"]]
    named = {"name": EVIL, "algo": EVIL, "dataset": EVIL, "evaluation": measured}
    write_card(tmp_path, config, {**SUMMARY, **named}, {**ENVIRONMENT, "device": EVIL})
    written = (tmp_path / "README.md").read_text()
    header, body = written.split("---\n", 2)[1:]
    assert yaml.safe_load(header)["model-index"][0]["name"].startswith("x|`a``b`<script>\n# head\n")
    assert not set(written) & set("\u202e\x1b\ud800")
    parts = re.split(r"^```\w*\n", body, flags=re.M)
    assert len(parts) == 7  # commands, Python, citation, and what stands between
    compile(parts[3], "card", "exec")
    assert [line.split(".")[0] for line in parts[3].splitlines()[3:]] == [
        "base = AutoModelForCausalLM", "model = PeftModel", "tokenizer = AutoTokenizer"
    ]  # fmt: skip
    assert len(parts[1].splitlines()) == 3
    plain = re.sub(r"`FOLDER`|`\\boxed\{\}`|````x.*?````", "CODE", "".join(parts[::2]))
    assert plain.count("CODE") == 3 and "<" not in plain and not re.search(r"(?<!\\)[`$]", plain)
    assert re.findall(r"(?<!\\)\]\((.*?)\)", plain) == ["https://arxiv.org/abs/2507.02851"]
    heads = re.findall(r"^#.*", plain, re.M)
    assert heads[0].startswith("# x") and heads[1:] == [f"## {name}" for name in SECTIONS]
    rows = [line for line in plain.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10, 3}


def test_every_algorithm_is_told_by_what_it_credits(tmp_path):
    names = [file.stem for file in (ROOT / "conf/algo").glob("*.yaml")]
    assert len(names) >= 6
    for name in names:
        write_card(tmp_path / name, CONFIG, SUMMARY | {"algo": name})
        text = ModelCard.load(tmp_path / name / "README.md").text
        assert "In training, " in text or "It was trained on replies of one round" in text, name
