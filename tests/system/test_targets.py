"""What lies in a folder of anybody's is not built, unless it is motif's or the user's own."""

import pickle
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from motif import cli
from motif.system import config as settings
from motif.system.errors import UserError
from motif.system.targets import check_trusted, own, trusted
from tests.test_cli import config


class Payload:
    """What runs when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.write_text, (Path(self.file), "ran")


@pytest.fixture
def policy(tmp_path):
    """A policy's folder with a pickle in it, and a file that says whether that was unpickled."""
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "payload.pkl").write_bytes(pickle.dumps(Payload(tmp_path / "ran.txt")))
    return folder


def unpickling(folder):
    return {"_target_": "joblib.load", "filename": str(folder / "payload.pkl")}


@pytest.mark.parametrize("where", ["dataset", "episode.carry", "episode.later.0"])
def test_a_policys_own_choices_that_would_unpickle_are_refused_and_not_built(policy, tmp_path, where):
    found = OmegaConf.create({"episode": {"tokens": 44, "later": [{}]}, "dataset": {"name": "chain"}, "rounds": 4})
    OmegaConf.update(found, where.replace(".0", "[0]"), unpickling(policy), force_add=True)
    (policy / "motif.yaml").write_text(OmegaConf.to_yaml(found))
    with pytest.raises(UserError, match=r"_target_ of .*motif\.yaml is 'joblib.load', neither .* choose \w+ yourself"):
        cli.take_from_run(config(str(policy)), ("episode", "dataset", "rounds"), ["policy=x"])
    assert not (tmp_path / "ran.txt").exists()
    group = where.split(".")[0]
    assert cli.take_from_run(config(str(policy)), (group,), ["policy=x", f"{group}=own"])  # that there is not asked for


def test_a_runs_configuration_that_would_unpickle_is_refused_and_not_built(policy, tmp_path):
    with pytest.raises(UserError, match="'joblib.load', neither a class of motif's"):
        settings.rebuilt({"_target_": "motif.experiment.Experiment", "dataset": unpickling(policy)})
    assert not (tmp_path / "ran.txt").exists()


def test_what_would_be_looked_up_is_refused(policy):
    with pytest.raises(UserError, match="is not looked up"):
        check_trusted({"dataset": "${oc.decode:'{_target_: joblib.load}'}"}, "x")


@pytest.mark.parametrize(
    "target",
    [
        *(
            "os.system",
            "subprocess.Popen",
            "pickle.load",
            "torch.load",
            "pandas.read_pickle",
            "builtins.eval",
            "",
            3,
            None,
        ),
        *(
            "motif.system.files.shutil.rmtree",
            "motif.system.files.remove",
            "motif.cli.instantiate",
            "motif.nothing.Here",
            "nowhere.X",
        ),
        *("motif.tasks.grading.algebra.os.system", "motif.training.rewards", "${x}"),
    ],
)
def test_what_is_no_class_of_motifs_is_not_built(target):
    assert not trusted(target, False)


def test_motifs_own_classes_and_reward_terms_and_those_of_ones_own_modules_are_built(tmp_path, monkeypatch):
    assert trusted("motif.rounds.carry.Summary", False) and trusted("motif.training.rewards.accuracy", True)
    assert not trusted("motif.training.rewards.accuracy", False) and not trusted(
        "motif.system.files.shutil.rmtree", True
    )
    (tmp_path / "headline_of_mine.py").write_text("import os\nclass Headline: ...\ndef term(path): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert own("headline_of_mine") and trusted("headline_of_mine.Headline", False)
    assert trusted("headline_of_mine.term", True) and not trusted("headline_of_mine.os.system", True)
    assert not own("json") and not own("joblib") and not own("sys") and not own("")


def test_a_module_that_python_does_not_find_is_another_line_than_one_that_is_not_trusted():
    with pytest.raises(UserError, match="^reward.brief._target_ of it: 'nowhere.f' is not found: .* PYTHONPATH names$"):
        check_trusted({"reward": {"brief": {"_target_": "nowhere.f", "_partial_": True}}}, "it")
    with pytest.raises(UserError, match="'joblib.load', neither a class of motif's .* is not built"):
        check_trusted({"reward": {"_target_": "joblib.load"}}, "it")
