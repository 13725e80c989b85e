"""What is typed arrives as it is meant: names and other text as they stand, and the words of an agent of W&B."""

import inspect
import shlex

import pytest
import yaml
from hydra import initialize_config_dir
from hydra.utils import get_object
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from motif import hydra_private, overrides, planning
from motif.system.config import CONF, resolved

CHOSEN = {  # text that is one of a few words, each of which its class checks
    *(
        "model.dtype",
        "model.attention",
        "model.quantization",
        "model.wording",
        "episode.prompts.format",
        "episode.prompts.wording",
    ),
    *("episode.stop", "episode.carry.missing", "evaluation.split", "checkpoint.accept", "budget.on", "format"),
    *("generation.name", "generation.mode", "generation.base_url", "tracking.name", "tracking.mode", "dataset.gold"),
    *("dataset.operations", "model.operations"),
}


def composed(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return planning.composed(words)[0]


@pytest.mark.parametrize(
    "typed", ["20240101", "null", "NULL", "true", "False", "1e5", "007", "0x10", "1_000", "2024-01-01", "1.50", "nan"]
)
def test_a_name_is_what_was_typed_alone_in_a_sweep_and_as_a_job(typed):
    assert composed(f"name={typed}").name == composed(f"++name={typed}").name == typed
    jobs = hydra_private.jobs([f"name={typed},b", "seed=1"])
    assert [composed(*job).name for job in jobs] == [typed, "b"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert [planning.Names().of(job) for job in jobs] == [typed, "b"]


def test_other_text_is_what_was_typed_and_numbers_stay_numbers():
    made = composed(
        *("tracking.project=123", "tracking.group=1e5", "tracking.tags=[2024,true,1e5,a]", "outputs=007"),
        *("dataset=local", "dataset.path=2024", "dataset.question=1", "dataset.facts=[1,02]", "seed=1_0"),
        *("model=local", "model.path=1e3", "model.revision=1234567", "budget.match=20240101", "model.license=null"),
    )
    assert (made.tracking.project, made.tracking.group, made.outputs) == ("123", "1e5", "007")
    assert made.tracking.tags == ["2024", "true", "1e5", "a"]
    assert (made.dataset.path, made.dataset.question, made.dataset.facts) == ("2024", "1", ["1", "02"])
    assert (made.model.path, made.model.revision, made.budget.match) == ("1e3", "1234567", "20240101")
    assert made.seed == 10 and made.model.license is None and composed("tracking.group=null").tracking.group is None
    assert "beta" not in composed("~algo.trainer.beta").algo.trainer and "outputs" not in composed("~outputs")


def settings_of_text():
    """Every key of conf/ that its class takes as text, once."""
    places = {"base/pretrained": "model", "base/thinking": "episode"}
    for file in sorted(CONF.rglob("*.yaml")):
        place = str(file.relative_to(CONF).with_suffix(""))
        group = places.get(place, place.split("/")[0] if "/" in place else "")
        if group not in ("hydra", "experiment", "sweeps", "reward"):
            yield from texts(yaml.safe_load(file.read_text()), group)


def texts(node, path):
    if not isinstance(node, dict):
        return
    fields = inspect.signature(get_object(node["_target_"])).parameters if "_target_" in node else {}
    for key, value in node.items():
        name = f"{path}.{key}".strip(".")
        kind = str(fields[key].annotation) if key in fields else ""
        if kind in ("<class 'str'>", "str | None", "list[str]", "collections.abc.Sequence[str]"):
            yield name
        yield from texts(value, name)


def test_every_setting_that_is_text_is_read_as_text():
    unknown = {key for key in settings_of_text() if not key.startswith("flaws.")} - hydra_private.TEXT - CHOSEN
    assert not unknown


ASKED = {  # what a sweep of W&B may ask for, and where it has to arrive
    "seed": 3,
    "budget.tokens": None,
    "evaluation.before": False,
    "evaluation.rounds": [1, 2],
    "model.learning_rate": 1e-05,
    "algo": {"k": 3, "m": 4},
    "algo.trainer": {"beta": 0.1, "loss_type": "dapo", "epsilon_high": None},
    "watch": {"fall": None},
    "tracking.tags": ["a", "b c", "7", "it's, so"],
    "tracking.group": "Groups, of all (kinds): {x} = 'y'",
    "tracking.entity": None,
    "tracking.job_type": "two words",
    "tracking.project": "20240101",
    "name": None,
}


@pytest.fixture
def agents():
    """The words that an agent of W&B types for some values, made by its own code."""

    def words(asked):
        return create_sweep_command_args({"args": {key: {"value": value} for key, value in asked.items()}})

    return words


@pytest.mark.parametrize("form", ["args_no_hyphens", "args_override_hydra"])
def test_what_wandbs_agent_types_arrives_as_meant(agents, monkeypatch, form):
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    made = resolved(composed(*overrides.arguments(agents(ASKED)[form])))
    for key, value in ASKED.items():
        found = made
        for part in key.split("."):
            found = found[part]
        if isinstance(value, dict):
            found = {name: found[name] for name in value}
        assert found == value and type(found) is type(value), key


def test_without_an_agent_python_words_are_hydras_too_and_a_grid_stays_one(agents, monkeypatch):
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    asked = {key: value for key, value in ASKED.items() if key not in ("tracking.group", "name")}
    made = resolved(composed(*overrides.arguments(agents(asked)["args_no_hyphens"])))
    assert made["budget"]["tokens"] is None and made["algo"]["k"] == 3 and made["tracking"]["tags"][3] == "it's, so"
    assert made["tracking"]["entity"] is None and made["watch"]["fall"] is None
    kept = ["-m", "seed=0,1", "name=None", "algo.trainer.beta=[1,2],[3]", "hydra.launcher.n_jobs=None", "algo=motif"]
    assert overrides.arguments(kept) == kept
    assert composed("name=None").name == "None"


def test_what_stands_in_wandbs_own_sweeps_reaches_the_program(agents, monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    for file in sorted((CONF / "sweeps/wandb").glob("*.yaml")):
        sweep = yaml.safe_load(file.read_text())
        values = {key: each.get("values", [each.get("min")])[0] for key, each in sweep["parameters"].items()}
        rest = [word for word in sweep["command"] if not word.startswith("${")]
        words = [*agents(values)["args_no_hyphens"], *rest]
        assert overrides.arguments(words) == words == shlex.split(shlex.join(words)), file
        composed(*words)
