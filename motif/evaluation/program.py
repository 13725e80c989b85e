"""Evaluation as a program: one policy on one data set in one number of rounds (`evaluate.py`).

What was measured before is read, what was interrupted goes on. In a multirun the policy is loaded once, and the last
table holds all of its jobs.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from motif.evaluation.arithmetic import arithmetic_of
from motif.evaluation.evaluate import Evaluation
from motif.evaluation.lm_eval import export
from motif.evaluation.measure import Measurer, title_of
from motif.evaluation.results import RESULT_KEYS
from motif.evaluation.terminal import RATES, by_round_lines, sample_lines, show_results
from motif.policies import gguf, weights
from motif.policies.pretrained import Policy, check_policy, open_policy, policy_name
from motif.rounds import Episode, Generate, Sampling
from motif.runs.folder import Run
from motif.runs.identity import without as without_defaults
from motif.runs.ledger import Ledger, forget_peak
from motif.system import Lock, UserError, console, masked, processes, read_json, write_json
from motif.system.errors import of_kind, one_of, text, whole
from motif.system.files import digest
from motif.tasks.questions import Dataset, Question, fingerprint, without
from motif.training.published import Flaws

SINCE = {"batch": 64, "engine": "transformers", "deterministic": False}  # as it was when no identity named them
PROMPTS_SINCE = {"prompts": {"format": "tags", "examples": 0, "worked": ()}}
Measure = Callable[[Policy, Generate, Path], Mapping[str, Any]]  # of a policy, keeping records in the file


@dataclass(frozen=True)
class Asked:
    """What a program that measures one policy on one data set is asked.

    `policy` is a run folder, a hub id, a model's folder or an adapter's (whose base model `base` may override).
    `questions` is how many test questions are asked (None: all), `batch` how many are recorded together, and `options`
    are keywords of `open_policy`. `deterministic`: as in `Evaluation`. Raises a `UserError` for an impossible value.
    """

    policy: str
    dataset: Dataset
    episode: Episode
    generation: Any
    rounds: int = 3
    seed: int = 0
    questions: int | None = None
    batch: int = 64
    deterministic: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    flaws: Flaws = field(default_factory=Flaws)
    outputs: str = "outputs"
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_policy(self.policy)
        of_kind("episode", self.episode, Episode)
        of_kind("flaws", self.flaws, Flaws)
        of_kind("options", self.options, Mapping)
        if not isinstance(self.dataset, Dataset):
            raise UserError("dataset must be chosen, as in dataset=math500")
        whole("seed", self.seed, at_least=0, at_most=2**31 - 1)
        text("outputs", self.outputs)

    def measured_episode(self) -> Episode:
        episode = self.flaws.measured_episode(self.episode, "trained", self.dataset.name).with_rounds(self.rounds)
        if not episode.prompts.examples:
            return episode
        return episode.showing(without(self.dataset.train(), self.dataset.test())[0])

    def what_all_depend_on(
        self, questions: Sequence[Question], episode: Episode, drawn: Callable[[int], Sampling]
    ) -> dict[str, Any]:
        """What any measurement depends on; another value of any key is another measurement."""
        computed = {"batch": self.batch, "engine": self.generation.name, "deterministic": self.deterministic}
        return {
            **{key: value for key, value in computed.items() if value != SINCE[key]},
            "policy": policy_id(self.policy),
            "dataset": self.dataset.name,
            "rows": fingerprint(questions),
            "rounds": self.rounds,
            "episode": without_defaults(asdict(episode), PROMPTS_SINCE),
            "sampling": [asdict(drawn(round)) for round in (1, 2)],
            "seed": self.seed,
            "options": dict(self.options),
            "grader": self.flaws.grader(),
        }

    def folder(self) -> Path:
        """Where results lie: in the run's folder, or for other policies in one of their own under `outputs`."""
        run = Run(Path(self.policy))
        return run.evaluation if run.is_run() else Path(self.outputs) / "evaluations" / policy_name(self.policy)

    def once(self, name: str, identity: Mapping[str, Any], measure: Measure) -> tuple[Path, Path]:
        """The files of records and result of the measurement with this `identity`, their names begun with `name`. Where
        there is no result `measure` makes it, in one program at a time, whose first process writes.

        `overwrite` measures again, once the policy is loaded: nothing is thrown away for one that cannot be.
        """
        key = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:8]
        records_file, result_file = (self.folder() / f"{name}-{key}{suffix}" for suffix in (".jsonl", ".json"))
        if processes.by_first(result_file.is_file) and not self.overwrite:
            console.say(f"measured before, in {records_file}; overwrite=true measures again", style="yellow")
            return records_file, result_file
        console.quiet_bars()
        policy, generate = opened(self.policy, json.dumps(dict(self.options)), self.generation)
        lock = Lock(result_file.parent / ".locks" / result_file.stem, str(records_file), say=console.say)
        with processes.in_first(lock):
            if self.overwrite and processes.first():
                records_file.unlink(missing_ok=True)
                result_file.unlink(missing_ok=True)
            found = masked({**identity, **measure(policy, generate, records_file)})
            if processes.first():
                write_json(result_file, found)
        return records_file, result_file


