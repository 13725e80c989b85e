"""All pictures of a report, in the order of the page."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from motif.reporting.arms import Arm
from motif.reporting.cores import parallel_map
from motif.reporting.pictures.accuracy import accuracies
from motif.reporting.pictures.credit import credit
from motif.reporting.pictures.probes import probes
from motif.reporting.pictures.saving import Drawing, Picture, save
from motif.reporting.pictures.style import STYLE
from motif.reporting.pictures.training import times, training_curves
from motif.reporting.pooled import Pooled
from motif.reporting.recorded import RecordedRun


def draw_all(
    folder: Path, arms: Sequence[Arm], pooled: Sequence[Pooled], runs: Sequence[RecordedRun], axes: Sequence[str] = ()
) -> list[Picture]:
    """Draw what there is data for, into `folder`.

    Args:
        folder: is made where it is missing.
        arms: of runs, and policies that were not trained.
        pooled: their results.
        runs: whose probes are drawn.
        axes: other counts of the ledger (names of `curves.AXES`) to draw against, besides steps and tokens.
    """
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        drawings = list(all_drawings(arms, pooled, runs, counts=tuple(dict.fromkeys(("tokens", *axes)))))
        return parallel_map(lambda drawing: save(folder, drawing), drawings)


def all_drawings(
    arms: Sequence[Arm], pooled: Sequence[Pooled], runs: Sequence[RecordedRun], counts: Sequence[str]
) -> Iterator[Drawing]:
    trained = [arm for arm in arms if arm.trained]
    yield from training_curves(trained, ("steps", *counts))
    yield from accuracies(trained, pooled, counts)
    yield from times(trained)
    yield from credit(trained)
    yield from probes(runs)
