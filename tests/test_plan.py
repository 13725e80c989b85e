"""The plan for more processes: what it takes from a run, and what it says where it cannot be made."""

import json

import pytest

from benchmarks import plan
from motif.runs.folder import Run
from motif.system import UserError

SECONDS = {"rollout": 4.0, "future_rollout": 6.0, "guard": 0.5, "reward": 1.0, "update": 3.0}
IN_TWO = {"rollout": 3.1, "future_rollout": 3.0, "guard": 0.6, "reward": 0.9, "update": 1.5}


def reply(round, tokens, *children):
    trained = {"advantage": 0.0} if round == 1 else {}
    return {"round": round, "tokens": tokens, "prompt_tokens": 10, "children": list(children), **trained}


TREES = [  # of one step: two questions, with two replies each and a continuation of all but the last
    {"step": 2, "replies": [reply(1, 10, reply(2, 20)), reply(1, 20, reply(2, 5))]},
    {"step": 2, "replies": [reply(1, 30, reply(2, 15)), reply(1, 40)]},
]


def written(folder, seconds=SECONDS, processes=1, trees=TREES, settings="rounds: 2\n"):
    """A run folder of a first step that does not count, and one of `trees`."""
    folder.mkdir()
    run = Run(folder)
    (folder / "config.yaml").write_text(settings)
    (folder / "environment.json").write_text(json.dumps({"processes": processes}))
    for step, times in ((1, 100), (2, 1)):
        run.record({"step": step, "step/questions": 2, **{f"seconds/{n}": times * s for n, s in seconds.items()}})
        run.write_episodes({**tree, "step": step} for tree in trees)
    return folder


def lines(found):
    return {count: spent for count, *spent, _ in found}


def test_the_slowest_process_and_what_was_left_over_in_two_make_the_plan(tmp_path):
    pair = written(tmp_path / "two", IN_TWO, 2)
    (_, tokens, same), (_, _, grown) = plan.planned(written(tmp_path / "one"), pair, [1, 2, 4, 8])
    assert tokens == 140
    one, two, four = (lines(same)[count] for count in (1, 2, 4))
    assert one == list(SECONDS.values())
    assert two == pytest.approx(  # its loads: 70 of 100, 25 of 40, 4 of 7, 90 of 140 tokens or replies
        [3.1, max(3.0, 6.0 * 25 / 40), 0.5 + 0.1, 0.9, max(1.5, 3.0 * 90 / 140)]
    )
    rest = [3.1 - 4.0 * 0.7, 0.0, 0.1, 0.9 - 1.0 * 4 / 7, 0.0]
    loads = [40 / 100, 20 / 40, 1.0, 2 / 7, 50 / 140]
    assert four == pytest.approx([s * load + left for s, load, left in zip(one, loads, rest, strict=True)])
    assert 8 not in lines(same), "four rows are no work for eight processes"
    slow = lines(grown)[8]
    assert slow[1] == pytest.approx(6.0 * max(25, 15) / 20, rel=0.1), "one of eight has the longer question"
    assert all(each >= alone for each, alone in zip(slow, one, strict=True))


def test_a_servers_replies_are_not_divided(tmp_path):
    folder = written(tmp_path / "run", settings="generation: {name: vllm, mode: server}\n")
    (_, _, same), _ = plan.planned(folder, None, [2])
    assert lines(same)[2][:2] == [4.0, 6.0]


@pytest.mark.parametrize(
    ("run", "pair", "words"),
    [
        ({"trees": TREES[:1]}, {}, "has not recorded all episodes of its steps: record.questions=null does"),
        ({"processes": 2}, {}, "is of 2 processes: a plan begins with a run of one"),
        ({}, {"processes": 4}, "is not the run of .* in two processes"),
        ({}, {"processes": 2, "settings": "rounds: 3\n"}, "is not the run of .* in two processes"),
    ],
)
def test_runs_that_no_plan_can_be_made_of_are_a_line(tmp_path, run, pair, words):
    folders = written(tmp_path / "run", **run), written(tmp_path / "pair", **{"processes": 2, **pair})
    with pytest.raises(UserError, match=words):
        plan.planned(*folders, [1, 2])


def test_a_plan_is_printed_with_what_it_takes_for_granted(tmp_path, capsys):
    assert plan.main([str(written(tmp_path / "run")), "--ranks", "1", "2", "8"]) == 0
    said = capsys.readouterr().out
    assert said.count("a plan, not measured") == 2 and "takes nothing (--pair measures it)" in said
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if line.startswith("│")]
    assert [row[0] for row in rows] == ["1", "2", "1", "2", "8"]
    assert [row[-1] for row in rows if row[0] == "1"] == ["100%", "100%"]
    assert plan.main([str(tmp_path)]) == 2 and "episodes.jsonl.gz cannot be read" in capsys.readouterr().err
