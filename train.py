"""Train and evaluate: `python train.py rounds=3 algo=motif`. `python train.py --help` says what can be chosen."""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from motif import entry, screen
from motif.runs import derived_name


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    screen.quiet(entry.verbose())
    entry.guarded(lambda: experiment(config))


def experiment(config: DictConfig) -> None:
    if config.name is None:
        chosen = HydraConfig.get().runtime.choices
        fields = {group: chosen[group] for group in ("algo", "dataset", "model")}
        config.name = derived_name({**fields, "rounds": config.rounds, "seed": config.seed}, entry.overrides())
    if "group" in config.tracking and config.tracking.group is None:
        config.tracking.group = entry.study()
    entry.build(config).run(entry.resolved(config))


if __name__ == "__main__":
    sys.argv = entry.arguments(sys.argv)
    main()
