"""Every group option, preset and sweep composes and builds."""

import itertools
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import OmegaConf, open_dict

from motif import cli, hydra_private, planning
from motif.experiment import Experiment
from motif.planning import Names
from motif.reporting.arms import arms_of
from motif.reporting.pairing import confounded
from motif.reporting.recorded import RecordedRun
from motif.runs.identity import check_name, identity_hash
from motif.runs.tracking.base import Several, Silent, TensorBoard, WandB
from motif.system import config as settings
from motif.training.published import CHOICES
from tests.support import ROOT, thinned
from tests.support.experiments import composed, made

GROUPS = ("model", "dataset", "reward", "episode", "algo", "generation", "tracking", "experiment")
NEEDED = {("model", "local"): ["model.path=somewhere"], ("dataset", "local"): ["dataset.path=somewhere"]}


def options(group):
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


@pytest.fixture(autouse=True)
def hydra():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


NAMES = Names()  # which composes once for jobs that differ in plain values


def job_plain(job):
    """The plain configuration of a job of a sweep, composed once for jobs that differ little."""
    base, put = NAMES.composition(job)
    return base.with_values(put)


def job_built(job):
    """The experiment of a job of a sweep."""
    return settings.build(OmegaConf.create(job_plain(job) | {"name": "x"}))


@pytest.mark.parametrize(("group", "option"), [(group, option) for group in GROUPS for option in options(group)])
def test_every_option_of_every_group_builds(group, option):
    words = [f"{group}={option}", *NEEDED.get((group, option), [])]
    assert isinstance(made(*words), Experiment)
    if group != "experiment":
        assert composed(*words)[group]["name"] == option.removesuffix("_whole")  # the same data by the same name


def test_several_trackers_have_each_its_own_settings_and_a_setting_that_two_have_is_typed_once():
    words = ["tracking.project=mine", "tracking.tags=[a]", "tracking.episodes_every=5"]
    found = made("tracking=[wandb,tensorboard,none]", *words).tracking
    first = WandB(project="mine", tags=["a"], episodes_every=5)
    assert found == Several([first, TensorBoard(episodes_every=5), Silent()])
    assert made("tracking=[wandb]", *words).tracking == first and made("tracking=[]").tracking == Silent()


@pytest.mark.parametrize("tracking", ["wandb", "trackio", "[wandb,tensorboard]", "[trackio,none]", "[]"])
def test_whoever_watches_a_run_its_name_and_identity_stay_and_its_configuration_is_rebuilt(tracking):
    word = f"tracking={tracking}"
    found, plain = cli.experiment(*planning.composed([word]), [word], study="mine")
    other, _ = cli.experiment(*planning.composed(["tracking=none"]), ["tracking=none"])
    assert found.name == other.name == NAMES.of([word]) == NAMES.of(["seed=0", word])
    assert identity_hash(plain) == identity_hash(composed())
    saved = yaml.safe_load(yaml.safe_dump(plain))
    assert "_options_" not in str(saved) and settings.rebuilt(saved).tracking == found.tracking
    groups = [each.group for each in getattr(found.tracking, "trackers", [found.tracking]) if hasattr(each, "group")]
    assert set(groups) <= {"mine"} and len(groups) == tracking.count("wandb") + tracking.count("trackio")


@pytest.mark.parametrize("option", [f"{group}={option}" for group in GROUPS for option in options(group)])
def test_every_option_is_on_the_help_page_and_opens_with_a_comment(option):
    group, name = option.split("=")
    assert re.search(rf"^  {re.escape(name)}  +\S", OmegaConf.load(ROOT / "conf/hydra/help/motif.yaml").footer, re.M)
    assert (ROOT / "conf" / group / f"{name}.yaml").read_text().startswith("# ")


def expanded(sweep, *typed):
    """The jobs of `python train.py sweeps=SWEEP ...`, as the overrides that make them."""
    params = OmegaConf.load(ROOT / "sweeps" / f"{sweep}.yaml").hydra.sweeper.params
    words = [*(f"{key}={value}" for key, value in params.items()), f"sweeps={sweep}", *typed]
    return hydra_private.jobs(words)


