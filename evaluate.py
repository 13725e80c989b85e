"""Evaluate a policy: `python evaluate.py policy=outputs/<run> dataset=math500 rounds=3`.

Several data sets and numbers of rounds load the policy once: `-m dataset=math500,aime24 rounds=1,2,3,6`.
"""

import sys

import hydra
from omegaconf import DictConfig

from motif import entry, launching, screen
from motif.checks import UserError


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    screen.quiet(entry.verbose())
    on = "the same command goes on after the questions that are done"
    entry.guarded(lambda: evaluation(config), on=on, config=config)


def evaluation(config: DictConfig) -> None:
    known = entry.take_from_run(config, ("episode", "dataset", "rounds", "flaws"))
    if not known and "dataset" not in entry.typed():
        raise UserError("dataset has no value: choose one, as in dataset=math500")
    entry.build(config).run(entry.resolved(config))


if __name__ == "__main__":
    sys.argv = entry.arguments(sys.argv)
    launching.start(main)
