"""A trained policy on disk: weights, tokenizer, card and the choices that are needed to use it, whole or not at all."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from motif.policies.policy import Policy
from motif.policies.pretrained import CHOICES
from motif.system.files import make_whole, write_text


def save_policy(policy: Policy, folder: Path, choices: Mapping[str, Any], write_card: Callable[[Path], object]) -> None:
    """Put `policy` into `folder`, in the place of what lies there.

    Args:
        policy: in memory.
        folder: to be made.
        choices: of the run's configuration, which `open_policy` and `evaluate.py` take from beside the weights.
        write_card: writes the model card into the folder it is given.
    """

    def make(draft: Path) -> None:
        policy.model.save_pretrained(draft)
        policy.tokenizer.save_pretrained(draft)
        write_text(draft / CHOICES, yaml.safe_dump(dict(choices), sort_keys=False))
        write_card(draft)

    shutil.rmtree(folder, ignore_errors=True)
    make_whole(folder, make)