SWEEPS = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))
JOBS = [(sweep, job) for sweep in SWEEPS if sweep != "optuna" for job in expanded(sweep)]


def name_and_identity(words):
    config = compose("config", overrides=list(words), return_hydra_config=True)
    choices = config.hydra.runtime.choices
    with open_dict(config):
        del config["hydra"]
    return cli.run_name(config, choices, words), identity_hash(settings.resolved(config))


@pytest.mark.parametrize(
    ("sweep", "job"), thinned(JOBS, 4), ids=lambda each: each if isinstance(each, str) else "-".join(each)
)
def test_every_job_of_every_sweep_builds(sweep, job):
    experiment = job_built(job)
    assert isinstance(experiment, Experiment)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_opens_with_its_command_its_cost_and_its_question(sweep):
    head = (ROOT / "sweeps" / f"{sweep}.yaml").read_text()
    assert re.match(rf"# @package _global_\n# .+\n# python train.py sweeps={sweep} ", head)
    assert re.search(r"\d+ runs", head) and "\n# Question: " in head
    if sweep != "optuna":
        assert f" {len(expanded(sweep))} runs" in head


def test_jobs_share_a_folder_only_where_they_are_the_same_run():
    found, own, names = {}, {}, set()
    for sweep, job in JOBS:
        name, identity = NAMES.of(job), identity_hash(job_plain(job))
        names.add((sweep, name))
        assert check_name(name) and found.setdefault(name, identity) == identity
        assert own.setdefault((sweep, identity), name) == name
    for job in dict(JOBS).values():  # the last job of each, composed as when it runs
        assert name_and_identity(job) == (NAMES.of(job), identity_hash(job_plain(job)))
    for sweep, count in Counter(sweep for sweep, _ in JOBS).items():
        assert len({name for each, name in names if each == sweep}) == count


def test_whatever_changes_a_result_changes_the_name_and_what_changes_none_does_not():
    names = [
        name_and_identity(words)[0]
        for words in (
            ["seed=0"], ["algo.k=4"], ["algo.k=8"], ["algo.k=4", "algo.m=4"], ["reward=accuracy"], ["experiment=smoke"],
            ["++algo.trainer.beta=0.1"], ["+algo.trainer.epsilon_low=0.1"], ["~algo.trainer.weight_decay"],
            ["sweeps=carry"],
            ["dataset.longest=5"], ["model.learning_rate=1e-3"], ["flaws={futures:base}"], ["episode.tokens=50"],
        )
    ]  # fmt: skip
    assert len(set(names)) == len(names)
    plain = "motif-chain-tiny-r3-s0"
    assert names[0] == plain
    for same in (
        ["algo.k=2"],
        ["tracking=none", "outputs=/elsewhere", "preflight=false"],
        ["sweeps=rewards", "algo=motif"],
        ["overwrite=true"],
    ):
        assert name_and_identity(same)[0] == plain
    assert name_and_identity(["algo.m=4", "algo.k=4"])[0] == names[3]


def test_a_run_has_one_name_alone_and_as_a_job_of_a_sweep():
    typed = ["model.learning_rate=1e-3", "evaluation.before=false", "algo.k=4", "name=null", "~algo.trainer.beta"]
    (job,) = hydra_private.jobs(typed)
    assert job != typed and name_and_identity(job) == name_and_identity(typed)


def test_what_is_typed_takes_the_place_of_a_sweeps_own():
    jobs = expanded("rounds", "seed=0", "model=qwen2.5-0.5b", "dataset=gsm8k")
    assert len(jobs) == 8 and all("seed=0" in job and "model=qwen2.5-0.5b" in job for job in jobs)
    names = {re.sub("-rounds-[0-9a-f]{4}$", "", NAMES.of(job)) for job in jobs}
    assert names == {f"{algo}-gsm8k-qwen2.5-0.5b-r{rounds}-s0" for algo in ("grpo", "motif") for rounds in (1, 2, 3, 4)}


