"""Grading: `python -m benchmarks.grading` prints verdicts per second of our grader and of math-verify called bare.

Pairs are golds of MATH-500 (`--golds FILE`; made-up answers of the same kinds where the file is missing) against the
same answer written otherwise and against wrong ones, none twice. Then come the same pairs from memory, those without
plain integers, and integers alone. Both graders see the same pairs in turns. math-verify runs in this process, without
its timeouts.
"""

import argparse
import json
import logging
import os
import platform
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from motif.system import console
from motif.tasks.grading import Verdict, grader_id, is_correct
from motif.tasks.grading.grader import forget_verdicts
from motif.tasks.grading.judge import JUDGE

Pair = tuple[str, str]  # prediction, gold
Grader = Callable[[str, str], bool]


def math_verify(prediction: str, gold: str) -> bool:
    from math_verify import parse, verify

    read = [parse(text if "$" in text else f"${text}$", parsing_timeout=None) for text in (gold, prediction)]
    return bool(read[0] and read[1]) and verify(*read, timeout_seconds=None)


def golds(path: Path, chance: random.Random) -> list[str]:
    """The golds of `path`, or 500 made-up ones of about their kinds: 6 of 10 are integers."""
    if path.exists():
        return [json.loads(line)["answer"] for line in path.read_text().splitlines()]

    def made() -> str:
        a, b, c, d = (chance.randint(2, 99) for _ in range(4))
        forms = [f"\\frac{{{a}}}{{{b}}}", f"{a}\\sqrt{{{b}}}", f"({a},{-b})", f"{a}x^2+{b}x-{c}", f"[{a},{a + b})"]
        forms += [
            f"{a} - {b}i",
            f"{a}\\pi",
            f"{a},{b},{c}",
            f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}",
        ]
        return str(a * b) if chance.random() < 0.6 else chance.choice(forms)

    return [made() for _ in range(500)]


def otherwise(gold: str, chance: random.Random) -> str:
    """The same answer, written another way."""
    ways = [
        lambda text: text.replace("\\frac", "\\dfrac"),
        lambda text: f"${text}$",
        lambda text: re.sub(r"([+,])", r" \1 ", text),
        lambda text: text.replace("\\left", "").replace("\\right", "").replace(" ", ""),
        lambda text: f"x = {text}" if re.fullmatch(r"[-\d]+", text) else f" {text}.",
    ]
    return chance.choice(ways)(gold)


def wrong(gold: str, chance: random.Random) -> str:
    """Another answer: one digit changed, or 7 more."""
    places = [match.start() for match in re.finditer(r"\d", gold)]
    if not places:
        return gold + "+7"
    place = chance.choice(places)
    return gold[:place] + str((int(gold[place]) + chance.randint(1, 9)) % 10) + gold[place + 1 :]


def timed(grader: Grader, pairs: Sequence[Pair]) -> tuple[float, list[bool]]:
    started = time.perf_counter()
    verdicts = [grader(prediction, gold) for prediction, gold in pairs]
    return len(pairs) / (time.perf_counter() - started), verdicts


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.1f} ({min(values):,.1f} – {max(values):,.1f})"


def row(name: str, pairs: Sequence[Pair], turns: int) -> None:
    """One line: answers per second of both, their ratio, and how often they agree."""
    size = len(pairs) // turns
    ours, theirs, alike = [], [], 0
    for turn in range(turns):
        part = pairs[turn * size : (turn + 1) * size]
        fast, one = timed(is_correct, part)
        slow, other = timed(math_verify, part)
        ours.append(fast), theirs.append(slow)
        alike += sum(a == b for a, b in zip(one, other, strict=True))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    console.say(
        f"{name}: motif {spread(ours)}, math-verify {spread(theirs)} per second, ratio {spread(ratios)}, "
        f"{alike} of {size * turns} verdicts alike"
    )


def anew() -> None:
    """Forget every verdict, and all that the process for algebra has read: a new one, its libraries loaded."""
    forget_verdicts()
    JUDGE.end()
    is_correct("\\sqrt{8}+q", "q+2\\sqrt{2}")


def parts(pairs: Sequence[Pair]) -> None:
    """How many pairs need algebra, and what a verdict takes with and without."""
    ask, asked = JUDGE.ask, []

    def noted(prediction: str, gold: str) -> Verdict:
        asked.append(gold)
        return ask(prediction, gold)

    JUDGE.ask = noted  # type: ignore[method-assign]
    times: dict[bool, list[float]] = {True: [], False: []}
    for prediction, gold in pairs:
        before, started = len(asked), time.perf_counter()
        is_correct(prediction, gold)
        times[len(asked) > before].append((time.perf_counter() - started) * 1000)
    JUDGE.ask = ask  # type: ignore[method-assign]
    for algebra, taken in times.items():
        name = "with algebra" if algebra else "without"
        console.say(f"{len(taken)} {name}: {statistics.median(taken):.2f} ms ({min(taken):.2f} – {max(taken):.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(os.environ.get("MOTIF_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
    parser.add_argument("--golds", type=Path, default=beside / "math500_test.jsonl")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    chance = random.Random(0)
    source = golds(arguments.golds, chance)
    pairs = [(otherwise(gold, chance), gold) for gold in source] + [(wrong(gold, chance), gold) for gold in source]
    distinct = list(dict.fromkeys(pairs))
    chance.shuffle(distinct)
    integers = [(str(a), str(a if even else a + 3)) for a in chance.sample(range(10**6), 1000) for even in (0, 1)]
    for grader in (is_correct, math_verify):  # libraries are loaded before the clock starts
        grader("\\sqrt{8}+q", "q+2\\sqrt{2}")
    console.say(
        f"{platform.machine()}, {os.cpu_count()} cores, CPython {sys.version.split()[0]}, {grader_id()}, "
        f"{len(distinct)} distinct pairs of {'MATH-500' if arguments.golds.exists() else 'made-up answers'}"
    )
    row("a typical mix", distinct, arguments.turns)
    row("the same once more", distinct, arguments.turns)
    anew()
    algebra = [(otherwise(p, chance) + " ", g) for p, g in distinct if not re.fullmatch(r"-?\d+", g)]
    row("without plain integers", list(dict.fromkeys(algebra)), arguments.turns)
    row("plain integers", integers, arguments.turns)
    anew()
    parts(distinct)


if __name__ == "__main__":
    main()
