from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from motif import entry


@pytest.fixture
def typed(monkeypatch):
    """Pretend that these overrides were typed."""

    def pretend(*words):
        monkeypatch.setattr(
            entry, "HydraConfig", SimpleNamespace(get=lambda: OmegaConf.create({"overrides": {"task": list(words)}}))
        )

    return pretend


def run_folder(tmp_path):
    saved = {"episode": {"tokens": 44, "carry": {"tokens": 9}}, "dataset": {"name": "chain", "path": None}, "rounds": 4}
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(saved)))
    return str(tmp_path)


def config(policy):
    made = OmegaConf.create(
        {"policy": policy, "rounds": 3, "episode": {"tokens": 1024, "new": 1}, "dataset": {"name": "math500"}}
    )
    OmegaConf.set_struct(made, True)
    return made


def test_a_runs_own_choices_are_taken_where_nothing_was_typed(tmp_path, typed):
    typed("policy=x")
    made = config(run_folder(tmp_path))
    assert entry.take_from_run(made, ("episode", "dataset", "rounds"))
    assert made.rounds == 4 and made.episode == {"tokens": 44, "carry": {"tokens": 9}} and made.dataset.name == "chain"


def test_what_was_typed_stays_and_single_keys_change_a_runs_own_group(tmp_path, typed):
    typed("policy=x", "dataset=math500", "rounds=3", "episode.tokens=1024")
    made = config(run_folder(tmp_path))
    entry.take_from_run(made, ("episode", "dataset", "rounds"))
    assert made.rounds == 3 and made.dataset.name == "math500"
    assert made.episode == {"tokens": 1024, "carry": {"tokens": 9}}


def test_a_policy_that_is_no_run_brings_nothing(tmp_path, typed):
    typed()
    made = config(str(tmp_path / "nothing"))
    assert not entry.take_from_run(made, ("episode",)) and made.episode.tokens == 1024


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["What is 7 times 8?"], "What is 7 times 8?"),
        (["x=3 and y=2: what is x+y?"], "x=3 and y=2: what is x+y?"),
        (["What", "is", "this?"], "What is this?"),
        ([], None),
    ],
)
def test_a_question_is_told_from_settings(words, asked):
    command, found = entry.split_question(["solve.py", "policy=a b", *words, "episode.tokens=5", "-v"], "solve")
    assert found == asked
    assert command == ["solve.py", "policy=a b", "episode.tokens=5", "hydra.verbose=true"]