@pytest.mark.slow
def test_the_flaws_are_switched_on_one_at_a_time():
    on = [job_built(job).flaws.on() for job in expanded("flaws", "seed=0")]
    assert on == [[], *([flaw] for flaw in CHOICES)]
    for job in expanded("flaws", "seed=0", "experiment=paper_motif")[1:]:
        assert job_built(job).model.name == "qwen2.5-3b-4bit"


@pytest.mark.parametrize(("sweep", "count"), [("flaws", 11), ("continuations", 4), ("baseline", 4), ("rewards", 4)])
def test_of_a_sweeps_jobs_one_arm_is_what_its_head_says_to_compare_with(sweep, count):
    """And the others are called by what they depart in."""
    head = (ROOT / "sweeps" / f"{sweep}.yaml").read_text()
    against = re.search(r"--against ('[^']+'|\w+)", head)
    jobs = [job for job in expanded(sweep) if "seed=0" in job]
    runs = [RecordedRun(Path(str(place)), job_plain(job)) for place, job in enumerate(jobs)]
    found = [arm for arm in arms_of(runs) if arm.trained]
    assert len(found) == count and all(len(arm.name) < 50 and "#" not in arm.name for arm in found)
    if against:
        (baseline,) = (arm for arm in found if arm.name == against[1].strip("'"))
        others = [arm for arm in found if arm is not baseline]
        assert all(len(arm.name.split()) == 2 and confounded(arm, baseline) == [] for arm in others)


@pytest.mark.parametrize(("sweep", "arms"), [("baseline", 4), ("credit", 5)])
def test_the_arms_of_a_comparison_get_the_same_tokens_in_as_many_steps(sweep, arms):
    budgets = [job_built(job).budget for job in expanded(sweep, "seed=0")]
    assert len(budgets) == arms and budgets[0].tokens > 0 and budgets[0].steps > 0
    assert all(each == budgets[0] for each in budgets)


def test_an_optimiser_sees_validation_questions_alone():
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    experiment = made("sweeps=optuna", "model.learning_rate=3e-5", "algo.k=4")
    test = {question.id for question in experiment.dataset.test()}
    seen = experiment.evaluation.of(experiment.dataset)
    assert seen and not test & {question.id for question in seen}
    for trained in experiment.dataset.train():
        assert trained.id not in {question.id for question in seen}


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps/wandb").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_jobs_of_a_wandb_sweep_build(path):
    sweep = OmegaConf.to_container(OmegaConf.load(path), resolve=False)  # the command's ${...} are for the agent
    assert (ROOT / sweep["program"]).is_file() and sweep["command"][:4] == [
        "${env}", "${interpreter}", "${program}", "${args_no_hyphens}"
    ]  # fmt: skip
    values = [each.get("values", [each.get("min"), each.get("max")]) for each in sweep["parameters"].values()]
    for job in itertools.product(*values):
        words = [f"{key}={value}" for key, value in zip(sweep["parameters"], job, strict=True)]
        experiment = job_built([*words, *sweep["command"][4:]])
        if sweep["method"] == "bayes":
            assert experiment.evaluation.split == "validation"
            name = f"evaluation/{experiment.dataset.name}/rounds_{experiment.rounds}/trained/accuracy"
            assert sweep["metric"]["name"] == name


def test_the_preset_of_ray_leaves_the_memory_for_objects_to_a_cluster_that_runs():
    """Its launcher puts a value where there is none, which Ray refuses where it joins a cluster."""
    init = OmegaConf.load(ROOT / "conf/hydra/launcher/ray.yaml").ray.init
    assert init.setdefault("object_store_memory", 78_643_200) is None and init.object_store_memory is None


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "submitit_slurm", "ray"])
def test_a_launcher_composes_and_its_keys_are_the_plugins(launcher):
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    chosen = compose("config", overrides=[f"hydra/launcher={launcher}"], return_hydra_config=True).hydra.launcher
    assert get_object(chosen._target_)
    file = OmegaConf.load(ROOT / "conf/hydra/launcher" / f"{launcher}.yaml")
    assert set(file) == set(chosen), "a key of the plugin's is missing here, or the other way round"
