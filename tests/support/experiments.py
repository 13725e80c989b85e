"""Experiments as they are typed after `python train.py`, and the line with which preflight stops one."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from motif.experiment import Experiment
from motif.policies.policy import Policy
from motif.system import config
from motif.system.errors import UserError
from motif.tasks.questions import Question
from tests.support import ROOT
from tests.support.toys import question

PRESETS = sorted(path.stem for path in (ROOT / "conf/experiment").glob("*.yaml"))
TOYS = [question(f"what is {n} and {n}?", str(2 * n)) for n in range(30)]


@cache
def _composed(words: tuple[str, ...]) -> dict[str, Any]:
    begun = GlobalHydra.instance().is_initialized()  # by the test, with the same folder
    with nullcontext() if begun else initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return config.resolved(compose("config", overrides=["name=x", *words]))


def composed(*words: str) -> dict[str, Any]:
    """The resolved configuration that these overrides make; Hydra composes it once a process."""
    return deepcopy(_composed(words))


def made(*words: str) -> Experiment:
    """The experiment that these overrides make."""
    experiment: Experiment = config.build(OmegaConf.create(composed(*words)))
    return experiment


def refused(
    experiment: Experiment,
    policy: Policy,
    questions: Sequence[Question] = TOYS,
    tests: Mapping[str, Sequence[Question]] | None = None,
    continues: bool = False,
) -> str:
    """The one line of the preflight that stops `experiment`."""
    with pytest.raises(UserError) as error:
        experiment.checks(questions, tests or {"toy": TOYS}).check(policy, continues)
    line = str(error.value)
    assert "\n" not in line and line.startswith("preflight: ") and line.endswith("preflight=false goes on regardless")
    return line
