"""`python -m motif.dashboard --entity E --project P [--group G]` saves a W&B workspace for runs of this suite.

It has curves with bands over seeds against steps and tokens, accuracy by round and against tokens, parallel coordinates
and a table of episodes. `--print` shows the specification as JSON and needs neither server nor key. It reads no run and
logs nothing: it names what `motif.runs.tracking.wandb` sends to W&B. wandb-workspaces makes the panels.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from motif.rounds.episode import MOST
from motif.runs.tracking.base import WandB, prepare
from motif.runs.tracking.wandb import LATEST, STEP, evaluation_key
from motif.system import UserError, failures, first_line, install

TOKENS = "total/generated_tokens"
AXES = {STEP: "training step", TOKENS: "tokens generated in training"}
CURVES = {
    "train/reward": "Reward",
    "episode/accuracy": "Accuracy in training",
    "episode/truncated": "Episodes cut off",
    "episode/copied": "Rounds that copy",
    "groups/zero_advantage": "Groups that teach nothing",
    "train/entropy": "Entropy",
}
BY_ROUND = {
    "correct": "Right replies by round, in training",
    "tokens": "Tokens of a reply by round, in training",
    "truncated": "Replies cut off by round, in training",
}
KEYS = ("algo.name", "rounds", "algo.k", "model.learning_rate", "seed")  # of parallel coordinates
LINES = 200  # runs in a plot


@dataclass(frozen=True)
class Dashboard:
    """What is drawn.

    Args:
        group: the runs of this group of W&B; None takes all of the project.
        by: a key of the configuration. There is one curve for each of its values.
        datasets, rounds: of the evaluations that are drawn.
    """

    group: str | None = None
    by: str = "algo.name"
    datasets: Sequence[str] = ("chain",)
    rounds: Sequence[int] = (1, 3)

    def workspace(self, entity: str, project: str) -> Any:
        """A workspace of `wandb_workspaces`, not saved. A `UserError` where that library is missing."""
        prepare()
        try:
            import wandb_workspaces.reports.v2 as wr
            import wandb_workspaces.workspaces as ws
        except ImportError as error:
            raise UserError(f"motif.dashboard needs wandb-workspaces: {install('dashboard')}") from error
        filters = [ws.Metric("JobType") == "train", *([ws.Metric("Group") == self.group] if self.group else [])]
        return ws.Workspace(
            entity=entity,
            project=project,
            name=f"motif: {self.group}" if self.group else "motif",
            sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in self._sections(wr)],
            settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=LINES),
            runset_settings=ws.RunsetSettings(filters=ws.And(*filters), groupby=[ws.Config(self.by)]),
        )

    def _sections(self, wr: Any) -> list[tuple[str, list[Any]]]:
        last = self.rounds[-1]
        measured = [(dataset, rounds) for dataset in self.datasets for rounds in self.rounds]
        results = [self._bars(wr, dataset) for dataset in self.datasets]
        results += [self._after_rounds(wr, dataset, last) for dataset in self.datasets]
        results += [self._against_tokens(wr, dataset, rounds) for dataset, rounds in measured]
        return [
            ("Results", results),
            *(
                (f"Training, by {words}", [self._lines(wr, title, axis, [metric]) for metric, title in CURVES.items()])
                for axis, words in AXES.items()
            ),
            ("Training by round", [self._rounds(wr, *item) for item in BY_ROUND.items()]),
            ("Sweeps", [self._parallel(wr, dataset, last) for dataset in self.datasets]),
            ("Episodes", [wr.WeavePanelSummaryTable(table_name=LATEST, layout=wr.Layout(w=24, h=12))]),
        ]

    def _bands(self, wr: Any) -> dict[str, Any]:
        """How runs become one curve or bar: their mean, and a band from the lowest to the highest."""
        means = {"groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
        return {"groupby": wr.Config(self.by), **means, "max_runs_to_show": LINES}

    def _lines(self, wr: Any, title: str, x: str, y: list[str]) -> Any:
        return wr.LinePlot(title=title, x=x, y=y, title_x=AXES[x], **self._bands(wr))

    def _rounds(self, wr: Any, metric: str, title: str) -> Any:
        return self._lines(wr, title, STEP, [f"rounds/{t}/{metric}" for t in range(1, max(self.rounds) + 1)])

    def _bars(self, wr: Any, dataset: str) -> Any:
        keys = [accuracy(dataset, rounds, policy) for rounds in self.rounds for policy in ("base", "trained")]
        title = f"Accuracy on {dataset} by rounds decoded in"
        return wr.BarPlot(title=title, metrics=keys, **self._bands(wr))

    def _after_rounds(self, wr: Any, dataset: str, rounds: int) -> Any:
        keys = [accuracy(dataset, rounds, "trained", f"accuracy_by_round/{t}") for t in range(1, rounds + 1)]
        title = f"Accuracy on {dataset}, stopped after round 1 to {rounds}"
        return wr.BarPlot(title=title, metrics=keys, **self._bands(wr))

    def _against_tokens(self, wr: Any, dataset: str, rounds: int) -> Any:
        return wr.ScatterPlot(
            title=f"Accuracy on {dataset} against tokens per question, decoded in {rounds}",
            x=wr.SummaryMetric(accuracy(dataset, rounds, "trained", "tokens")),
            y=wr.SummaryMetric(accuracy(dataset, rounds)),
        )

    def _parallel(self, wr: Any, dataset: str, rounds: int) -> Any:
        column = wr.ParallelCoordinatesPlotColumn
        columns = [
            *(column(wr.Config(key), display_name=key) for key in KEYS),
            column(wr.SummaryMetric(TOKENS), display_name="training tokens"),
            column(wr.SummaryMetric(accuracy(dataset, rounds)), display_name="accuracy"),
        ]
        return wr.ParallelCoordinatesPlot(title=f"Sweep: accuracy on {dataset}", columns=columns)


def accuracy(dataset: str, rounds: int, policy: str = "trained", key: str = "accuracy") -> str:
    """The name of an evaluation's value in W&B's summary."""
    return evaluation_key({"dataset": dataset, "rounds": rounds, "policy": policy}, key)


def specification(workspace: Any) -> dict[str, Any]:
    """What would be sent for `workspace`."""
    model: dict[str, Any] = workspace._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return model


def save(workspace: Any) -> str:
    """Save `workspace` as a new view and return its address. A `UserError` where W&B does not take it."""
    if not WandB.has_key():
        raise UserError("no W&B key: wandb login, or set WANDB_API_KEY; --print needs none")
    where = f"{workspace.entity}/{workspace.project}"
    try:
        return str(workspace.save().url)
    except Exception as error:  # of many kinds, none of them ours
        raise UserError(f"W&B did not take the dashboard for {where}: {first_line(error)}") from error


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = failures.Parser(prog="python -m motif.dashboard", description=__doc__)
    parser.add_argument("--entity", help="the user or team that the project is of")
    parser.add_argument("--project", default="motif", help="as in tracking.project= (motif)")
    parser.add_argument("--group", help="of these runs alone, such as a study's name (all)")
    parser.add_argument("--by", default="algo.name", help="the key of the configuration that a curve is of (algo.name)")
    parser.add_argument("--dataset", nargs="+", default=["chain"], help="data sets evaluated on (chain)")
    parser.add_argument("--rounds", nargs="+", type=int, default=[1, 3], help="rounds decoded in (1 3)")
    parser.add_argument("--print", action="store_true", help="show the specification, save nothing")
    given = parser.parse_args(arguments)
    if not (given.entity or given.print):
        parser.error("--entity is missing: the user or team that the project is of (--print goes without)")
    if wrong := [rounds for rounds in given.rounds if not 1 <= rounds <= MOST]:
        parser.error(f"--rounds must be whole numbers of at least 1 and at most {MOST}, got {wrong[0]}")
    dashboard = Dashboard(given.group, given.by, given.dataset, sorted(set(given.rounds)))
    workspace = dashboard.workspace(given.entity or "entity", given.project)
    print(json.dumps(specification(workspace), indent=2) if given.print else save(workspace))
