"""What jobs will take is said before they run, and is what they take then. Tokens and FLOPs are held to it."""

import json
import os
import shutil
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from motif import api, forecast
from motif.forecast import costly
from motif.planning import Names
from motif.runs.identity import identity
from motif.system import UserError, read_json
from motif.system.config import build
from tests.support import FEW
from tests.support.experiments import composed

SMALL = [
    *("experiment=smoke", "tracking=none", "rounds=2", "algo.m=4", "algo.steps=8", "evaluation.questions=16", *FEW)
]


def job(outputs, *words, name="a", **more):
    return {**composed(*SMALL, *words), "name": name, "outputs": str(outputs), **more}


def row(*configs):
    (found,) = forecast.forecast(configs)
    return found


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A forecast of one job, from a calibration that it had to make."""
    outputs = tmp_path_factory.mktemp("forecast") / "outputs"
    found = row(job(outputs))
    files = {path.relative_to(outputs).parts[0] for path in outputs.rglob("*")}
    return SimpleNamespace(outputs=outputs, row=found, files=files)


@pytest.fixture
def kept(planned, tmp_path, monkeypatch):
    """A folder of outputs in which that calibration lies; none can be made."""
    shutil.copytree(planned.outputs / ".plan", tmp_path / ".plan")
    monkeypatch.setattr(forecast, "ProcessPoolExecutor", None)
    return tmp_path


@pytest.fixture(scope="module")
def finished(planned):
    """That job, done."""
    config = job(planned.outputs.parent / "done")
    build(OmegaConf.create(config)).run(config)
    return planned.outputs.parent / "done"


def evaluations(outputs):
    (file,) = (outputs / ".plan").glob("*.json")
    return read_json(file)["evaluation"]


def test_a_forecast_leaves_its_calibration_and_nothing_else(planned):
    assert planned.files == {".plan"} and [file.suffix for file in (planned.outputs / ".plan").iterdir()] == [".json"]


def test_what_a_run_spends_is_what_was_forecast(planned, finished):
    spent = read_json(finished / "a/summary.json")["compute"]
    for forecast_, count in (("tokens", "generated_tokens"), ("flops", "flops")):
        real = spent["training"][count] + spent["evaluation"][count]
        assert planned.row.cost[forecast_] == pytest.approx(real, rel=0.15)
    assert planned.row.memory == pytest.approx(spent["training"]["peak_memory"], rel=0.5)  # this process did more
    assert planned.row.cost["seconds"] > 0


def test_jobs_of_other_seeds_rates_and_steps_need_no_other_calibration(planned, kept):
    one = planned.row
    alike = row(
        *(job(kept, f"seed={seed}", f"model.learning_rate={seed + 1}e-4", name=f"a-s{seed}") for seed in range(3))
    )
    assert (alike.jobs, alike.name) == (3, "a")
    assert alike.cost == pytest.approx({name: 3 * value for name, value in one.cost.items()})
    longer = row(job(kept, "algo.steps=16")).cost["tokens"]
    measured = sum(each["tokens"] for each in evaluations(kept).values())
    assert longer - measured == pytest.approx(2 * (one.cost["tokens"] - measured))


def test_a_budget_decides_how_much_is_spent(kept):
    measured = sum(each["tokens"] for each in evaluations(kept).values())
    assert row(job(kept, "budget.tokens=2000")).cost["tokens"] == pytest.approx(2000 + measured)
    assert row(job(kept, "budget.tokens=1000000000")).cost == row(job(kept)).cost


def test_what_is_done_is_not_counted(planned, finished, kept):
    shutil.copytree(finished / "a", kept / "a-s0")
    shutil.copytree(finished / "a", kept / "a-s1")
    (kept / "a-s1/summary.json").unlink()
    done, stopped = job(kept, name="a-s0"), job(kept, name="a-s1")
    assert row(done) == forecast.Row("a", 1, 1, {"tokens": 0, "seconds": 0, "flops": 0})
    assert row(job(kept, name="a-s0", overwrite=True)).cost == planned.row.cost
    assert row(done, stopped, job(kept, name="a-s2")).done == 1
    assert row(stopped).cost["tokens"] == 0
    (kept / "a-s1/evaluation/trained-chain-r2.json").unlink()
    left = evaluations(kept)["trained-chain-r2.json"]["tokens"]
    assert row(stopped).cost["tokens"] == left > 0
    lines = (kept / "a-s1/metrics.jsonl").read_text().splitlines(keepends=True)
    (kept / "a-s1/metrics.jsonl").write_text("".join(lines[:2]))
    training = planned.row.cost["tokens"] - sum(each["tokens"] for each in evaluations(kept).values())
    assert row(stopped).cost["tokens"] == pytest.approx(left + 0.75 * training)


def test_in_all_is_the_sum_of_the_rows(kept, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "seed=0", "plan=true"])
    forecast.show([job(kept), job(kept, "seed=1"), job(kept, "algo.steps=16")])
    said = capsys.readouterr().out.splitlines()
    assert max(map(len, said[:8])) <= 80 and said[-1].startswith("next    ") and "seed=0" in said[-1]
    assert "plan" not in said[-1].split("next")[1]
    table = [line.split() for line in said if line.rstrip().endswith(("e+09", "e+10", "e+11", "e+12"))]
    jobs, tokens = ([int(cells[-place].replace(",", "")) for cells in table] for place in (8, 6))
    assert jobs == [2, 1, 3] and abs(tokens[0] + tokens[1] - tokens[2]) <= 1


@pytest.mark.parametrize(
    "words", [["-m", "seed=0,1"], ["sweeps=rewards", "algo=motif", "reward=accuracy_format", "seed=0,1"]], ids=" ".join
)
def test_a_sweep_is_forecast_whole_and_none_of_it_begun(kept, forks, words):
    status, said = forks.train(kept, *words, *SMALL, "plan=true", "outputs=.").wait()
    assert status == 0 and said.count("motif-chain-tiny-r2") == 1 and "next " in said.splitlines()[-1], said
    assert " 2 " in said and [path.name for path in kept.iterdir() if "said" not in path.name] == [".plan"]


def test_where_an_optimiser_chooses_the_jobs_there_is_nothing_to_forecast(forks, tmp_path):
    pytest.importorskip("optuna")
    status, said = forks.train(tmp_path, "sweeps=optuna", "plan=true").wait()
    assert status == 1 and "error: an optimiser chooses its jobs as it goes" in said.splitlines()[-1]


@pytest.mark.parametrize(("words", "same"), [(["seed=1"], True), (["algo.k=3"], False), (["rounds=3"], False)])
def test_only_what_changes_the_cost_makes_another_kind(tmp_path, words, same):
    assert (costly(job(tmp_path)) == costly(job(tmp_path, *words, name="b"))) == same


def test_a_plan_is_no_part_of_what_a_run_is(kept):
    config = job(kept)
    assert identity(config) == identity({**config, "plan": True})
    with api.hydra_at_conf():
        assert Names().of(["plan=true", "seed=3"]) == Names().of(["seed=3"])


def test_what_cannot_be_planned_is_said_in_a_line(kept, monkeypatch):
    with pytest.raises(UserError, match="plan=true is of the command line"):
        api.train(plan=True)
    with pytest.raises(UserError, match=r"budget.match=.* is not a run"):
        row(job(kept, "budget.match=nowhere"))
    (kept / "b").mkdir()
    (kept / "b/metrics.jsonl").write_text(json.dumps({"step": 1}) + "\n")
    with pytest.raises(UserError, match="b exists and is not a run"):
        row(job(kept, name="b"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="plan without torchrun"):
        row(job(kept))


def killed(config):
    os._exit(9)


def test_a_calibration_that_is_killed_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "calibrate", killed)
    with pytest.raises(UserError, match="the calibration's process was killed"):
        row(job(tmp_path))
    assert not list((tmp_path / ".plan").iterdir())
