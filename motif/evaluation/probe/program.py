"""The command that measures what each round contributes (`python -m motif.probe policy=outputs/RUN`).

A finished measurement is read, an interrupted one goes on. The table and the sentences that it prints are made here.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from motif.evaluation.evaluate import Records, kept
from motif.evaluation.probe.effects import effects, sentences
from motif.evaluation.probe.interventions import Probing, interventions
from motif.evaluation.program import check_asked, measured_once, policy_id
from motif.evaluation.terminal import new_table
from motif.evaluation.wording import percent, percent_interval, points, with_interval
from motif.policies.pretrained import Policy, policy_name
from motif.rounds.episode import MOST, Episode
from motif.rounds.replies import Generate
from motif.runs.folder import Run
from motif.system import console
from motif.system.errors import UserError, text, whole
from motif.system.files import read_json
from motif.tasks.questions import Dataset, Question, fingerprint
from motif.training.published import Flaws

RESULT_KEYS = ("dataset", "rounds", "n", "untouched", "interventions", "values", "copied", "carried")  # that are shown


@dataclass(frozen=True)
class Prober:
    """A probe of one policy on one data set. `policy`, `episode`, `generation`, `options`, `flaws` and `outputs` are as
    for `evaluate.py`.

    `questions` is how many test questions are asked (None: all), `k` how many continuations of each state are drawn
    (0: no values), `batch` how many questions share a call of the generator and are recorded together.
    """

    policy: str
    dataset: Dataset
    episode: Episode
    generation: Any
    rounds: int = 3
    seed: int = 0
    k: int = 4
    questions: int | None = None
    batch: int = 64
    options: Mapping[str, Any] = field(default_factory=dict)
    flaws: Flaws = field(default_factory=Flaws)
    outputs: str = "outputs"
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_asked(self.policy, self.dataset, self.episode, self.flaws, self.options)
        text("outputs", self.outputs)
        whole("rounds", self.rounds, at_least=2, at_most=MOST)
        whole("seed", self.seed, at_least=0, at_most=2**31 - 1)
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
        identity = self.identity(questions)
        key = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:8]
        stem = self.folder() / f"{self.dataset.name}-r{self.rounds}-{key}"

        def measure(policy: Policy, generate: Generate, records_file: Path) -> Mapping[str, Any]:
            return {**identity, **effects(self._measure(policy, generate, questions, records_file))}

        records_file, result_file = measured_once(
            stem, self.overwrite, self.policy, self.options, self.generation, measure
        )
        result = read_result(result_file)
        show(result, policy_name(self.policy))
        console.say(f"records {records_file}")
        console.say(f"result  {result_file}")
        run = Run(Path(self.policy))
        console.say(f"next    python -m motif.report {self.policy if run.is_run() else self.folder().parent}")
        return result

    def measured_episode(self) -> Episode:
        return self.flaws.measured_episode(self.episode, "trained", self.dataset.name).with_rounds(self.rounds)

    def identity(self, questions: Sequence[Question]) -> dict[str, Any]:
        """What a measurement depends on; another value of any key is another measurement."""
        episode = self.measured_episode()
        return {
            "policy": policy_id(self.policy),
            "dataset": self.dataset.name,
            "rows": fingerprint(questions),
            "rounds": self.rounds,
            "episode": asdict(episode),
            "sampling": [asdict(episode.sampling(round)) for round in (1, 2)],
            "seed": self.seed,
            "k": self.k,
            "done": [intervention.name for intervention in interventions(self.rounds, know_progress(questions))],
            "options": dict(self.options),
            "grader": self.flaws.grader(),
        }

    def folder(self) -> Path:
        """Where results lie: in the run's folder, or for another policy beside its results of `evaluate.py`."""
        run = Run(Path(self.policy))
        own = run.folder if run.is_run() else Path(self.outputs) / "evaluations" / policy_name(self.policy)
        return own / "probes"

    def _measure(self, policy: Policy, generate: Generate, questions: Sequence[Question], file: Path) -> Records:
        probing = Probing(
            episode=self.measured_episode(),
            generate=generate,
            tokenizer=policy.tokenizer,
            grade=self.flaws.marks(),
            k=self.k,
            seed=self.seed,
            true=know_progress(questions),
        )
        with console.progress(f"{self.dataset.name}, probed", len(questions)) as report:
            return kept(questions, file, self.batch, probing.records, lambda records: {}, report)


def read_result(file: Path) -> dict[str, Any]:
    """The result in `file`; a `UserError` where it lacks what is shown of one."""
    result = read_json(file)
    if missing := [key for key in RESULT_KEYS if key not in result]:
        raise UserError(f"{file} does not say {', '.join(missing)}; overwrite=true measures again")
    return result


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
        accuracy, (low, high) = intervention["accuracy"], intervention["interval"]
        console.add_row(
            table,
            intervention["label"],
            percent(accuracy["value"]),
            percent_interval(accuracy["interval"]),
            f"{points(intervention['effect'])} points",
            f"{points(low)} – {points(high)}",
            f"{intervention['p_holm']:.2g}",
        )
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
