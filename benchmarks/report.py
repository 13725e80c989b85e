"""The report: `python -m benchmarks.report` makes 200 runs of 500 questions with their episodes and reports on them.

Half of the questions are evaluated ones, half are trees of training with four episodes each; replies have 120 words.
Prints the seconds that the report took, the size of its page and of the episodes beside it, and, where there is a
Chromium, the milliseconds until the page has loaded and until its first episodes are listed.
"""

import argparse
import gzip
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from motif.evaluation.results import result_of
from motif.runs.folder import write_json, write_text

ALGOS, STEPS, ROUNDS = ("grpo", "motif"), 500, 3
WORDS = "so the value after step is 12 plus 7 minus \\frac{3}{4} therefore we carry it and get x^2 then"


def text(draw: random.Random) -> str:
    """A reply of about 120 words."""
    return (
        "<reasoning>"
        + " ".join(draw.choices(WORDS.split(), k=120))
        + f"</reasoning><answer>{draw.randint(0, 99)}</answer>"
    )


def sample(draw: random.Random, rounds: int, odds: float) -> dict[str, Any]:
    by_round = [draw.random() < odds * (t + 1) / rounds for t in range(rounds)]
    return {
        **{"prediction": str(draw.randint(0, 99)), "correct": by_round[-1], "strict": by_round[-1]},
        **{"truncated": draw.random() < 0.1, "unparsable": False, "copied": draw.random() < 0.1},
        **{"tokens_by_round": [draw.randint(50, 200) for _ in by_round], "correct_by_round": by_round},
        **{"replies": [text(draw) for _ in by_round], "carried": [text(draw)[:200] for _ in by_round[1:]]},
    }


def node(draw: random.Random, round: int, rounds: int) -> dict[str, Any]:
    right = draw.random() < 0.5
    return {
        **{"round": round, "text": text(draw), "tokens": 160, "prompt_tokens": 50, "finished": True, "events": []},
        **{"carried": None if round == rounds else "12", "prediction": "12", "correct": right},
        **({"values": {"accuracy": 0.5}, "reward": 0.5, "advantage": 0.1} if round == 1 else {}),
        "children": [node(draw, round + 1, rounds) for _ in range(2 if round == 1 else 1) if round < rounds],
    }


def make_run(folder: Path, algo: str, k: int, seed: int, episodes: int) -> None:
    """A finished run's folder of made-up numbers: a quarter of its questions in one round, a quarter in three."""
    draw = random.Random(f"{algo}{k}{seed}")
    config = {
        **{
            "rounds": ROUNDS,
            "seed": seed,
            "name": folder.name,
            "model": {"name": "made-up"},
            "dataset": {"name": "sums"},
        },
        "algo": {"name": algo, "k": k, "steps": STEPS},
    }
    results = []
    for rounds in (1, ROUNDS):
        lines = [
            {"id": f"q{place}", "question": f"What is {place} + {k}?", "gold": "12", "facts": {}, "seed": seed}
            | {"samples": [sample(draw, rounds, 0.3 + 0.02 * k + 0.1 * (algo == "motif"))]}
            for place in range(episodes // 4)
        ]
        found = {
            "policy": "trained",
            "dataset": "sums",
            "rounds": rounds,
            "rows": "0",
            "grader": "0",
            "budget": 200 * rounds,
        }
        found |= result_of(lines)
        stem = folder / "evaluation" / f"trained-sums-r{rounds}"
        write_text(stem.with_suffix(".jsonl"), "".join(json.dumps(line) + "\n" for line in lines))
        write_json(stem.with_suffix(".json"), found)
        results.append(found)
    metrics = [
        {
            **{"step": step, "train/reward": draw.random(), "episode/accuracy": draw.random(), "episode/copied": 0.1},
            **{"groups/zero_advantage": 0.5, "rounds/1/tokens": 150.0, "total/generated_tokens": 900 * step},
            **{"seconds/rollout": 1.0, "seconds/update": 0.5},
        }
        for step in range(1, STEPS + 1)
    ]
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in metrics))
    with gzip.open(folder / "episodes.jsonl.gz", "wt") as file:
        for place in range(episodes // 2):
            tree = {
                "step": place // 2 + 1,
                "id": f"t{place}",
                "question": f"What is {place}?",
                "gold": "12",
                "facts": {},
            }
            file.write(json.dumps(tree | {"replies": [node(draw, 1, ROUNDS) for _ in range(2)]}) + "\n")
    write_text(folder / "config.yaml", yaml.safe_dump(config))
    write_json(folder / "run.json", {"format": 1, "id": folder.name, "identity": folder.name})
    spent = {"training": {"generated_tokens": 900 * STEPS}}
    summary = {
        "algo": algo,
        "model": "made-up",
        "dataset": "sums",
        "rounds": ROUNDS,
        "seed": seed,
        "evaluation": results,
    }
    write_json(folder / "summary.json", summary | {"compute": spent, "seconds": {"rollout": 500.0, "update": 250.0}})


def opened(page: Path) -> str:
    """What a headless Chromium takes for the page."""
    from tests.support.browser import Browser, chromium

    if chromium() is None:
        return "not measured, for want of a chromium"
    with Browser() as browser:
        loaded = browser.open(page)
        started = time.perf_counter()
        listed = 'await until(() => page.querySelectorAll("#list button").length > 0);'
        browser.run(f'$("episodes").scrollIntoView(); {listed}')
        return f"in {loaded:.2f} s; its first episodes are listed {time.perf_counter() - started:.2f} s after"


def size(folder: Path, pattern: str) -> float:
    return sum(file.stat().st_size for file in folder.glob(pattern)) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5, help="runs of an arm (5)")
    parser.add_argument("--keep", type=Path, help="make the runs here and leave them, and the report, behind")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home, folders = given.keep or made, []
        for place in range(given.runs):
            arm, seed = divmod(place, given.seeds)
            algo, k = ALGOS[arm % 2], arm // 2
            folders.append(Path(home) / "outputs" / f"{algo}-k{k}-s{seed}")
            make_run(folders[-1], algo, k, seed, given.episodes)
        os.sync()  # what was made is on disk before the report begins
        started = time.perf_counter()
        call = [sys.executable, "-m", "motif.report", *map(str, folders)]
        done = subprocess.run(call, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(done.stderr)
        report = Path(home) / "outputs" / "report"
        arms = -(-given.runs // given.seeds)
        of_what = f"{given.runs} runs in {arms} arms, of {given.episodes} questions"
        print(f"{of_what}, {platform.machine()}, load {os.getloadavg()[0]:.1f}")
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"report  {seconds:.1f} s, of which {used.ru_utime + used.ru_stime:.1f} s computing")
        print(f"page    {size(report, 'index.html'):.1f} MB, {size(report, 'episodes/*'):.0f} MB of episodes beside it")
        print(f"opened  {opened(report / 'index.html')}")


if __name__ == "__main__":
    main()
