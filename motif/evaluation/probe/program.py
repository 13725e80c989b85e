"""The command that measures what each round contributes (`python -m motif.probe policy=outputs/RUN`).

A finished measurement is read, an interrupted one goes on. The table and the sentences that it prints are made here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from motif.evaluation.arithmetic import as_measured
from motif.evaluation.evaluate import Records, kept
from motif.evaluation.probe.effects import effects, sentences
from motif.evaluation.probe.interventions import Probing, interventions
from motif.evaluation.program import Asked, read_result
from motif.evaluation.terminal import new_table, report_command
from motif.evaluation.wording import percent, percent_interval, points, with_interval
from motif.policies.pretrained import Policy, policy_name
from motif.rounds.episode import MOST
from motif.rounds.replies import Generate
from motif.runs.folder import Run
from motif.system import UserError, console, whole
from motif.tasks.questions import Question

RESULT_KEYS = ("dataset", "rounds", "n", "untouched", "interventions", "values", "copied", "carried")  # that are shown


@dataclass(frozen=True)
class Prober(Asked):
    """A probe of one policy on one data set. `k` continuations of each state are drawn (0: no values). The questions of
    a `batch` share a call of the generator."""

    k: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("rounds", self.rounds, at_least=2, at_most=MOST)
        whole("k", self.k, at_least=0)
        whole("batch", self.batch, at_least=2)
        if self.questions is not None:
            whole("questions", self.questions, at_least=2)

    def run(self) -> dict[str, Any]:
        """Measure, or read what was measured, and show it. Returns the result (`effects`), which lies beside the
        records as JSON, with what identifies it."""
        questions = self.dataset.test()[: self.questions]
        if len(questions) < 2:
            raise UserError(f"dataset={self.dataset.name} has one test question; progress is swapped between two")

        def measure(policy: Policy, generate: Generate, records_file: Path) -> Mapping[str, Any]:
            with as_measured(policy, generate, self.deterministic) as how:
                return effects(self._measure(policy, how, questions, records_file))

        name = f"{self.dataset.name}-r{self.rounds}"
        records_file, result_file = self.once(name, self.identity(questions), measure)
        result = read_result(result_file, RESULT_KEYS)
        show(result, policy_name(self.policy))
        console.say(f"records {records_file}")
        console.say(f"result  {result_file}")
        run = Path(self.policy)
        report = report_command(run.parent) if Run(run).is_run() else f"python -m motif.report {self.folder().parent}"
        console.say(f"next    {report}")
        return result

    def identity(self, questions: Sequence[Question]) -> dict[str, Any]:
        """What a measurement depends on."""
        episode = self.measured_episode()
        done = [intervention.name for intervention in interventions(self.rounds, know_progress(questions))]
        return {**self.what_all_depend_on(questions, episode, episode.sampling), "k": self.k, "done": done}

    def folder(self) -> Path:
        """As for an evaluation, in a folder of probes."""
        run = Run(Path(self.policy))
        return (run.folder if run.is_run() else super().folder()) / "probes"

    def _measure(self, policy: Policy, generate: Generate, questions: Sequence[Question], file: Path) -> Records:
        how = (self.flaws.marks(), self.k, self.seed, know_progress(questions))
        probing = Probing(self.measured_episode(), generate, policy.tokenizer, *how)
        with console.progress(f"{self.dataset.name}, probed", len(questions)) as report:
            return kept(questions, file, self.batch, probing.records, lambda records: {}, report)


def know_progress(questions: Sequence[Question]) -> bool:
    """Whether the task knows what each round should carry over."""
    return all(question.facts.get("progress") for question in questions)


def show(result: Mapping[str, Any], policy: str) -> None:
    """Print the table of interventions, and what it says."""
    console.say(f"{policy} on {result['dataset']} in {result['rounds']} rounds, n = {result['n']}", style="bold")
    console.show(table(result))
    for line in lines(result):
        console.say(line)


def table(result: Mapping[str, Any]) -> Table:
    """One row an intervention: accuracy, and its difference from the untouched episode on the same questions."""
    table = new_table(None, ("", "accuracy", "95 % interval", "difference", "95 % interval", "p (Holm)"))
    for column in table.columns[1:]:
        column.justify = "right"
    untouched = result["untouched"]
    table.add_row("untouched", percent(untouched["value"]), percent_interval(untouched["interval"]), "", "", "")
    for intervention in result["interventions"]:
        share, (low, high) = intervention["accuracy"], intervention["interval"]
        accuracy = (percent(share["value"]), percent_interval(share["interval"]))
        difference = (f"{points(intervention['effect'])} points", f"{points(low)} – {points(high)}")
        console.add_row(table, intervention["label"], *accuracy, *difference, f"{intervention['p_holm']:.2g}")
    return table


def lines(result: Mapping[str, Any]) -> list[str]:
    """What the effects say in sentences, then values of states, copies, and lengths of what is carried."""
    n, lines = f"n = {result['n']}", sentences(result["interventions"])
    for state in result["values"]:
        where = f"after round {state['after']}" if state["after"] else "before round 1"
        against, (low, high) = state["against"]["effect"], state["against"]["interval"]
        of_state = f"{n} × {state['k']}"
        lines.append(
            f"value {where}: {with_interval(state, of_state)}, {points(against)} points from the untouched "
            f"({points(low)} – {points(high)}), settled in {with_interval(state['settled'])}"
        )
    lines.append(f"copied from an earlier round: {with_interval(result['copied'], n)}")
    for carried in result["carried"]:
        share = with_interval(carried, f"n = {carried['n']}")
        lines.append(f"round {carried['after']} hands over in {share}, {carried['tokens']:.1f} tokens")
    if not any(intervention["kind"] == "true" for intervention in result["interventions"]):
        lines.append("what progress would be true is not known for these questions")
    return lines
