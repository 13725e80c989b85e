"""What the shipped warm starts know: `python -m benchmarks.warm_starts`, on validation questions of the chain.

Greedy, in one window of 132 tokens: accuracy, the share of steps whose arithmetic is wrong, and of steps that were
looked up wrongly. Sampled at temperature 1 in groups of eight, as `algo=grpo` has them: the share of groups that are
all right or all wrong.
"""

import argparse
import re
from functools import partial

from motif.generation.engines import Transformers
from motif.policies.tiny import SHIPPED_SEEDS, Tiny
from motif.rounds.episode import Episode, Tree, grade, grow
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling, draw_key
from motif.system import console
from motif.tasks.chain import OPERATIONS, Chain, start_and_steps

WINDOW, GROUP = 132, 8
STEP = re.compile(r"([a-zA-Z])(\d)([-+*])(\d)=(\d);")


def mistakes(tree: Tree) -> tuple[int, int, int]:
    """Steps that the first reply wrote, with wrong arithmetic, and with another sign or number than the question's."""
    asked = {label: (sign, number) for label, sign, number in start_and_steps(tree.question.text)[1]}
    steps = STEP.findall(tree.roots[0].reply.text)
    wrong = sum(
        OPERATIONS[sign](int(value), int(number)) % 10 != int(result) for _, value, sign, number, result in steps
    )
    missed = sum(asked.get(label) != (sign, int(number)) for label, _, sign, number, _ in steps)
    return len(steps), wrong, missed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm_starts", description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=256)
    given = parser.parse_args()
    questions = Chain().validation()[: given.questions]
    episode = Episode(1, WINDOW, prompts=Prompts(wording="countdown"))
    for seed in SHIPPED_SEEDS:
        policy = Tiny(seed=seed).load()
        grown = partial(grow, questions, episode, generate=Transformers().generator(policy), tokenizer=policy.tokenizer)
        greedy = grown(branching=[1], sampling=lambda _: Sampling(WINDOW, temperature=0.0))
        drawn = grown(branching=[GROUP], sampling=lambda _: Sampling(WINDOW), draw=partial(draw_key, 0))
        grade(greedy)
        grade(drawn)
        steps, wrong, missed = map(sum, zip(*map(mistakes, greedy), strict=True))
        alike = sum(len({root.correct for root in tree.roots}) == 1 for tree in drawn) / len(drawn)
        right = sum(bool(tree.roots[0].correct) for tree in greedy) / len(greedy)
        console.say(
            f"model.seed={seed}: {right:.1%} right, {wrong / steps:.1%} of {steps:,} steps wrong, {missed / steps:.2%} "
            f"looked up wrongly; {alike:.0%} of groups without spread (n = {len(questions)})"
        )


if __name__ == "__main__":
    main()
