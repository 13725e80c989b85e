"""Folders of finished runs, as training and `evaluate.py` leave them, with made-up answers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motif.reporting.arms import Arm, arms_of
from motif.reporting.folders import read_runs
from motif.runs.folder import write_json, write_text

Answers = Sequence[bool | Sequence[bool]]  # one entry a question, or its samples

ROUNDS = 3
WINDOW = 44


def evaluation(file: Path, answers: Answers, policy: str, dataset: str, rounds: int, **changed: Any) -> None:
    """A result and the records beside it; `changed` replaces keys of the result."""
    samples = [list(item) if isinstance(item, Sequence) else [item] for item in answers]
    records = [
        {"id": f"{dataset}-{place}", "gold": "1", "samples": [{"correct": bool(right)} for right in item]}
        for place, item in enumerate(samples)
    ]
    write_text(file.with_suffix(".jsonl"), "".join(json.dumps(item) + "\n" for item in records))
    right = sum(sum(item) / len(item) for item in samples)
    result = {
        **{"policy": policy, "dataset": dataset, "rounds": rounds, "rows": f"{dataset}-{len(answers)}", "grader": "g1"},
        **{"budget": WINDOW * rounds, "n": len(answers), "samples": len(samples[0]), "accuracy": right / len(answers)},
        **{"tokens": 30.0 * rounds, "interval": [0.0, 1.0], "truncated": 0.0},
    }
    write_json(file.with_suffix(".json"), result | changed)


def arms(folders: Sequence[Path]) -> list[Arm]:
    """The arms among what lies in `folders`."""
    return arms_of(read_runs(folders)[0])


def run(
    folder: Path,
    algo: str = "motif",
    seed: int = 0,
    trained: Answers = (),
    base: Answers = (),
    dataset: str = "chain",
    rounds: int = ROUNDS,
    settings: Mapping[str, Any] | None = None,
    finished: bool = True,
    training_tokens: int = 1000,
    **changed: Any,
) -> Path:
    """A run's folder with evaluations of the `trained` and the `base` policy in `rounds` rounds; `settings` go into
    its configuration, `changed` into its results."""
    config: dict[str, Any] = {
        **{"rounds": ROUNDS, "seed": seed, "name": folder.name, "outputs": str(folder.parent)},
        **{"algo": {"name": algo, "k": 2}, "model": {"name": "tiny"}, "episode": {"name": "summary", "rounds": ROUNDS}},
        **{"evaluation": {"questions": None}, "tracking": {"name": "none"}},
    }
    for key, value in (settings or {}).items():
        *groups, last = key.split(".")
        place = config
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    write_text(folder / "config.yaml", json.dumps(config))
    write_json(folder / "run.json", {"format": 1, "id": folder.name})
    for policy, answers in (("trained", trained), ("base", base)):
        if answers:
            evaluation(folder / f"evaluation/{policy}-{dataset}-r{rounds}", answers, policy, dataset, rounds, **changed)
    if finished:
        drawn = {"tokens": WINDOW, "temperature": 0.0, "top_p": 1.0, "top_k": 0}
        summary = {
            **{"name": folder.name, "algo": algo, "seed": seed, "rounds": config["rounds"]},
            **{"sampling": {"training": [drawn, drawn], "evaluation": [drawn, drawn]}},
            **{"compute": {"training": {"generated_tokens": training_tokens}}},
        }
        write_json(folder / "summary.json", summary)
    return folder


def answers(right: int, n: int = 100, of: int = 1) -> list[Any]:
    """The first `right` of `n` questions answered right, with `of` samples each."""
    return [place < right if of == 1 else [place < right] * (of - 1) + [bool(place % 2)] for place in range(n)]


def pair(folder: Path, motif: Answers, grpo: Answers, **changed: Any) -> list[Arm]:
    """An arm of motif and one of grpo, of one run each; `changed` are for the first."""
    return arms([run(folder / "m", trained=motif, **changed), run(folder / "g", "grpo", trained=grpo)])


def seeds_of(folder: Path, algo: str, rights: Sequence[int], n: int = 100, **options: Any) -> list[Path]:
    """Runs of one algorithm, one seed for each number of right answers to `n` questions."""
    return [
        run(folder / f"{algo}{seed}", algo, seed, answers(right, n), **options) for seed, right in enumerate(rights)
    ]
