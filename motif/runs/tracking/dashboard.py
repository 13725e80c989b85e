"""What W&B draws of runs of this suite: a view of a project, or a W&B report with words above the same panels.

Curves with bands over seeds against steps and tokens, accuracy by round and against tokens, parallel coordinates and a
table of episodes. It reads no run and logs nothing: it names what `motif.runs.tracking.wandb` sends to W&B.
wandb-workspaces makes the panels; `motif.reporting.dashboard` is the program.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from motif.runs.tracking.base import WandB, prepare
from motif.runs.tracking.wandb import LATEST, STEP, evaluation_key
from motif.system import UserError, first_line, install

TOKENS = "total/generated_tokens"
AXES = {STEP: "training step", TOKENS: "tokens generated in training"}
CURVES = {
    "train/reward": "Reward",
    "episode/accuracy": "Accuracy in training",
    "episode/truncated": "Episodes cut off",
    "episode/copied": "Rounds that copy",
    "groups/zero_advantage": "Groups that teach nothing",
    "train/entropy": "Entropy",
    "train/grad_norm": "Gradient norm",
    "train/clip_ratio/region_mean": "Clipped tokens",
    "guard/difference": "Engine against policy, nats a token",
    "train/kl": "KL to the untrained policy",
    "held_out/accuracy": "Accuracy on validation questions",
}
BY_ROUND = {
    "correct": "Right replies by round, in training",
    "tokens": "Tokens of a reply by round, in training",
    "truncated": "Replies cut off by round, in training",
}
KEYS = ("algo.name", "rounds", "algo.k", "model.learning_rate", "seed")  # of parallel coordinates
LINES = 200  # runs in a plot
TITLE = 128  # signs of a report's title that W&B takes


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
        wr, ws = libraries()
        return ws.Workspace(
            entity=entity,
            project=project,
            name=re.sub(r"[^\w .:-]", " ", f"motif: {self.group}" if self.group else "motif"),  # all that it may hold
            sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in self._sections(wr)],
            settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=LINES),
            runset_settings=ws.RunsetSettings(filters=filters("train", self.group), groupby=[ws.Config(self.by)]),
        )

    def report(
        self, entity: str, project: str, title: str, text: str, pictures: tuple[str, Sequence[str]], known: bool
    ) -> Any:
        """A W&B report of `wandb_workspaces`, not saved: words, pictures, and the panels of the workspace.

        Args:
            entity, project: where it is.
            title: is cut where W&B would refuse it.
            text: Markdown.
            pictures: the group whose run of the job type `report` holds them, and their names there.
            known: whether W&B is asked for the project. If not, the report is for showing, not for saving.

        Raises:
            UserError: wandb-workspaces is missing.
        """
        wr, _ = libraries()
        group, names = pictures
        where = {"entity": entity, "project": project} if known else {}
        trained = wr.Runset(name="runs", filters=filters("train", self.group), groupby=[f"config.{self.by}"], **where)
        attached = wr.Runset(name="report", filters=filters("report", group), **where)
        media = wr.MediaBrowser(media_keys=list(names), num_columns=1, layout=wr.Layout(w=24, h=16))
        blocks = [wr.MarkdownBlock(text)]
        if names:
            blocks += [wr.H2("Pictures"), wr.PanelGrid(runsets=[attached], panels=[media], hide_run_sets=True)]
        for name, panels in self._sections(wr):
            blocks += [wr.H2(name), wr.PanelGrid(runsets=[trained], panels=panels)]
        return wr.Report(entity=entity, project=project, title=title[:TITLE], blocks=blocks, width="fluid")

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


def libraries() -> tuple[Any, Any]:
    """The reports and the workspaces of wandb-workspaces."""
    prepare()
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise UserError(f"motif.dashboard needs wandb-workspaces: {install('dashboard')}") from error
    return wr, ws


def filters(job_type: str, group: str | None) -> str:
    """The runs of a job type, of a group or of all, as wandb-workspaces reads it: it takes signs in a name for its own,
    so these are escaped."""
    named = "".join(sign if sign.isalnum() else f"\\U{ord(sign):08x}" for sign in group or "")
    return f"Metric('JobType') == '{job_type}'" + (f" and Metric('Group') == '{named}'" if group else "")


def specification(shown: Any) -> dict[str, Any]:
    """What would be sent for a workspace or a report."""
    model: dict[str, Any] = shown._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return model


def check(shown: Any) -> None:
    """A `UserError` where no key is known, or W&B knows no such project."""
    if not WandB.has_key():
        raise UserError("no W&B key: wandb login, or set WANDB_API_KEY; --print needs none")
    told(shown, specification)


def save(shown: Any) -> str:
    """Save a workspace as a new view, or a report; returns its address. A `UserError` where W&B does not take it."""
    check(shown)
    return str(told(shown, lambda shown: shown.save().url))


def told(shown: Any, what: Callable[[Any], Any]) -> Any:
    try:
        return what(shown)
    except Exception as error:  # of many kinds, none of them ours
        kind = type(shown).__name__.lower()
        raise UserError(
            f"W&B did not take the {kind} for {shown.entity}/{shown.project}: {first_line(error)}"
        ) from error
