"""Arms: runs that differ in their training seed only, and policies that were not trained here.

Verdicts and the report share this one notion of an arm. `motif.reporting.pairing` says what two arms have in common.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from motif.reporting.arm_names import arm_names, label
from motif.reporting.recorded import BASE, MISSING, RecordedRun, Result
from motif.runs.identity import identity

# the policy before training depends on settings that begin so
BEFORE_TRAINING = ("model.", "episode.", "flaws.carry")
# but not on these: evaluation sets them itself, or only training uses them (adapters begin as no change)
ONLY_TRAINING = re.compile(
    r"(model\.(learning_rate|bf16|gradient_checkpointing|peft)"
    r"|episode\.(rounds|(later\.)?(temperature|top_p|top_k)))(\..+)?"
)


@dataclass(frozen=True, eq=False)
class Arm:
    """Runs that differ in the seed only, one a seed; or one policy that was not trained here.

    `settings` are what can change a policy, by dotted keys, the same in all runs. `repeated` are runs of seeds that
    `runs` has already; of them only such results count as the run that is among `runs` lacks.
    """

    name: str
    trained: bool
    settings: Mapping[str, Any]
    runs: tuple[RecordedRun, ...]
    repeated: tuple[RecordedRun, ...] = ()

    @property
    def algo(self) -> str | None:
        return str(self.settings.get("algo.name", MISSING)) if self.trained else None

    @property
    def trained_rounds(self) -> Any:
        """The number of rounds that it was trained in; GRPO has one, whatever rounds= says."""
        return 1 if self.algo == "grpo" else self.settings.get("rounds")

    def is_called(self, name: str) -> bool:
        """Whether `name` is its own name, or its algorithm's (`base` where nothing was trained), alone or with any of
        its settings, as in `motif k=2`."""
        kind, *labels = name.split()
        own = self.algo or (BASE if self.settings else self.name)
        own_labels = {label(key, value) for key, value in self.settings.items()}
        return name == self.name or (kind == own and set(labels) <= own_labels)

    @property
    def results(self) -> list[Result]:
        return [
            result
            for run in (*self.runs, *self.repeated)
            for result in run.results
            if (result.policy != BASE) == self.trained
        ]

    @property
    def comparable(self) -> list[Result]:
        """Its results whose records lie there."""
        return [result for result in self.results if result.records]

    @property
    def seeds(self) -> tuple[Any, ...]:
        """Its training seeds; none where nothing was trained."""
        return tuple(sorted((run.seed for run in self.runs), key=seed_order)) if self.trained else ()

    @property
    def training_tokens(self) -> float | None:
        """Tokens that a run generated in training, a mean; None where a run does not say."""
        tokens = [run.spent["generated_tokens"] for run in self.runs if run.spent.get("generated_tokens") is not None]
        return fmean(tokens) if self.trained and len(tokens) == len(self.runs) else None

    @property
    def warnings(self) -> list[str]:
        return [
            f"{run.folder} repeats seed {run.seed}: where {kept.folder} was measured alike, that one counts"
            for run in self.repeated
            for kept in self.runs
            if kept.seed == run.seed
        ]

    def at(self, dataset: str, rounds: int, samples: int | None = None) -> list[Result]:
        """Its comparable results on `dataset` in `rounds` rounds, with `samples` episodes a question (None: any)."""
        results = (result for result in self.comparable if (result.dataset, result.rounds) == (dataset, rounds))
        return [result for result in results if samples in (None, result.samples)]


def seed_order(seed: Any) -> tuple[bool, Any]:
    """Sorts numbers first."""
    return (False, seed) if isinstance(seed, int) else (True, str(seed))


def arms_of(runs: Sequence[RecordedRun]) -> list[Arm]:
    """The arms of `runs`: the trained ones, then the policies that they began from, then policies that are no runs.

    Of two runs of one seed the finished one counts, or else the first by its folder.
    """
    by_settings: dict[str, list[RecordedRun]] = {}
    by_base: dict[str, list[RecordedRun]] = {}
    for run in runs:
        if not run.measured:
            settings = training_settings(run)
            by_settings.setdefault(as_key(settings), []).append(run)
            if run.config and any(result.policy == BASE for result in run.results):
                by_base.setdefault(as_key(settings_before_training(settings)), []).append(run)
    trained = [trained_arm(members) for members in by_settings.values()]
    bases = [
        Arm(BASE, False, settings_before_training(training_settings(members[0])), tuple(members))
        for members in by_base.values()
    ]
    no_runs = [Arm(run.name, False, {}, (run,)) for run in runs if run.measured]
    return [*named(trained), *named(bases), *no_runs]


def trained_arm(members: list[RecordedRun]) -> Arm:
    """The arm of runs with the same settings, called by its algorithm."""
    by_seed: dict[Any, RecordedRun] = {}
    members = sorted(members, key=lambda run: (not run.finished, bool(run.complaints), str(run.folder)))
    for run in members:
        by_seed.setdefault(run.seed, run)
    return Arm(
        name=str(members[0].choice("algo")),
        trained=True,
        settings=training_settings(members[0]),
        runs=tuple(sorted(by_seed.values(), key=lambda run: seed_order(run.seed))),
        repeated=tuple(run for run in members if by_seed[run.seed] is not run),
    )


def named(arms: Sequence[Arm]) -> list[Arm]:
    """The same arms with names that tell them apart."""
    known = [arm.settings if any(run.config for run in arm.runs) else None for arm in arms]
    names = arm_names([arm.name for arm in arms], known)
    return [replace(arm, name=name) for arm, name in zip(arms, names, strict=True)]


def finished(arms: Sequence[Arm]) -> list[Arm]:
    """The arms with their finished runs of known configuration only; arms without any are left out."""

    def of(runs: Sequence[RecordedRun]) -> tuple[RecordedRun, ...]:
        return tuple(run for run in runs if run.finished and (run.config or run.measured))

    return [replace(arm, runs=of(arm.runs), repeated=of(arm.repeated)) for arm in arms if of(arm.runs)]


def training_settings(run: RecordedRun) -> dict[str, Any]:
    """What can change a run's trained policy, without the seed, by dotted keys.

    Each seed may be matched with a run of its own, so `budget.match` is that run's name without its seed.
    """
    own = {key: value for key, value in identity(run.config).items() if key not in ("seed", "evaluation")}
    settings = dict(flat(own))
    if settings.get("budget.match"):
        settings["budget.match"] = seedless(str(settings["budget.match"]))
    names = {f"{key}.name": run.choice(key) for key in ("algo", "model", "dataset")}
    return {**settings, **names, "rounds": run.choice("rounds")}


def settings_before_training(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that can change what the untrained policy answers in a given number of rounds."""
    return {
        key: value
        for key, value in settings.items()
        if key.startswith(BEFORE_TRAINING) and not ONLY_TRAINING.fullmatch(key)
    }


def seedless(folder: str) -> str:
    """The name of a run's folder, as `motif.runs.names` derives it, without its seed and the hash that holds it."""
    found = re.fullmatch(r"(.+)-s\d+(-.+?)??(?:-(?:[0-9a-f]{6}|[0-9a-f]{4}))?", folder.rstrip("/").rsplit("/", 1)[-1])
    return found[1] + (found[2] or "") if found else folder


def flat(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted keys."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            yield from flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config


def as_key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)
