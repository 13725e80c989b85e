"""Every group option, preset and sweep composes and builds; mistakes are one line."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from motif import entry
from motif.checks import UserError
from motif.experiment import Experiment

ROOT = Path(__file__).parent.parent
GROUPS = ("model", "dataset", "reward", "episode", "algo", "generation", "tracking", "experiment")
NEEDED = {("model", "local"): ["model.path=somewhere"], ("dataset", "local"): ["dataset.path=somewhere"]}


def options(group):
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


@pytest.fixture(autouse=True)
def hydra():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def built(*overrides):
    config = compose("config", overrides=["name=x", *overrides])
    return entry.build(config), entry.resolved(config)


@pytest.mark.parametrize(("group", "option"), [(group, option) for group in GROUPS for option in options(group)])
def test_every_option_of_every_group_builds(group, option):
    experiment, plain = built(f"{group}={option}", *NEEDED.get((group, option), []))
    assert isinstance(experiment, Experiment)
    if group != "experiment":
        assert plain[group]["name"] == option


@pytest.mark.parametrize("option", [f"{group}={option}" for group in GROUPS for option in options(group)])
def test_every_option_is_on_the_help_page_and_opens_with_a_comment(option):
    group, name = option.split("=")
    template = OmegaConf.load(ROOT / "conf/hydra/help/motif.yaml").template
    assert re.search(rf"\b{re.escape(name)}\b", template)
    assert (ROOT / "conf" / group / f"{name}.yaml").read_text().startswith("# ")


def jobs():
    """Every job of every sweep, as the overrides that make it."""
    for path in sorted((ROOT / "sweeps").glob("*.yaml")):
        params = OmegaConf.load(path).hydra.sweeper.params
        choices = [[f"{key}={value.strip()}" for value in str(values).split(",")] for key, values in params.items()]
        for job in itertools.product(*choices):
            yield pytest.param(path.stem, job, id=f"{path.stem}-{'-'.join(job)}")


@pytest.mark.parametrize(("sweep", "job"), jobs())
def test_every_job_of_every_sweep_builds(sweep, job):
    experiment, _ = built(f"sweeps={sweep}", *job)
    assert isinstance(experiment, Experiment)
    header = (ROOT / "sweeps" / f"{sweep}.yaml").read_text().splitlines()
    assert header[0] == "# @package _global_" and f"python train.py sweeps={sweep}" in header[1]


def test_the_choices_reach_each_other():
    experiment, _ = built("rounds=4", "model=local", "model.path=x", "algo=grpo")
    assert experiment.episode.rounds == 4
    assert experiment.episode.prompts.wording == "full"
    assert experiment.algo.trainer["learning_rate"] == experiment.model.learning_rate
    assert experiment.evaluated_rounds() == [1, 4]


def test_the_tiny_model_follows_the_settings_of_the_chain():
    experiment, _ = built("dataset.modulus=7", "dataset.longest=5")
    assert experiment.model.task().modulus == 7 and experiment.model.longest == 5


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "rounds=0",
            "rounds must be a whole number of at least 1, got 0|rounds must be a whole number from 1 to 1000, got 0",
        ),
        ("rounds=abc", "rounds must be .*got 'abc'"),
        ("rounds=1.5", "rounds must be .*got 1.5"),
        ("seed=-1", "seed must be"),
        ("algo.m=1", "algo.m must be a whole number of at least 2, got 1"),
        ("algo.k=0", "algo.k must be"),
        ("episode.temperature=-1", "temperature must be"),
        ("episode.carry.missing=all", "episode.carry.missing must be one of none, tail, whole, got 'all'"),
        ("episode.prompts.answer='a b'", "episode.prompts.answer must be"),
        ("reward.weights.format=.nan", "reward.weights.format must be"),
        ("+reward.weights.length=1", "reward.weights must name each of"),
        ("+algo.kk=3", "unknown key algo.kk"),
        ("+episode.carry.token=3", "unknown key episode.carry.token, did you mean tokens"),
        ("+reward.reply.format.strict=true", "unknown key reward.reply.format.strict"),
        ("+seeed=7", "unknown key seeed, did you mean seed"),
        ("model=local", "model.path"),
        ("dataset.modulus=1", "dataset.modulus must be"),
        ("dataset.path=x", "dataset.path is not for dataset=chain"),
        ("evaluation.questions=0", "evaluation.questions must be"),
        ("checkpoint.every=0", "checkpoint.every must be"),
        ("record.questions=-1", "record.questions must be"),
        ("tracking.mode=loud", "tracking.mode must be one of"),
        ("generation.cache_gib=0", "generation.cache_gib must be"),
        ("guard.tolerance=0", "guard.tolerance must be"),
        ("budget.tokens=0", "budget.tokens must be"),
        ("+budget.token=9", "unknown key budget.token, did you mean tokens"),
        ("budget.on=steps", "budget.on must be one of tokens, responses, questions, seconds"),
        ("guard=3", "guard must be a group of settings"),
        ("overwrite=maybe", "overwrite must be true or false"),
        ("name=a/b", "name must be"),
        ("name=../x", "name must be"),
        ("episode.rounds=5", "episode.rounds is set by rounds"),
        ("model._target_=motif.tiny.Nothing", "model._target_"),
        ("model.useful_replies=2", "model.useful_replies"),
        ("seed=${nothing}", "nothing"),
        ("checkpoint=3", "checkpoint must be a group of settings"),
        ("algo.trainer=3", "algo.trainer must be a group of settings"),
        ("episode.later=x", "episode.later must be a group of settings"),
        ("reward.weights=1", "reward.weights must be a group of settings"),
    ],
)
def test_a_bad_value_is_refused_by_name_before_anything_is_loaded(override, words):
    with pytest.raises(UserError, match=words) as error:
        built(override) if not override.startswith("name=") else entry.build(compose("config", overrides=[override]))
    assert "\n" not in str(error.value)


def command(*arguments, cwd=ROOT):
    call = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.run(call, capture_output=True, text=True, cwd=cwd, timeout=100)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rounds=abc"], "rounds must be"),
        (["seeed=7"], "seeed"),
        (["algo=grop"], "grop"),
        (["algo.kk=3"], "kk"),
        (["dataset=chain", "dataset.longest=99"], "dataset.longest must be"),
    ],
)
def test_a_mistake_on_the_command_line_is_a_short_message_a_status_and_no_traceback(arguments, words, tmp_path):
    done = command(*arguments, cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and words in said and "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_a_typo_in_a_preset_is_named(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseeed: 7\n")
    done = command("experiment=mine", f"hydra.searchpath=[file://{tmp_path}]", cwd=tmp_path)
    assert done.returncode == 1 and "unknown key seeed" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_the_composed_configuration_are_shown_without_heavy_imports(tmp_path):
    assert "python train.py rounds=3 algo=motif" in command("--help", cwd=tmp_path).stdout
    assert "rounds: 2" in command("rounds=2", "--cfg", "job", cwd=tmp_path).stdout
    probe = "import sys; sys.argv = ['train.py', '--cfg', 'job']; sys.path.insert(0, '.'); import train\n"
    probe += "heavy = {'torch', 'transformers', 'trl', 'datasets', 'wandb'}\n"
    probe += "try:\n train.main()\nfinally:\n print('HEAVY', sorted(heavy & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert "HEAVY []" in done.stdout
