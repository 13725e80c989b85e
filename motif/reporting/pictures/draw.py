"""All pictures of a report, in the order of the page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from motif.reporting.arms import Arm
from motif.reporting.by_fact import ByFact
from motif.reporting.cores import parallel_map
from motif.reporting.pictures import training
from motif.reporting.pictures.accuracy import accuracies, by_fact
from motif.reporting.pictures.credit import credit
from motif.reporting.pictures.probes import probes
from motif.reporting.pictures.saving import Drawing, Picture, save
from motif.reporting.pictures.style import STYLE
from motif.reporting.pictures.training import times, training_curves
from motif.reporting.pooled import Pooled
from motif.reporting.recorded import RecordedRun


def draw_all(
    folder: Path,
    arms: Sequence[Arm],
    pooled: Sequence[Pooled],
    runs: Sequence[RecordedRun],
    axes: Sequence[str] = (),
    facts: Sequence[ByFact] = (),
) -> list[Picture]:
    """Draw what there is data for, into `folder`: against steps and tokens, and `axes` (other names of
    `training.AXES`)."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    counts = tuple(dict.fromkeys(("tokens", *axes)))
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        trained = [arm for arm in arms if arm.trained]
        others = (
            *accuracies(trained, pooled, counts),
            *by_fact(facts),
            *times(trained),
            *credit(trained),
            *probes(runs),
        )
        drawings: list[Iterable[Drawing]] = [  # most of the work is in the curves, which are drawn where they are saved
            *(training_curves(trained, ("steps", *counts), [metric]) for metric in training.METRICS),
            *([drawing] for drawing in others),
        ]
        saved = parallel_map(lambda drawn: [save(folder, drawing) for drawing in drawn], drawings)
    return [picture for pictures in saved for picture in pictures]
