"""Every credit scheme and every carry-over, on the embedded default, two steps long."""

import json

import pytest
from hydra import compose, initialize_config_dir

from motif.system import config as settings
from tests.support import FEW, ROOT, thinned

SMALL = [
    *("experiment=smoke", "tracking=none", "algo.questions=2", "algo.m=2", "algo.steps=2", "evaluation.questions=2"),
    *("evaluation.before=false", *FEW, "evaluation.rounds=[4]"),  # more rounds than it is trained in
]
ROWS = {"grpo": 1, "motif": 1, "leave_one_out": 1, "broadcast": 3, "discounted": 3, "value": 3}  # of a trajectory
REPLIES = {"grpo": 1, "motif": 5, "leave_one_out": 5, "broadcast": 3, "discounted": 3, "value": 9}  # of a trajectory


def trained(folder, *words):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", overrides=[*SMALL, *words, f"outputs={folder}", "name=run"])
        summary = settings.build(config).run(settings.resolved(config))
    lines = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    return summary, lines


@pytest.mark.parametrize("algo", ROWS)
def test_every_scheme_trains_its_rows_with_one_update_a_generation(tmp_path, algo):
    summary, lines = trained(tmp_path, f"algo={algo}")
    spent = summary["compute"]["training"]
    assert [line["total/optimiser_steps"] for line in lines] == [1, 2]
    assert spent["questions"] == 4 and spent["responses"] == 4 * 2 * REPLIES[algo]
    rounds = [spent.get(f"generated_tokens_round_{round}", 0) for round in (1, 2, 3)]
    if algo in ("broadcast", "discounted"):
        assert spent["trained_tokens"] == sum(rounds)
    elif ROWS[algo] == 1:
        assert spent["trained_tokens"] == rounds[0]
    else:
        assert rounds[0] < spent["trained_tokens"] < sum(rounds)  # but not what tells a value
    assert summary["evaluation"][0]["rounds"] == 4


@pytest.mark.parametrize("episode", thinned(["tail", "head_tail", "full", "none"], 2))
def test_every_carry_over_trains_and_is_measured(tmp_path, episode):
    summary, lines = trained(tmp_path, "algo=broadcast", f"episode={episode}", "episode.stop=answered")
    handed = [line["rounds/1/progress"] for line in lines if "rounds/1/progress" in line]
    assert handed and all((share == 0) == (episode == "none") for share in handed)
    assert summary["evaluation"][0]["n"] == 2 and summary["evaluation"][0]["rounds_used"] <= 4
