"""Table of finished runs: `python -m motif.report outputs/*` prints it as Markdown. Reads folders, needs no torch."""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HEADER = (
    "algo",
    "rounds",
    "seed",
    "policy",
    "data set",
    "decoded in",
    "accuracy",
    "95 % interval",
    "n",
    "truncated",
    "tokens",
)


def rows(summaries: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row a run, policy and number of rounds it was decoded in; base policies of equal result are listed once."""
    found: list[tuple[str, ...]] = []
    for summary in sorted(summaries, key=lambda item: (item["algo"], item["rounds"], item["seed"])):
        for entry in summary["evaluation"]:
            who = (summary["algo"], str(summary["rounds"]), str(summary["seed"]))
            if entry["policy"] == "base":
                who = ("none", "–", "–")
            low, high = entry["interval"]
            row = (
                *who,
                entry["policy"],
                entry["dataset"],
                f"{entry['rounds']} round" + "s" * (entry["rounds"] > 1),
                f"{entry['accuracy']:.1%}",
                f"{low:.1%} – {high:.1%}",
                str(entry["n"]),
                f"{entry['truncated']:.1%}",
                f"{entry['tokens']:.0f}",
            )
            if row not in found:
                found.append(row)
    return sorted(found, key=lambda row: row[3] != "base")


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders; unfinished ones are counted and left out")
    arguments = parser.parse_args()
    files = [folder / "summary.json" for folder in arguments.runs if folder.name != "evaluations"]
    summaries = [json.loads(file.read_text()) for file in files if file.is_file()]
    if not summaries:
        parser.error(f"no finished run (summary.json) in {', '.join(map(str, arguments.runs))[:200]}")
    print(markdown(HEADER, rows(summaries)))
    if left := len(files) - len(summaries):
        print(f"\n{left} of {len(files)} folders hold no finished run.")


if __name__ == "__main__":
    main()
