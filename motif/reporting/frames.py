"""What runs have left, as DataFrames of pandas: what `motif.load` returns."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from motif.reporting.arms import flat
from motif.reporting.episodes import recorded_trees
from motif.reporting.recorded import RecordedRun, Result

if TYPE_CHECKING:
    from pandas import DataFrame

OF_RESULT = (
    *("run", "policy", "dataset", "split", "rounds", "accuracy", "low", "high", "n", "samples", "tokens_per_question"),
    *("strict", "flexible", "truncated", "unparsable", "copied", "budget", "temperature", "top_p", "records"),
)
OF_REPLY = ("round", "text", "tokens", "finished", "prediction", "correct", "reward", "advantage", "carried")


@dataclass(frozen=True, eq=False, repr=False)
class Frames:
    """What some runs have left, as DataFrames. Each is made when it is first asked for, and kept.

    `run` is in all of them. It is the name of the run's folder, or its path where two folders have one name. What is
    not known is missing (`isna()`). What a kill has torn is left out.

    Attributes:
        runs: as they were read.
    """

    runs: Sequence[RecordedRun]

    @cached_property
    def metrics(self) -> "DataFrame":
        """A row a training step: `run`, `step`, and the metrics by their names in metrics.jsonl."""
        return frame(({"run": run.name, **line} for run in self.runs for line in run.metrics), "run", "step")

    @cached_property
    def evaluations(self) -> "DataFrame":
        """A row a result of an evaluation.

        `run`; `policy`: `base` or `trained`; `dataset`, `split`, `rounds`; `accuracy`, from 0 to 1, and the ends of its
        95 % interval, `low` and `high`; `n` questions; `samples` of each; `tokens_per_question`, generated in all
        samples and rounds, a mean; `strict` and `flexible`, the accuracy under the other graders; `truncated`,
        `unparsable` and `copied`, shares of episodes; `budget`, the most tokens of an episode; `temperature` and
        `top_p`; `records`, the file with a line a question.
        """
        return frame((of_result(run, result) for run in self.runs for result in run.results), *OF_RESULT)

    @cached_property
    def episodes(self) -> "DataFrame":
        """A row a reply of those that training has recorded. This reads every episodes.jsonl.gz, which may be large.

        `run`, `step`; `question_id`, `question`, `gold`; `id` of the reply, unique in its run, and `parent`, the `id`
        of the reply that it continues, missing in round 1; `round`, from 1; `text`, as the policy wrote it; `tokens`,
        a number; `finished`: not cut off; `prediction` and `correct`: its own answer; `reward` and `advantage` of
        replies that were trained, missing for others; `carried`: what it handed on.
        """
        of_question = ("run", "step", "question_id", "question", "gold")
        return frame((row for run in self.runs for row in of_episodes(run)), *of_question, "id", "parent", *OF_REPLY)

    @cached_property
    def settings(self) -> "DataFrame":
        """A row a run, with the index `run`: config.yaml by dotted keys such as `algo.steps`; a list is text."""
        return frame(({"run": run.name, **dict(flat(run.config))} for run in self.runs), "run").set_index("run")

    def __repr__(self) -> str:
        of = f"{len(self.runs)} run{'s' * (len(self.runs) > 1)}"
        return f"Frames({of}; .metrics, .evaluations, .episodes, .settings)"


def frame(rows: Iterable[Mapping[str, Any]], *first: str) -> "DataFrame":
    """The rows, with every column that one of them has. Those of `first` come first, and are there without a row."""
    from pandas import DataFrame

    rows = [{key: cell(value) for key, value in row.items()} for row in rows]
    return DataFrame(rows, columns=list(dict.fromkeys([*first, *(key for row in rows for key in row)])))


def cell(value: Any) -> Any:
    """`value`; a list as JSON, so that values can be compared. In text a lone surrogate, which JSON can hold and pandas
    cannot, becomes U+FFFD."""
    value = json.dumps(value) if isinstance(value, list) else value
    return value.encode(errors="surrogatepass").decode(errors="replace") if isinstance(value, str) else value


def of_result(run: RecordedRun, result: Result) -> dict[str, Any]:
    """A row of `Frames.evaluations`."""
    low, high = result.values["interval"]
    own = {"run": run.name, "policy": result.policy, "low": low, "high": high, "tokens_per_question": result.tokens}
    known = {**result.settings, **result.values, **own, "records": str(result.records) if result.records else None}
    return {key: known.get(key) for key in OF_RESULT}


def of_episodes(run: RecordedRun) -> Iterator[dict[str, Any]]:
    """The rows of `Frames.episodes` of one run."""
    file = run.folder / "episodes.jsonl.gz"
    for place, tree in enumerate(recorded_trees(file) if file.is_file() else (), 1):
        question = {"question_id": tree.get("id"), "question": tree.get("question"), "gold": tree.get("gold")}
        for row in of_replies(tree["replies"], f"q{place}"):
            yield {"run": run.name, "step": tree.get("step"), **question, **row}


def of_replies(replies: Sequence[Mapping[str, Any]], above: str, parent: str | None = None) -> Iterator[dict[str, Any]]:
    """Replies and those that continue them, in the order of the tree. `q3.2.1` is the first continuation of `q3.2`, the
    second reply to the third question of the file."""
    for place, reply in enumerate(replies, 1):
        id = f"{above}.{place}"
        yield {"id": id, "parent": parent, **{key: reply.get(key) for key in OF_REPLY}}
        yield from of_replies(reply.get("children") or (), id, id)
