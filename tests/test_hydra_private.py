"""What is touched of Hydra beyond its promises is there in the version that is pinned, and does what is said."""

import pytest
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper

from motif import hydra_private


class Mistake(Exception):
    pass


def test_a_grid_is_all_combinations_each_as_hydras_sweeper_spells_them():
    assert hydra_private.jobs(["seed=0,1", "algo=motif", "algo.k=range(2,4)"]) == [
        ["seed=0", "algo=motif", "algo.k=2"],
        ["seed=0", "algo=motif", "algo.k=3"],
        ["seed=1", "algo=motif", "algo.k=2"],
        ["seed=1", "algo=motif", "algo.k=3"],
    ]
    assert hydra_private.jobs(["model.learning_rate=1e-3,True"]) == [
        ["model.learning_rate=0.001"],
        ["model.learning_rate=True"],
    ]
    assert hydra_private.jobs(["seed=range(0,0)"]) == []


def test_hydras_own_options_are_known():
    read = hydra_private.options().parse_args(["-m", "--cfg", "job", "seed=0"])
    assert read.multirun and read.cfg == "job" and read.overrides == ["seed=0"]


@pytest.mark.parametrize(("error", "quiet"), [(Mistake("said"), True), (ValueError("new"), False)])
def test_a_job_that_has_said_its_mistake_is_raised_again_without_hydras_line(error, quiet):
    job = JobReturn()
    job.status, job.return_value = JobStatus.FAILED, error
    hydra_private.keep_quiet(job, Mistake)
    assert isinstance(job, hydra_private.Said) == quiet
    with pytest.raises(type(error)) as raised:
        _ = job.return_value
    assert raised.value is error


def test_of_a_sweep_only_the_jobs_that_are_asked_for_are_composed_first(monkeypatch):
    composed = []
    monkeypatch.setattr(Sweeper, "validate_batch_is_legal", Sweeper.validate_batch_is_legal)  # put back afterwards
    monkeypatch.setattr(hydra_private, "COMPOSE_ALL", lambda sweeper, batch: composed.extend(map(tuple, batch)))
    hydra_private.compose_only([["seed=1"]])
    sweeper = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"  # which Hydra has imported anew
    Plugins.instance().class_name_to_class[sweeper].validate_batch_is_legal(None, [["seed=0"], ("seed=1",), ["seed=2"]])
    assert composed == [("seed=1",)]
