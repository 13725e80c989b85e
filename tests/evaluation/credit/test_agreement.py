"""Do schemes agree? On trees made by hand; on a run's records in test_program."""

import pytest

from motif.evaluation.credit.agreement import Agreement
from motif.evaluation.credit.schemes import credit
from motif.training.algorithms import MOTIF, Broadcast
from motif.training.rewards import Reward, accuracy
from tests.support.trees import line, tree

ACCURACY = Reward({"accuracy": accuracy}, {}, {"accuracy": 1.0})


def test_a_scheme_agrees_with_itself_entirely():
    made = [tree(line(0, 0, a), line(0, 0, b), id=f"q{place}") for place, (a, b) in enumerate([(1, 0), (0, 1), (1, 1)])]
    sums = Agreement([Broadcast(m=2), MOTIF(m=2, k=1)])
    for each in made:
        (own,), (same,) = (credit(scheme, [each], ACCURACY) for scheme in (Broadcast(m=2), MOTIF(m=2, k=1)))
        sums.add(each.question.id, {"broadcast": own, "motif k=1": same})
    result = sums.result()
    (row,) = result["agreement"]
    assert row["round"] == 1 and row["n"] == 6 and row["questions"] == 3 and row["both"] == 4
    assert row["correlation"] == pytest.approx(1) and row["opposed"] == 0
    groups = {entry["scheme"]: entry for entry in result["signal"] if entry["round"] is None}
    assert groups["broadcast"]["share"] == groups["motif k=1"]["share"] == 1 / 3 and groups["broadcast"]["n"] == 3
    assert [entry["round"] for entry in result["signal"]] == [None, 1, 2, 3, None, 1]
