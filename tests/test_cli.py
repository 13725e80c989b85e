import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from motif import cli
from motif.system import config as settings
from motif.system.errors import UserError
from tests.support import ROOT

MATH = '{"problem": "?", "answer": "2", "subject": "Algebra", "level": 1, "unique_id": "a"}\n'


def run_folder(tmp_path):
    saved = {"episode": {"tokens": 44, "carry": {"tokens": 9}}, "dataset": {"name": "chain", "path": None}, "rounds": 4}
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(saved)))
    return str(tmp_path)


def config(policy):
    made = OmegaConf.create(
        {"policy": policy, "rounds": 3, "episode": {"tokens": 1024, "new": 1}, "dataset": {"name": "math500"}}
    )
    OmegaConf.set_struct(made, True)
    return made


def test_a_runs_own_choices_are_taken_where_nothing_was_typed(tmp_path):
    made = config(run_folder(tmp_path))
    assert cli.take_from_run(made, ("episode", "dataset", "rounds"), ["policy=x"])
    assert made.rounds == 4 and made.episode == {"tokens": 44, "carry": {"tokens": 9}} and made.dataset.name == "chain"


def test_what_was_typed_stays_and_single_keys_change_a_runs_own_group(tmp_path):
    made = config(run_folder(tmp_path))
    typed = ["policy=x", "dataset=math500", "rounds=3", "episode.tokens=1024"]
    cli.take_from_run(made, ("episode", "dataset", "rounds"), typed)
    assert made.rounds == 3 and made.dataset.name == "math500"
    assert made.episode == {"tokens": 1024, "carry": {"tokens": 9}}


def test_a_policy_that_is_no_run_brings_nothing(tmp_path):
    made = config(str(tmp_path / "nothing"))
    assert not cli.take_from_run(made, ("episode",), []) and made.episode.tokens == 1024


def test_a_policys_folder_is_its_runs_also_when_it_was_copied_away(tmp_path):
    run = Path(run_folder(tmp_path))
    (run / "policy").mkdir()
    made = config(str(run / "policy"))
    assert cli.take_from_run(made, ("episode",), ["policy=x"]) and made.episode.tokens == 44
    (run / "config.yaml").rename(run / "policy/motif.yaml")
    (run / "run.json").unlink()
    made = config(str(run / "policy"))
    assert cli.take_from_run(made, ("episode",), ["policy=x"]) and made.episode.tokens == 44


@pytest.mark.parametrize("word", ["temprature=0.5", "generation=vllm", "+questions=3"])
def test_a_key_that_is_unknown_does_not_become_the_question(word):
    with pytest.raises(SystemExit, match="unknown key"):
        cli.split_question(["solve.py", "policy=x", word, "What?"], "solve")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["-5 + 3 = ?"], "-5 + 3 = ?"),
        (["What is 7 times 8?"], "What is 7 times 8?"),
        (["x=3 and y=2: what is x+y?"], "x=3 and y=2: what is x+y?"),
        (["What", "is", "this?"], "What is this?"),
        ([], None),
    ],
)
def test_a_question_is_told_from_settings(words, asked):
    command, found = cli.split_question(["solve.py", "policy=a b", *words, "episode.tokens=5", "-v"], "solve")
    assert found == asked
    assert command == ["solve.py", "policy=a b", "episode.tokens=5", "hydra.verbose=true"]


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("-v", "hydra.verbose=true"),
        ("policy=outputs/motif-steps=2-ab12", 'policy="outputs/motif-steps=2-ab12"'),
        ("policy=outputs/a,b (2)", 'policy="outputs/a,b (2)"'),
        ("dataset.path=~/my data/a=b.csv", 'dataset.path="~/my data/a=b.csv"'),
        ("model.path=/models/x y", "model.path=/models/x y"),
        ("algo.trainer.project=a=b", 'algo.trainer.project="a=b"'),
        ("+budget.match=runs/a=b", '+budget.match="runs/a=b"'),
        *(
            (word, word)
            for word in ("rounds=3", 'policy="a=b"', "algo.trainer={a=b}", "name=${x=y}", "--cfg=job", "-m")
        ),
    ],
)
def test_a_value_that_holds_an_equals_sign_is_quoted_for_hydra(word, read):
    assert cli.arguments([word]) == [read]


def test_in_a_sweep_a_comma_divides_paths_and_its_option_may_follow_settings():
    typed = ["seed=0,1", "policy=outputs/a=1,outputs/b", "-m"]
    assert cli.arguments(typed) == ["-m", "seed=0,1", 'policy="outputs/a=1",outputs/b']


def test_the_home_folder_is_what_a_shell_makes_of_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert cli.arguments(["policy=~/runs/a", "outputs=~/runs", "budget.match=~/runs/a"]) == [
        *("policy=/home/me/runs/a", "outputs=/home/me/runs", "budget.match=/home/me/runs/a")
    ]


