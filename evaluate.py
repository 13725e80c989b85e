"""Evaluate a policy: `python evaluate.py policy=outputs/<run> dataset=math500 rounds=3`.

Several data sets and numbers of rounds load the policy once: `-m dataset=math500,aime24 rounds=1,2,3,6`.
"""

import sys

import hydra
from omegaconf import DictConfig

from motif import entry, launching, screen


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    screen.quiet(entry.verbose())
    on = "the same command goes on after the questions that are done"
    entry.guarded(lambda: evaluation(config), on=on, config=config)


def evaluation(config: DictConfig) -> None:
    entry.for_policy(config).run(entry.resolved(config))


if __name__ == "__main__":
    sys.argv = entry.arguments(sys.argv)
    launching.start(main)
