"""Preflight: can this run go well? Asked before its first step of reward, grader, prompts, windows, memory and disk.

A check that fails stops the run with one line that says what, where and how to go on; where it fails because of a flaw
that was switched on by name, the line is a warning. It draws no random number, trains nothing and writes nothing.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif.policies.policy import Policy
from motif.rounds.episode import Episode
from motif.runs.checkpoints import Checkpoints
from motif.system import UserError, console
from motif.tasks.questions import Question
from motif.training.algorithms import Algorithm
from motif.training.preflight import dropout
from motif.training.preflight.reply_forms import Check, Marks, Paid, golds_check, pay
from motif.training.preflight.room import disk, memory
from motif.training.preflight.rules import rule_checks
from motif.training.preflight.windows import Plan, windows
from motif.training.published import Flaws
from motif.training.rewards import Reward

TOKEN_BYTES = 4.0  # of text, as English has; what is packed takes a third
SAID = "preflight=false goes on regardless"

Tests = Mapping[str, Sequence[Question]]


@dataclass(frozen=True)
class Preflight:
    """Asks what a run is going to do whether it can go well.

    Args:
        dataset: the name of what is trained on.
        questions: that are trained on.
        tests: questions that are measured on, by the name of their data set.
        plans: the replies that the run will ask for, the training first.
        algorithm: that is trained with.
        reward: whose terms are tried on replies of known form.
        flaws: of the published code that are on.
        engine: the choice of `generation`.
        checkpoints: how many are kept.
        recorded: questions a step whose episodes are kept; None for all.
        measured: tokens that all evaluations may generate together.
        budgeted: whether `evaluation.budget` makes the windows of evaluations.
        folder: of the run.
    """

    dataset: str
    questions: Sequence[Question]
    tests: Tests
    plans: Sequence[Plan]
    algorithm: Algorithm
    reward: Reward
    flaws: Flaws
    engine: Any
    checkpoints: Checkpoints
    recorded: int | None
    measured: int
    budgeted: bool
    folder: Path

    @property
    def training(self) -> Episode:
        """The episode as it is trained."""
        return self.plans[0].episode

    def check(self, policy: Policy, continues: bool = False) -> dict[str, Any]:
        """What was checked and found, as JSON can hold it.

        Args:
            policy: that will be trained.
            continues: whether the run has passed before. Then only memory and disk, which may have changed since, are
                looked at again.

        Raises:
            UserError: where a check failed.
        """
        started = time.monotonic()
        numbers: dict[str, Any] = {}
        paid: Sequence[Paid] = []
        fits, numbers["memory"] = memory(policy, self.algorithm, self.flaws, self.engine)
        room, numbers["disk"] = disk(policy, self.algorithm, self.folder, self.checkpoints.keep, self.records())
        checks = [fits, room]
        excused: list[Check] = []
        if not continues:
            of_rewards, excused, paid = self.rewards(policy.tokenizer)
            of_windows, numbers["tokens"] = windows(self.plans, policy, self.engine, self.budgeted)
            checks = [*of_rewards, self.can_spread(), drawn_as_trained(policy), *of_windows, *checks]
        remarks = [each for each in checks if each.wrong and not each.severe]
        for each in excused:
            console.say(f"preflight: {each.wrong}; flaws that are on: {', '.join(self.flaws.on())}", style="yellow")
        for each in remarks:
            console.say(f"preflight: {each.wrong}; {each.remedy}", style="yellow")
        if failed := [each for each in checks if each.wrong and each.severe]:
            more = f" ({len(failed) - 1} more: {', '.join(each.name for each in failed[1:])})" if failed[1:] else ""
            raise UserError(" ".join(f"preflight: {failed[0].wrong}: {failed[0].remedy}{more}; {SAID}".split()))
        passed, seconds = [each.name for each in checks if not each.wrong], time.monotonic() - started
        console.say(f"preflight: {len(passed)} checks passed in {seconds:.1f} s; {policy.thinking}", style="dim")
        return {
            "passed": passed,
            "warnings": {each.name: each.wrong for each in (*excused, *remarks)},
            "thinking": policy.thinking,
            "weights": policy.weights,
            "numbers": numbers,
            "probes": [
                {"probe": each.probe.name, "total": each.total, "terms": each.terms}
                | {"reply before the last round": each.probe.before, "reply of the last round": each.probe.last}
                for each in paid
            ],
            "seconds": round(seconds, 2),
        }

    def rewards(self, tokenizer: Any) -> tuple[list[Check], list[Check], Sequence[Paid]]:
        """The checks of grader and reward; those that fail through the flaws alone; the probes."""
        flaws, episode = self.flaws, self.training

        def found(reward: Reward, marks: Marks) -> tuple[list[Check], Sequence[Paid]]:
            first, kept = golds_check(f"{self.dataset} (training)", self.questions, episode, marks, tokenizer)
            checks = [
                first,
                *(golds_check(name, test, episode, marks, tokenizer)[0] for name, test in self.tests.items()),
            ]
            if not kept:
                return checks, []
            paid = pay(kept, reward, self.algorithm, episode, marks, tokenizer)
            if isinstance(paid, Check):
                return [*checks, paid], []
            return [*checks, *rule_checks(paid, reward)], paid

        checks, paid = found(self.reward, flaws.marks())
        excused: list[Check] = []
        if flaws.on() and any(each.wrong for each in checks):
            without = {each.name: each for each in found(flaws.mended(self.reward), Flaws().marks())[0] if each.wrong}
            excused = [each for each in checks if each.wrong and each.name not in without]
            passed = {each.name: each for each in checks if not each.wrong}
            checks = [
                *(without | passed).values()
            ]  # what fails without the flaws as well, or was not reached with them
        return checks, excused, paid

    def can_spread(self) -> Check:
        """Whether the replies to a question can differ."""
        name, drawn = "replies of a group can differ", self.training.sampling(1)
        if self.algorithm.m < 2:
            return Check(name, f"a group of {self.algorithm.m} reply has no spread (algo.m)", "set algo.m=2 or more")
        if drawn.temperature == 0 or drawn.top_k == 1:
            words = "replies to a question are all the same (episode.temperature=0 or episode.top_k=1)"
            return Check(name, words, "set episode.temperature=1 episode.top_k=0")
        return Check(name)

    def records(self) -> int:
        """Bytes of episodes and evaluations where every reply is as long as its window."""
        algorithm, trained, replies = self.algorithm, 0, 0
        for round, width in enumerate(algorithm.branching(self.training.rounds), 1):
            replies += width if round == 1 else algorithm.m * (width - 1)
            trained += replies * self.training.sampling(round).tokens
        kept = algorithm.questions if self.recorded is None else min(algorithm.questions, self.recorded)
        return int(TOKEN_BYTES * (algorithm.steps * kept * trained / 3 + self.measured))


def drawn_as_trained(policy: Policy) -> Check:
    """Whether the model that is trained is the one that replies are drawn from."""
    rates = ", ".join(f"{setting}: a rate of {rate:g}" for setting, rate in dropout.heard(policy.model).items())
    words = f"dropout is on in training and off where replies are drawn ({rates})" if rates else ""
    remedy = "guard/difference_dropout says by how much they differ; a rate of 0 trains what was drawn"
    return Check("what is trained is what was drawn", words, remedy, severe=False)
