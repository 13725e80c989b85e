"""Recorded episodes as logs of inspect_ai, which `inspect view --log-dir FOLDER` shows.

Each evaluation of a run is a log, and its training is one. A sample is an episode: a question, its gold answer, the
rounds as a chat, and whether the answer is right. Prompts are not recorded. So the message of the user is the question,
and after round 1 also what the round before handed on.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.reporting.arms import flat
from motif.reporting.episodes import Questions, evaluated, training_trees
from motif.reporting.recorded import RecordedRun, Shares
from motif.system import UserError
from motif.system.environment import install
from motif.system.safe_text import all_visible

OF_ROUND = ("id", "parent", "round", "tokens", "prediction", "correct", "reward", "advantage", "carried")


def check_installed() -> None:
    """A `UserError` says what to install where inspect_ai is not there."""
    if find_spec("inspect_ai") is None:
        raise UserError(f"--inspect needs inspect_ai, which is not installed: {install('inspect')}")


def write_logs(runs: Sequence[RecordedRun], folder: Path) -> int:
    """Write a log, `folder`/RUN/NAME.eval, of each file of recorded episodes, and return how many there are.

    NAME is that of the file of records, such as `trained-chain-r3`, or `training`. A log that is there is replaced.
    """
    from inspect_ai.log import write_eval_log

    written = 0
    for run in runs:
        place = folder / re.sub(r"[^\w.-]+", "-", run.name).strip("-.")
        for name, dataset, file, questions in sources(run):
            if samples := [each for number, one in enumerate(questions, 1) for each in samples_of(one, number, run)]:
                place.mkdir(parents=True, exist_ok=True)
                write_eval_log(log(run, name, dataset, file, samples), place / f"{name}.eval")
                written += 1
    return written


def sources(run: RecordedRun) -> Iterator[tuple[str, str, Path, Questions]]:
    """The name, the data set, the file and the questions of each evaluation of a run, and of its training."""
    for result in run.results:
        if result.records:
            yield result.records.stem, result.dataset, result.records, evaluated(result.records, Shares())
    if (file := run.folder / "episodes.jsonl.gz").is_file():
        yield "training", str(run.choice("dataset")), file, training_trees(file)


def episodes(
    replies: Sequence[Mapping[str, Any]], above: str, before: tuple[Mapping[str, Any], ...] = ()
) -> Iterator[tuple[Mapping[str, Any], ...]]:
    """The replies of each episode of a tree, in order, with the `id` and `parent` that `motif.load` gives them."""
    for place, reply in enumerate(replies, 1):
        own = {**reply, "id": f"{above}.{place}", "parent": before[-1]["id"] if before else None}
        yield from episodes(reply["children"], own["id"], (*before, own)) if reply["children"] else [(*before, own)]


def samples_of(question: Mapping[str, Any], number: int, run: RecordedRun) -> Iterator[Any]:
    """A question, the one of this `number` in its file, as samples of inspect_ai. An epoch is an episode."""
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput, ModelUsage
    from inspect_ai.scorer import CORRECT, INCORRECT, Score

    question = all_visible(question)
    id, text, step = question["id"], str(question["question"]), question.get("step")
    for epoch, path in enumerate(episodes(question["replies"], f"q{number}"), 1):
        messages: list[Any] = []
        for reply, before in zip(path, (None, *path), strict=False):
            asked = text if before is None else f"{text}\n\nhanded on: {before['carried'] or '(nothing)'}"
            messages += [ChatMessageUser(content=asked), ChatMessageAssistant(content=reply["text"], model=run.name)]
        last, tokens = path[-1], sum(reply["tokens"] or 0 for reply in path)
        ended = "max_tokens" if "truncated" in last["flags"] else "stop"
        output = ModelOutput.from_content(run.name, last["text"], stop_reason=ended)
        output.usage = ModelUsage(output_tokens=tokens, total_tokens=tokens)
        score = Score(value=CORRECT if last["correct"] else INCORRECT, answer=last["prediction"])
        rounds = [{key: reply[key] for key in OF_ROUND if reply.get(key) is not None} for reply in path]
        known = {"question": id, "step": step, **(question.get("facts") or {}), "flags": last["flags"]}
        yield EvalSample(
            id=str(id) if step is None else f"q{number}",  # training meets a question again
            **{"epoch": epoch, "input": text, "target": str(question["gold"]), "messages": messages, "output": output},
            **{"scores": {"accuracy": score}, "metadata": {**known, "rounds": rounds}},
            model_usage={run.name: output.usage},
        )


def log(run: RecordedRun, name: str, dataset: str, file: Path, samples: Sequence[Any]) -> Any:
    """The log of an evaluation, or of a training, that has these samples."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalMetric, EvalResults, EvalScore, EvalSpec, EvalStats
    from inspect_ai.model import ModelUsage
    from inspect_ai.scorer import CORRECT

    made, n = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds"), len(samples)
    accuracy = fmean(each.scores["accuracy"].value == CORRECT for each in samples)
    metrics = {"accuracy": EvalMetric(name="accuracy", value=accuracy)}
    score = EvalScore(name="accuracy", scorer="accuracy", metrics=metrics)
    spec = EvalSpec(
        **{"created": made, "task": name, "task_id": f"{run.name}-{name}", "run_id": run.name, "model": run.name},
        dataset=EvalDataset(name=dataset, samples=len({each.id for each in samples})),
        config=EvalConfig(epochs=max(each.epoch for each in samples)),
        metadata={"folder": str(run.folder), **dict(flat(run.config))},
    )
    results = EvalResults(total_samples=n, completed_samples=n, scores=[score])
    tokens = sum(each.output.usage.output_tokens for each in samples)
    usage = {run.name: ModelUsage(output_tokens=tokens, total_tokens=tokens)}
    stats = EvalStats(started_at=made, completed_at=made, model_usage=usage)
    return EvalLog(status="success", eval=spec, results=results, stats=stats, samples=samples)
