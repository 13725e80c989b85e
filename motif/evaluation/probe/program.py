"""What each round contributes, as a program: one policy, its episodes untouched and intervened in (`motif.probe`).

What was measured before is read, what was interrupted goes on.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from motif.evaluation.evaluate import Records, kept
from motif.evaluation.probe.effects import effects
from motif.evaluation.probe.interventions import Probing, interventions
from motif.evaluation.program import check_asked, measured_once, policy_id
from motif.evaluation.terminal import interval
from motif.policies.pretrained import Policy, policy_name
from motif.rounds.episode import MOST, Episode
from motif.rounds.replies import Generate
from motif.runs.folder import Run
from motif.system import console
from motif.system.errors import UserError, text, whole
from motif.system.files import read_json
from motif.tasks.questions import Dataset, Question, fingerprint
from motif.training.published import Flaws

SHOWN = ("dataset", "rounds", "n", "untouched", "interventions", "values", "copied", "carried")


@dataclass(frozen=True)
class Prober:
    """`policy`, `dataset`, `episode`, `generation`, `options` and `flaws` as for `evaluate.py`.

    `questions` is how many test questions are asked (null: all), `k` how many continuations of each state are drawn
    (0: no values), `batch` how many questions share a call, after which they are kept.
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
        """Measure, or read what was measured. Returns the result, which lies beside the records as JSON."""
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
        result = measured(result_file)
        show(result, policy_name(self.policy))
        for name, place in (("records", records_file), ("result", result_file)):
            console.say(f"{name:<8}{place}")
        console.say(f"next    {self._next()}")
        return result

    def measured_episode(self) -> Episode:
        return self.flaws.measured_episode(self.episode, "trained", self.dataset.name).with_rounds(self.rounds)

    def identity(self, questions: Sequence[Question]) -> dict[str, Any]:
        """What a measurement is of; another value of any of it is another measurement."""
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
            "done": [each.name for each in interventions(self.rounds, known(questions))],
            "options": dict(self.options),
            "grader": self.flaws.grader(),
        }

    def folder(self) -> Path:
        """Where results lie: in the run's folder, or for other policies beside what `evaluate.py` measured of them."""
        run = Run(Path(self.policy))
        own = run.folder if run.is_run() else Path(self.outputs) / "evaluations" / policy_name(self.policy)
        return own / "probes"

    def _next(self) -> str:
        if Run(Path(self.policy)).is_run():
            return f"python -m motif.report {self.policy}"
        return f"python -m motif.report {self.folder().parent}"

    def _measure(self, policy: Policy, generate: Generate, questions: Sequence[Question], file: Path) -> Records:
        tokenizer, grade, true = policy.tokenizer, self.flaws.marks(), known(questions)
        probing = Probing(self.measured_episode(), generate, tokenizer, grade, self.k, self.seed, true)
        with console.progress(f"{self.dataset.name}, probed", len(questions)) as report:
            return kept(questions, file, self.batch, probing.records, lambda records: {}, report)


def measured(file: Path) -> dict[str, Any]:
    """The result that lies in `file`; a `UserError` where it lacks what is shown of one."""
    found = read_json(file)
    if missing := [key for key in SHOWN if key not in found]:
        raise UserError(f"{file} does not say {', '.join(missing)}; overwrite=true measures again")
    return found


def known(questions: Sequence[Question]) -> bool:
    """Whether the task knows what rounds should hand over."""
    return all(question.facts.get("progress") for question in questions)


def show(result: Mapping[str, Any], policy: str) -> None:
    """The table of what was done, and what it says."""
    console.say(f"{policy} on {result['dataset']} in {result['rounds']} rounds, n = {result['n']}", style="bold")
    console.show(table(result))
    for line in lines(result):
        console.say(line)


def table(result: Mapping[str, Any]) -> Table:
    """One row an intervention: accuracy, and its difference from the untouched episode on the same questions."""
    made = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    made.add_column("")
    for column in ("accuracy", "95 % interval", "difference", "95 % interval", "p (Holm)"):
        made.add_column(column, justify="right")
    own = result["untouched"]
    made.add_row("untouched", f"{own['value']:.1%}", interval(own["interval"]), "", "", "")
    for found in result["interventions"]:
        low, high = (100 * bound for bound in found["interval"])
        console.add_row(
            made,
            *(found["label"], f"{found['accuracy']['value']:.1%}", interval(found["accuracy"]["interval"])),
            *(f"{100 * found['effect']:+.1f} points", f"{low:+.1f} – {high:+.1f}", f"{found['p_holm']:.2g}"),
        )
    return made


def lines(result: Mapping[str, Any]) -> list[str]:
    """What the effects say in sentences, those of single rounds where there is but one that could be intervened after;
    then values, copies and lengths."""
    whole = [each["sentence"] for each in result["interventions"] if each["after"] is None or each["kind"] == "early"]
    said = whole or [each["sentence"] for each in result["interventions"]]
    for found in result["values"]:
        place, settled = (f"after round {found['after']}" if found["after"] else "before round 1"), found["settled"]
        against, (low, high) = found["against"]["effect"], found["against"]["interval"]
        said.append(
            f"value {place}: {found['value']:.1%} ({interval(found['interval'])}; n = {result['n']} × {found['k']}), "
            f"{100 * against:+.1f} points from the untouched ({100 * low:+.1f} – {100 * high:+.1f}), "
            f"settled in {settled['value']:.1%} ({interval(settled['interval'])})"
        )
    copied = result["copied"]
    said.append(
        f"copied from an earlier round: {copied['value']:.1%} ({interval(copied['interval'])}; n = {result['n']})"
    )
    for found in result["carried"]:
        said.append(
            f"round {found['after']} hands over in {found['value']:.1%} ({interval(found['interval'])}; "
            f"n = {found['n']}), {found['tokens']:.1f} tokens"
        )
    if not any(each["kind"] == "true" for each in result["interventions"]):
        said.append("what progress would be true is not known for these questions")
    return said
