"""Train and evaluate: `python train.py rounds=3 algo=motif`. `python train.py --help` says what can be chosen."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from motif import entry, launching, screen
from motif.checks import UserError
from motif.masking import masked
from motif.progress import objective, result_line
from motif.runs import Run
from motif.study import Job, study_of


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> float | None:
    screen.quiet(entry.verbose())
    sys.argv = masked(sys.argv)  # which W&B and others note down
    job = entry.job()
    return entry.guarded(lambda: experiment(config, job), job, config=config)


def experiment(config: DictConfig, job: Job | None) -> float | None:
    """Run what `config` describes. The accuracy on validation questions, where these are what it is measured on."""
    if config.name is None:
        config.name = entry.run_name(config, HydraConfig.get().runtime.choices, masked(entry.overrides()))
    if "group" in config.tracking and config.tracking.group is None:
        config.tracking.group = entry.study() or study_of(Path(str(config.outputs), str(config.name)))
    experiment, plain = entry.build(config), masked(entry.resolved(config))  # what is recorded holds no secret
    if entry.optimised() and experiment.evaluation.split != "validation":
        raise UserError("an optimiser must not see test questions: evaluation.split=validation")
    if job is None:
        return objective(experiment.run(plain))
    where = {"name": experiment.name, "folder": str(experiment.folder.absolute())}
    if not experiment.overwrite and (found := Run.open(experiment.folder, plain).summary()):
        screen.say(f"{experiment.name} is finished already: {result_line(found)}", style="yellow")
        job.note("skipped", **where, result=result_line(found))
        return objective(found)
    job.note("begun", **where)
    sys.argv = masked(["train.py", "-m", *job.overrides])  # in a process of a launcher it is something else
    found = experiment.run(plain)
    job.note("done", result=result_line(found))
    return objective(found)


if __name__ == "__main__":
    sys.argv = entry.arguments(sys.argv)
    launching.start(main)
