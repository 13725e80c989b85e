"""Watch a policy think in rounds about one question: `python solve.py policy=outputs/<run> "What is 7 times 8?"`."""

import sys
from dataclasses import replace

import hydra
from omegaconf import DictConfig

from motif import entry, launching, screen

asked: str | None = None  # the question as typed; it does not pass through Hydra's grammar


@hydra.main(version_base="1.3", config_path="conf", config_name="solve")
def main(config: DictConfig) -> None:
    screen.quiet(entry.verbose())
    entry.guarded(lambda: solution(config), on="nothing is kept of it", config=config)


def solution(config: DictConfig) -> None:
    entry.take_from_run(config, ("episode", "rounds"))
    if asked is None:
        entry.build(config).run()
    else:
        config.question = "as typed"
        replace(entry.build(config), question=asked).run()


if __name__ == "__main__":
    sys.argv, asked = entry.split_question(sys.argv, "solve")
    launching.start(main)
