"""What a folder holds, as data: a run as far as it has come, and the results of its evaluations.

`motif.reporting.folders` reads the files. Nothing here decides what may be compared.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.evaluation.results import correct_after
from motif.runs.metric_names import renamed
from motif.system.files import parsed_line

BASE = "base"  # the policy before training, as results and arms name it
MISSING = "–"
NONE = (False, False)  # no state handed over
PHASES = ("load", "rollout", "future_rollout", "guard", "reward", "update", "evaluation", "held_out")


@dataclass
class Shares:
    """The share of right samples of each question, by its id: of `whole` episodes, and `by_round`, had they been
    stopped after each round (for questions whose records say so). `numbers` are its facts that are whole numbers.
    `states` has, after each round, the shares of `right_states`, for questions that know theirs."""

    whole: dict[str, float] = field(default_factory=dict)
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    by_round: dict[str, list[float]] = field(default_factory=dict)
    states: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any]) -> None:
        """Add the record of one question."""
        id, samples = str(record["id"]), record["samples"]
        self.whole[id] = sum(bool(sample["correct"]) for sample in samples) / len(samples)
        facts = record.get("facts") or {}
        self.numbers[id] = {key: fact for key, fact in facts.items() if type(fact) is int}
        if isinstance(states := facts.get("states"), list):
            found = [right_states(sample.get("carried") or [], states) for sample in samples]
            after = [zip(*of_samples, strict=True) for of_samples in zip_longest(*found, fillvalue=NONE)]
            self.states[id] = [(fmean(right), fmean(survived)) for right, survived in after]
        if known := [sample for sample in samples if sample.get("correct_by_round")]:
            rounds = range(max(len(sample["correct_by_round"]) for sample in known))
            self.by_round[id] = [sum(correct_after(sample, t) for sample in known) / len(known) for t in rounds]

    def after(self, round: int) -> dict[str, float]:
        """Had the episodes been stopped after a round, counted from 0; what ended before stays as it ended."""
        return {id: shares[min(round, len(shares) - 1)] for id, shares in self.by_round.items()}


@dataclass(eq=False)
class Result:
    """One evaluation of a policy, `base` or `trained`, with its `values` as its JSON file has them.

    `seed` is that of the training, or of the draws where nothing was trained. `settings` are what two results must
    share to be averaged or compared. `records` is the JSONL file of its records, if there is one.
    """

    folder: Path
    policy: str
    seed: Any
    values: Mapping[str, Any]
    settings: Mapping[str, Any]
    records: Path | None = None

    def __post_init__(self) -> None:
        self.dataset: str = self.values["dataset"]
        self.rounds: int = self.values["rounds"]
        self.n: int = self.values["n"]
        self.samples: int = self.values["samples"]

    @property
    def tokens(self) -> float:
        """Tokens generated per question, in all rounds and samples; a mean."""
        return self.values["tokens"] * self.samples

    @cached_property
    def shares(self) -> Shares:
        """The shares by question, read from the records; `motif.reporting.episodes` sets them when it reads these."""
        shares = Shares()
        for record in question_records(self.records) if self.records else ():
            shares.add(record)
        return shares


@dataclass(eq=False)
class RecordedRun:
    """What a run has left so far; or, where it is `measured`, what is known of a policy that is no run.

    `config` is empty where it cannot be read, `summary` until the run is finished. `complaints` are lines on files that
    cannot be read, `warnings` names what the watchdogs have warned of, and `probes` are what `motif.probe` has written,
    by the names of its files.
    """

    folder: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    results: Sequence[Result] = ()
    complaints: Sequence[str] = ()
    measured: bool = False
    name: str = ""
    warnings: str = ""
    probes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return self.measured or bool(self.summary)

    @property
    def seed(self) -> Any:
        return self.choice("seed")

    def choice(self, name: str) -> Any:
        """`algo`, `model`, `dataset`, `rounds` or `seed`, by the summary or else the configuration."""
        return choice(name, self.summary, self.config)

    @property
    def steps(self) -> tuple[int, int | None]:
        """Steps taken, and steps asked for (None where the configuration does not say)."""
        algo = self.config.get("algo")
        asked = algo.get("steps") if isinstance(algo, Mapping) else None
        return (int(self.metrics[-1]["step"]) if self.metrics else 0), asked

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase, by the summary or else the steps so far."""
        if self.summary.get("seconds"):
            return dict(self.summary["seconds"])
        total: Counter[str] = Counter()
        for line in self.metrics:
            total.update({phase: line.get(f"seconds/{phase}", 0.0) for phase in PHASES})
        return {phase: seconds for phase, seconds in total.items() if seconds}

    @cached_property
    def spent(self) -> Mapping[str, Any]:
        """What training has cost, by the names of `motif.runs.ledger`, by the summary or else the steps so far."""
        compute = self.summary.get("compute")
        if isinstance(compute, Mapping) and isinstance(compute.get("training"), Mapping):
            return renamed(compute["training"])
        last = self.metrics[-1] if self.metrics else {}
        counts = {key.removeprefix("total/"): value for key, value in last.items() if key.startswith("total/")}
        return {**counts, "seconds": last.get("total/seconds"), "peak_memory": last.get("compute/peak_memory")}


def right_states(carried: Sequence[str | None], states: Sequence[str]) -> list[tuple[bool, bool]]:
    """Of what each round of an episode handed over: whether it is one of the right `states`; and whether all of them so
    far are, none of them earlier than the one before."""
    found, survived, place = [], True, 0
    for note in carried:
        survived = survived and note in states[place:]
        place = states.index(note, place) if survived else place
        found.append((note in states, survived))
    return found


def choice(name: str, summary: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    """A choice of a run by its name, or the value where it is no group of settings."""
    value = summary.get(name, config.get(name, MISSING))
    return value.get("name", MISSING) if isinstance(value, Mapping) else value


def json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The mappings of a JSONL file; torn lines are left out."""
    with file.open("rb") as stream:
        for line in stream:
            if (mapping := parsed_line(line)) is not None:
                yield mapping


def question_records(file: Path) -> Iterator[dict[str, Any]]:
    """The records of an evaluation that hold samples of a question; other lines are left out."""
    for record in json_lines(file):
        samples = record.get("samples")
        good = isinstance(samples, list) and all(isinstance(one, Mapping) and "correct" in one for one in samples)
        if "id" in record and samples and good:
            yield record