@pytest.mark.parametrize(
    ("config", "overrides", "kind"),
    [
        ("evaluate", ["policy=x", "dataset=math500", "samples=4"], "Evaluator"),
        ("evaluate", ["policy=x", "generation=vllm", "budget=100"], "Evaluator"),
        ("solve", ["policy=x", "question=why", "rounds=2"], "Solver"),
        ("probe", ["policy=x", "dataset=gsm8k", "k=8", "questions=100"], "Prober"),
    ],
)
def test_the_programs_beside_training_compose_and_build(config, overrides, kind):
    root = ROOT / "conf"
    with initialize_config_dir(str(root), version_base="1.3"):
        made = settings.build(compose(config, overrides=overrides))
    assert type(made).__name__ == kind and made.policy == "x"


def test_data_sets_to_be_measured_on_are_named_and_take_their_files_from_one_folder(tmp_path):
    (tmp_path / "math500_test.jsonl").write_text(MATH.replace("?", "1+1"))
    root = ROOT / "conf"
    chosen = ["name=x", "evaluation.datasets=[math500,chain]", f"evaluation.path={tmp_path}"]
    with initialize_config_dir(str(root), version_base="1.3"):
        with pytest.raises(UserError, match="dataset.path is not for dataset=chain"):
            settings.build(compose("config", overrides=chosen))
        chosen[1] = "evaluation.datasets=[math500]"
        experiment = settings.build(compose("config", overrides=chosen))
        with pytest.raises(UserError, match="evaluation.datasets must be one of .*got 'math50'.*did you mean math500"):
            settings.build(compose("config", overrides=["name=x", "evaluation.datasets=[math50]"]))
    (found,) = experiment.evaluation.datasets
    assert [question.text for question in found.test()] == ["1+1"]


def test_training_questions_that_are_measured_on_are_left_out_and_shown(tmp_path, capsys):
    (tmp_path / "train.jsonl").write_text(
        "".join(f'{{"question": "What is {n} + 1?", "answer": "{n + 1}"}}\n' for n in range(40))
    )
    (tmp_path / "math500_test.jsonl").write_text(MATH.replace("?", "what is 3 + 1"))
    chosen = [
        *("name=x", "model=qwen2.5-0.5b", "dataset=local", f"dataset.path={tmp_path / 'train.jsonl'}"),
        *("evaluation.datasets=[math500]", f"evaluation.path={tmp_path}"),
    ]
    root = ROOT / "conf"
    with initialize_config_dir(str(root), version_base="1.3"):
        questions, tests = settings.build(compose("config", overrides=chosen)).questions()
    assert "What is 3 + 1?" not in [question.text for question in questions] and len(tests["math500"]) == 1
    assert "1 of" in capsys.readouterr().out


def test_all_test_questions_are_left_out_of_training_also_where_a_few_are_measured(tmp_path):
    rows = "".join(f'{{"question": "What is {n} + 1?", "answer": "{n + 1}"}}\n' for n in range(40))
    (tmp_path / "train.jsonl").write_text(rows)
    (tmp_path / "math500_test.jsonl").write_text(
        "".join(MATH.replace("?", f"What is {n} + 1").replace('"a"', f'"{n}"') for n in range(10))
    )
    chosen = [
        *("name=x", "model=qwen2.5-0.5b", "dataset=local", f"dataset.path={tmp_path / 'train.jsonl'}"),
        "evaluation.questions=2",
        *("evaluation.datasets=[math500]", f"evaluation.path={tmp_path}"),
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        questions, tests = settings.build(compose("config", overrides=chosen)).questions()
    texts = {question.text for question in questions}
    assert not texts & {f"What is {n} + 1?" for n in range(10)} and len(tests["math500"]) == 2


def test_an_evaluation_set_is_not_trained_on():
    root = ROOT / "conf"
    with initialize_config_dir(str(root), version_base="1.3"):
        experiment = settings.build(compose("config", overrides=["name=x", "dataset=aime24"]))
    with pytest.raises(UserError, match="aime24 is an evaluation set"):
        experiment.questions()


def test_one_question_is_asked_with_the_model_of_a_run_where_that_can_be_had(tmp_path):
    """It says what it cannot read. A model of another version says nothing, and the policy answers all the same."""
    tiny = {"_target_": "motif.policies.tiny.Tiny", "name": "tiny"}
    for name, model in (
        ("now", tiny),
        ("then", {**tiny, "shortest": 2}),
        ("others", {**tiny, "_target_": "os.getcwd"}),
        ("torn", "x"),
        ("none", None),
    ):
        (tmp_path / name).mkdir(), (tmp_path / name / "run.json").write_text("{}")
        (tmp_path / name / "config.yaml").write_text(json.dumps({"_target_": "x", "rounds": 2, "model": model}))
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for name, known in (("now", True), *((other, False) for other in ("then", "others", "torn", "none"))):
            config = compose("solve", [f"policy={tmp_path / name}"])
            cli.take_for_solving(config, [])
            assert (config.rounds, config.model is not None) == (2, known)
