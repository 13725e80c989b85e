"""Run folders as training leaves them, with metrics, episodes and records that hold replies."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from motif.evaluation.results import result_of
from motif.runs.folder import write_json, write_text

HOSTILE = (
    '</script><img src=x onerror="owned=1"><script>owned=1</script>\u2028\'"`${owned=1}\\ &lt;b&gt; __proto__ \ud800'
    "\u202egnp.exe\u202c \u2066\u061c\u200b\x1b[31m\x00"
)


def sample(text: str = "so", rounds: int = 1, correct: bool = True, **changes: Any) -> dict[str, Any]:
    """One evaluated episode, whose last round alone may be right."""
    made = {
        "prediction": "2",
        "correct": correct,
        "strict": correct,
        "truncated": False,
        "unparsable": False,
        "copied": False,
        "tokens_by_round": [5] * rounds,
        "correct_by_round": [False] * (rounds - 1) + [correct],
        "replies": [text] * rounds,
        "carried": ["note"] * (rounds - 1),
    }
    return made | changes


def records(*samples: dict[str, Any]) -> list[dict[str, Any]]:
    """One question each."""
    facts = {"gold": "2", "facts": {"level": 1}, "seed": 0}
    return [
        {"id": f"q{place}", "question": f"question {place}", **facts, "samples": [item]}
        for place, item in enumerate(samples)
    ]


def evaluated(
    folder: Path, stem: str, policy: str, found: Sequence[dict[str, Any]], dataset: str = "sums"
) -> dict[str, Any]:
    """Records and their result in `folder`/evaluation."""
    rounds = len(found[0]["samples"][0]["replies"])
    write_text(folder / "evaluation" / f"{stem}.jsonl", "".join(json.dumps(item) + "\n" for item in found))
    named = {"policy": policy, "dataset": dataset, "rounds": rounds, "rows": "f", "grader": "g", "budget": 8 * rounds}
    result = named | result_of(found)
    write_json(folder / "evaluation" / f"{stem}.json", result)
    return result


def leaf(round: int = 1, text: str = "so", children: Sequence[dict[str, Any]] = (), **changes: Any) -> dict[str, Any]:
    """A reply of a recorded tree."""
    made = {"round": round, "text": text, "tokens": 5, "prompt_tokens": 3, "finished": True, "carried": None}
    return made | {"events": [], "prediction": None, "correct": False, "children": list(children)} | changes


def make_run(
    folder: Path,
    algo: str = "motif",
    seed: int = 0,
    steps: int = 3,
    finished: bool = True,
    right: Sequence[bool] = (True, True, False, False),
    text: str = "so",
    **config: Any,
) -> Path:
    """A run's folder: a base policy that is never right, and a trained one that is `right`, in one and three rounds."""
    results = [
        evaluated(folder, "base-sums-r1", "base", records(*(sample(text, 1, False) for _ in right))),
        evaluated(folder, "trained-sums-r1", "trained", records(*(sample(text, 1, value) for value in right))),
        evaluated(folder, "trained-sums-r3", "trained", records(*(sample(text, 3, value) for value in right))),
    ]
    keys = {"train/reward": 0.5, "episode/accuracy": 0.25, "groups/zero_advantage": 0.0, "episode/copied": 0.0}
    lines = [
        {"step": step, "total/generated_tokens": 100 * step, "rounds/1/tokens": 9.0, "seconds/update": 2.0, **keys}
        for step in range(1, steps + 1)
    ]
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 99, "torn')
    tree = {"step": 1, "id": "t0", "question": f"trained on {text}", "gold": "2", "facts": {}}
    last = leaf(2, text, prediction="2", correct=True)
    roots = [leaf(text=text, carried="half", reward=1.0, advantage=0.7, children=[last])]
    with gzip.open(folder / "episodes.jsonl.gz", "wt") as file:
        file.write(json.dumps(tree | {"replies": roots}) + "\n")
    settings: dict[str, Any] = {"rounds": 3, "seed": seed, "algo": {"name": algo, "steps": 3}, "model": {"name": "toy"}}
    settings |= {"dataset": {"name": "sums"}, **config}
    write_text(folder / "config.yaml", yaml.safe_dump(settings))
    write_json(folder / "run.json", {"format": 1, "id": folder.name, "identity": folder.name})
    if finished:
        names = {"algo": algo, "model": settings["model"]["name"], "dataset": "sums", "rounds": 3, "seed": seed}
        compute = {"training": {"generated_tokens": 100 * steps}}
        summary = names | {"evaluation": results, "compute": compute, "seconds": {"update": 6.0}}
        write_json(folder / "summary.json", summary)
    return folder