@dataclass(frozen=True)
class Evaluator(Asked):
    """An evaluation. `samples`, `temperature`, `top_p`, `questions`, `budget`, `batch` and `deterministic` are those of
    `Evaluation`; `format` is jsonl, or lm_eval for a copy in the shape of lm-evaluation-harness."""

    samples: int = 1
    temperature: float | None = None
    top_p: float = 1.0
    budget: int | None = None
    format: str = "jsonl"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("rounds", self.rounds)
        one_of("format", self.format, ("jsonl", "lm_eval"))
        try:
            self.settings()
        except UserError as error:
            raise UserError(str(error).replace("evaluation.", "")) from None

    def settings(self) -> Evaluation:
        """Greedy for one sample a question, at temperature 0.6 for several, unless told otherwise."""
        temperature = self.temperature if self.temperature is not None else 0.6 if self.samples > 1 else 0.0
        return Evaluation(
            questions=self.questions,
            samples=self.samples,
            temperature=temperature,
            top_p=self.top_p,
            budget=self.budget,
            batch=self.batch,
            deterministic=self.deterministic,
        )

    def run(self) -> dict[str, Any]:
        """Measure, or read what was measured. Returns the result, which lies beside the records as JSON, and `records`,
        their file."""
        settings = self.settings()
        episode = settings.episode(self.measured_episode(), self.rounds)
        questions = self.dataset.test()[: self.questions]

        def made(policy: Policy, generate: Generate, file: Path) -> Mapping[str, Any]:
            forget_peak()
            measurer = Measurer(policy, generate, settings, self.seed, self.flaws.marks(), Ledger())
            arithmetic = arithmetic_of(policy, settings, self.generation.name)
            found = measurer.measure(questions, episode, file, title_of(self.dataset.name, self.rounds))
            return {"arithmetic": arithmetic, **found}

        identity = self.what_all_depend_on(questions, episode, settings.sampling(episode))
        several = f"-x{self.samples}" if self.samples > 1 else ""
        name = f"{self.dataset.name}-r{self.rounds}{several}"
        records_file, result_file = self.once(name, {**identity, "samples": self.samples}, made)
        result = read_result(result_file, (*RESULT_KEYS, *RATES, "accuracy_by_round", "tokens_by_round"))
        exported = self.format == "lm_eval" and processes.first()
        copies = [export(records_file, result, records_file.parent)] if exported else []
        show({**result, "policy": policy_name(self.policy)}, [records_file, *copies])
        return {**result, "records": str(records_file)}


def read_result(file: Path, keys: Sequence[str]) -> dict[str, Any]:
    """The result in `file`; a `UserError` where it lacks one of `keys`, which are shown of it."""
    found = processes.by_first(lambda: read_json(file))
    if missing := [key for key in keys if key not in found]:
        raise UserError(f"{file} does not say {', '.join(missing)}; overwrite=true measures again")
    return found


@lru_cache(maxsize=1)
def opened(where: str, options: str, engine: Any) -> tuple[Policy, Generate]:
    """The policy at `where` and its generator, once for all jobs of a process."""
    with console.progress(f"loading {policy_name(where)}"):
        policy = open_policy(where, **json.loads(options))
    return policy, engine.generator(policy)


def policy_id(where: str) -> str:
    """What tells policies apart: a run's id, else the folder with the names and contents of its files."""
    run = Run(Path(where).expanduser())
    if run.is_run():
        return f"run {run.id}"
    if file := gguf.source(where):
        return f"{file.name} {gguf.content_hash(file)}"
    folder = run.folder if run.folder.exists() else weights.cached(where, None)
    if folder is None:
        return where
    kept = [file for file in sorted(folder.glob("*")) if file.suffix in (".safetensors", ".json")]
    files = [(file.name, content_hash(file, file.stat().st_ctime_ns)) for file in map(Path.resolve, kept)]
    return f"{folder.resolve()} {hashlib.sha256(json.dumps(files).encode()).hexdigest()[:12]}"


@lru_cache
def content_hash(file: Path, changed: int) -> str:
    """The hash of a file, once a process for all its jobs, unless it is `changed` meanwhile (its ctime). In the hub's
    cache a file is called by the hash of its contents."""
    return file.name if file.parent.name == "blobs" else digest(file)


SHOWN: list[dict[str, Any]] = []  # results of this process's jobs so far


def show(result: Mapping[str, Any], files: list[Path]) -> None:
    """The table of all results so far, and where the last one lies."""
    SHOWN.append(dict(result))
    show_results(SHOWN)
    for line in (*sample_lines(result), *by_round_lines(result)):
        console.say(line)
    for file in files:
        console.say(f"records  {file}")
