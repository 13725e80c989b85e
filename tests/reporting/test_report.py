"""The command, and the report that it writes, on run folders made here."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from motif.reporting.__main__ import build, main

from motif.evaluation.scores import summarise
from motif.report import folders, paper, tables
from motif.reporting.arms import arms
from motif.reporting.cores import each
from motif.reporting.curves import AXES, curve
from motif.reporting.episodes import Sample, script, trained, write_episodes
from motif.reporting.groups import counted, groups
from motif.reporting.page import clear
from motif.reporting.pictures import draw_all, frontier
from motif.reporting.style import STYLE, figure, legend
from motif.runs.folder import write_json, write_text
from motif.runs.ledger import AXES as LEDGER
from motif.system.errors import UserError
from motif.system.safe_text import visible
from tests.support.browser import Browser, chromium

HOSTILE = (
    '</script><img src=x onerror="owned=1"><script>owned=1</script>\u2028\'"`${owned=1}\\ &lt;b&gt; __proto__ \ud800'
    "\u202egnp.exe\u202c \u2066\u061c\u200b\x1b[31m\x00"
)


def sample(text="so", rounds=1, correct=True, **changes):
    return {
        **{"prediction": "2", "correct": correct, "strict": correct, "truncated": False, "unparsable": False},
        **{"copied": False, "tokens_by_round": [5] * rounds, "correct_by_round": [False] * (rounds - 1) + [correct]},
        **{"replies": [text] * rounds, "carried": ["note"] * (rounds - 1)},
        **changes,
    }


def records(*samples):
    """One question each."""
    return [
        {
            "id": f"q{place}",
            "question": f"question {place}",
            "gold": "2",
            "facts": {"level": 1},
            "seed": 0,
            "samples": [item],
        }
        for place, item in enumerate(samples)
    ]


def evaluated(folder, stem, policy, found, dataset="sums"):
    rounds = len(found[0]["samples"][0]["replies"])
    write_text(folder / "evaluation" / f"{stem}.jsonl", "".join(json.dumps(item) + "\n" for item in found))
    result = {"policy": policy, "dataset": dataset, "rounds": rounds, "rows": "f", "grader": "g", "budget": 8 * rounds}
    write_json(folder / "evaluation" / f"{stem}.json", result | summarise(found))
    return result | summarise(found)


def leaf(round=1, text="so", children=(), **changes):
    return {
        **{"round": round, "text": text, "tokens": 5, "prompt_tokens": 3, "finished": True, "carried": None},
        **{"events": [], "prediction": None, "correct": False, "children": list(children)},
        **changes,
    }


def make_run(
    folder, algo="motif", seed=0, steps=3, finished=True, right=(True, True, False, False), text="so", **config
):
    """A run's folder; a quarter of a training step passes for each of its accuracy's points."""
    results = [
        evaluated(folder, "base-sums-r1", "base", records(*(sample(text, 1, False) for _ in right))),
        evaluated(folder, "trained-sums-r1", "trained", records(*(sample(text, 1, value) for value in right))),
        evaluated(folder, "trained-sums-r3", "trained", records(*(sample(text, 3, value) for value in right))),
    ]
    keys = {"train/reward": 0.5, "train/accuracy": 0.25, "train/zero_spread": 0.0, "train/copied": 0.0}
    lines = [
        {"step": step, "train/generated_tokens": 100 * step, "train/tokens/round_1": 9.0, "seconds/update": 2.0, **keys}
        for step in range(1, steps + 1)
    ]
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 99, "torn')
    tree = {"step": 1, "id": "t0", "question": f"trained on {text}", "gold": "2", "facts": {}}
    roots = [
        leaf(
            text=text, carried="half", reward=1.0, advantage=0.7, children=[leaf(2, text, prediction="2", correct=True)]
        )
    ]
    with gzip.open(folder / "episodes.jsonl.gz", "wt") as file:
        file.write(json.dumps(tree | {"replies": roots}) + "\n")
    whole = {"rounds": 3, "seed": seed, "algo": {"name": algo, "steps": 3}, "model": {"name": "toy"}}
    whole |= {"dataset": {"name": "sums"}, **config}
    write_text(folder / "config.yaml", yaml.safe_dump(whole))
    write_json(folder / "run.json", {"format": 1, "id": folder.name, "identity": folder.name})
    if finished:
        names = {"algo": algo, "model": whole["model"]["name"], "dataset": "sums", "rounds": 3, "seed": seed}
        spent = {"training": {"generated_tokens": 100 * steps}}
        write_json(
            folder / "summary.json", names | {"evaluation": results, "compute": spent, "seconds": {"update": 6.0}}
        )
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two arms of two seeds, one run unfinished, and their report."""
    home = tmp_path_factory.mktemp("outputs")
    for seed in (0, 1):
        make_run(home / f"grpo-{seed}", "grpo", seed)
        make_run(
            home / f"motif-{seed}",
            "motif",
            seed,
            steps=3 - seed,
            finished=not seed,
            right=(True, True, True, seed == 0),
        )
    write_json(home / "motif-1" / "warnings.json", [{"step": 2, "name": "answers copied", "words": "step 2: ..."}])
    for name in ("evaluations", ".studies", "something"):
        (home / name).mkdir()
    call = [sys.executable, "-m", "motif.report", *map(str, sorted(home.iterdir()))]
    done = subprocess.run(call, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return home, done.stdout


def test_the_command_prints_the_table_what_it_left_out_and_where_the_report_lies(written):
    home, printed = written
    lines = printed.strip().splitlines()
    assert lines[0].startswith("| arm | rounds | seed |")
    said = [line for line in lines if line.startswith("motif is ")]
    assert said and "decoded in 3 rounds" in said[0] and lines.index(said[0]) > lines.index(lines[-1]) - 20
    assert said[0] in (home / "report" / "report.md").read_text()
    assert "| motif | 3 | 0 | trained | sums | 3 rounds | 100.0% | 51.0% – 100.0% | 4 | 0.0% | 15 |" in lines
    assert "2 of 5 folders hold no finished run." in lines  # one unfinished, one of an unknown name
    assert lines[-1].split()[1] == str(home / "report" / "index.html")
    assert lines[-1].split()[1] and (home / "report" / "tables.tex").is_file()


def test_the_printed_table_tells_arms_of_one_algorithm_apart(tmp_path):
    for name in ("full", "none"):
        make_run(tmp_path / name, "broadcast", episode={"name": name})
    runs, _ = folders.read_runs(sorted(tmp_path.iterdir()))
    found = {row[0] for row in tables.lines(runs, arms(runs))}
    assert found == {"none", "broadcast episode=full", "broadcast episode=none"}


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: no run (run.json) in {tmp_path}; try outputs/*\n"


def test_a_report_is_never_written_into_a_run(tmp_path):
    run = make_run(tmp_path / "a")
    runs, _ = folders.read_runs([run])
    with pytest.raises(UserError, match="a report belongs beside runs"):
        build(runs, run / "evaluation" / "report")


def test_what_a_run_warned_of_stands_beside_it(written):
    home, _ = written
    rows = [line for line in (home / "report/report.md").read_text().splitlines() if "| answers copied |" in line]
    assert len(rows) == 1 and rows[0].startswith("| motif-1 |")


def test_an_unfinished_run_is_shown_as_far_as_it_is(tmp_path):
    make_run(tmp_path / "a", steps=2, finished=False)
    run = folders.read_run(tmp_path / "a")
    assert (run.steps, run.finished, run.seconds) == ((2, 3), False, {"update": 4.0})
    assert run.spent["generated_tokens"] == 200 and [result.rounds for result in run.results] == [1, 1, 3]


def test_a_file_that_cannot_be_read_is_one_line_and_the_others_are_reported(tmp_path, capsys):
    for seed in (0, 1):
        make_run(tmp_path / str(seed), seed=seed)
    (tmp_path / "1" / "summary.json").write_text('{"name": "a"')
    assert main([str(tmp_path / "0"), str(tmp_path / "1")]) == 0
    said = capsys.readouterr()
    assert said.err == f"{tmp_path / '1' / 'summary.json'} cannot be read: the run counts as unfinished\n"
    plain = (tmp_path / "report" / "report.md").read_text()
    assert "| 1 | motif | 1 | unreadable in part | 3 of 3 |" in plain and "| 0 | motif | 0 | finished |" in plain


def test_what_is_not_in_a_file_is_one_line_and_the_others_are_reported(tmp_path, capsys):
    for seed in (0, 1, 2):
        make_run(tmp_path / str(seed), seed=seed)
    summary = json.loads((tmp_path / "1/summary.json").read_text())
    write_json(tmp_path / "1/summary.json", summary | {"compute": {"evaluation": {}}})
    without = tmp_path / "2/evaluation/trained-sums-r3.jsonl"
    without.write_text('{"id": "q0", "answer": "2"}\n')
    assert main([str(tmp_path / name) for name in "012"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/1/summary.json does not say what training spent: the run counts as unfinished",
        f"{without} holds no samples of questions: its result is left out",
    ]
    plain = (tmp_path / "report" / "report.md").read_text()
    assert "| 1 | motif | 1 | unreadable in part |" in plain and "| 0 | motif | 0 | finished |" in plain


def test_records_that_say_no_more_than_what_was_right_are_shown_as_far_as_they_go(tmp_path):
    make_run(tmp_path / "a")
    file = tmp_path / "a/evaluation/trained-sums-r3.jsonl"
    bare = [
        {"id": "q0", "samples": [{"correct": True}]},
        {"id": "q1", "samples": [{"correct": False, "replies": ["x"]}]},
    ]
    file.write_text("".join(json.dumps(item) + "\n" for item in bare) + '{"id": "q2"}\n{"id": "q3", "sam')
    runs, _ = folders.read_runs([tmp_path / "a"])
    assert build(runs, tmp_path / "report").is_file()
    (result,) = (found for found in runs[0].results if found.rounds == 3)
    assert result.shares == {"q0": 1.0, "q1": 0.0} and result.shares_by_round == []


def test_in_the_terminal_every_run_has_its_rows_and_its_arms_name_and_equal_base_policies_one(tmp_path):
    for k in (1, 2, 4):
        make_run(tmp_path / f"k{k}", reward={"k": k})
    runs, _ = folders.read_runs(sorted(tmp_path.iterdir()))
    found = tables.lines(runs, arms(runs))
    named = [row[0] for row in found if row[3] == "trained" and row[5] == "3 rounds"]
    assert named == ["motif k=1", "motif k=2", "motif k=4"]
    assert len({row for row in found if row[0] == "none"}) == sum(row[0] == "none" for row in found) > 0


def test_seeds_have_their_spread_and_t_interval_in_the_table_of_arms(tmp_path):
    make_run(tmp_path / "a", seed=0, right=(True, True, True, False))
    make_run(tmp_path / "b", seed=1, right=(True, True, False, False))
    make_run(tmp_path / "c", "grpo", right=(True, True, False, False))
    for seed in (0, 1):
        make_run(tmp_path / f"d{seed}", "value", seed=seed, right=(True, True, False, False))
    found = tables.results(groups(arms(folders.read_runs(sorted(tmp_path.iterdir()))[0])), [])
    of = [
        list(found.columns).index(name) for name in ("arm", "decoded rounds", "spread of seeds", "interval over seeds")
    ]
    cells = {tuple(row[place] for place in of[:2]): tuple(row[place] for place in of[2:]) for row in found.rows}
    assert cells["motif", "3"] == ("17.7 points", "0.0% – 100.0%")  # of 75 % and 50 %: ± 12.7 · 17.7 / √2
    assert cells["value", "3"] == ("0.0 points", "–")
    assert cells["grpo", "3"] == ("–", "–") and all(len(row) == len(found.columns) for row in found.rows)


def test_work_is_divided_in_order_and_what_fails_is_raised():
    numbers = list(range(20))
    assert each(lambda number: number * number, numbers) == [number * number for number in numbers]
    assert each(str, []) == []
    with pytest.raises(ZeroDivisionError):
        each(lambda number: 1 / number, numbers)


def test_policies_measured_without_a_run_are_reported_alone_and_beside_runs(tmp_path, capsys):
    evaluated(tmp_path / "evaluations" / "Qwen", "x", "Qwen", records(sample(), sample(correct=False)))
    moved = tmp_path / "evaluations" / "Qwen"
    for file in (moved / "evaluation").iterdir():
        file.rename(moved / file.name)
    make_run(tmp_path / "a", "grpo")
    assert main([str(moved.parent)]) == 0
    plain = (tmp_path / "report" / "report.md").read_text()
    assert "1 policy measured without a run" in plain and "| sums | Qwen | 1 | 50.0% |" in plain
    assert "| none | – | – | Qwen | sums |" in capsys.readouterr().out
    assert main([str(tmp_path / "a"), str(moved)]) == 0
    plain = (tmp_path / "report" / "report.md").read_text()
    assert "1 run in 1 arm, 1 policy measured without a run" in plain
    assert "Not compared: " in plain and "hold different questions (dataset rows)." in plain


def test_other_counts_of_the_ledger_can_be_the_axis(tmp_path):
    make_run(tmp_path / "a")
    runs, _ = folders.read_runs([tmp_path / "a"])
    for place, line in enumerate(runs[0].metrics):
        line.update({"train/flops": 1e12 * (place + 1), "seconds/training": place})
        line["train/optimiser_steps"] = place + 1
    for result in runs[0].results:
        result.found["compute"] = {"flops": 4e9}
    found = arms(runs)
    drawn = {item.name: item.svg for item in draw_all(tmp_path / "p", found, groups(found), list(AXES)[1:])}
    assert ">optimiser steps<" in drawn["reward-optimiser_steps-sums"] and "optimiser_steps-sums" not in drawn
    assert "FLOPs of training (estimated)" in drawn["reward-flops-sums"] and "2T" in drawn["reward-flops-sums"]
    assert "FLOPs / question (mean)" in drawn["flops-sums"] and "1G" in drawn["flops-sums"]
    counted = {key for key, _ in AXES.values()}
    assert {axis for axis in LEDGER if "*" not in axis} - {"train/step"} <= counted
    assert "seconds of training" in drawn["reward-seconds-sums"] and "seconds-sums" not in drawn
    with pytest.raises(SystemExit):
        main([str(tmp_path / "a"), "--axis", "miles"])


def test_arms_differ_in_more_than_their_seed_and_are_named_by_what_differs(tmp_path):
    usual, other = {"name": "usual", "weight": 0.1, "again": 0.1}, {"name": "other", "weight": 0.5, "again": 0.5}
    make_run(tmp_path / "a", seed=0, reward=usual)
    make_run(tmp_path / "b", seed=1, reward=usual)
    make_run(tmp_path / "c", algo="grpo", reward=usual)
    make_run(tmp_path / "d", reward=other, evaluation={"questions": 4})
    found = arms(folders.read_runs(sorted(tmp_path.iterdir()))[0])
    assert {(arm.name, len(arm.runs)) for arm in found if arm.trained} == {
        ("grpo", 1), ("motif", 2), ("motif reward=other", 1)
    }  # fmt: skip
    table = tables.differences([arm for arm in found if arm.trained])
    columns, rows = table.columns, table.rows
    assert [row[0] for row in rows] == ["algo.name", "reward.name", "reward.again"]  # the weight repeats another key
    assert rows[1][columns.index("motif reward=other")] == "other"


def test_seeds_are_pooled_by_question(tmp_path):
    make_run(tmp_path / "a", seed=0, right=(True, False, True, False))
    make_run(tmp_path / "b", seed=1, right=(True, True, True, False))
    runs, _ = folders.read_runs(sorted(tmp_path.iterdir()))
    write_episodes(runs, tmp_path / "episodes", most=1)  # shares are of all questions, whatever is kept to be shown
    group = next(group for group in groups(arms(runs)) if group.arm.trained and group["rounds"] == 3)
    assert group.mean("accuracy") == 0.625 and len(group.results) == 2
    low, high = group.interval
    assert 0.0 < low < 0.25 and 0.85 < high < 1.0
    assert [value for value, _ in group.by_round] == [0.0, 0.0, 0.625]


def test_a_curve_is_a_mean_and_a_band_over_seeds_and_goes_on_as_single_seeds(tmp_path):
    make_run(tmp_path / "a", seed=0, steps=4)
    make_run(tmp_path / "b", seed=1, steps=2, finished=False)
    arm = arms(folders.read_runs([tmp_path / "a", tmp_path / "b"])[0])[0]
    for line in arm.runs[1].metrics:
        line["train/reward"] = 1.0
    found = curve(arm, "reward", "train/generated_tokens")
    assert list(found.x) == [100, 200] and list(found.mean) == [0.75, 0.75]
    assert (list(found.low), list(found.high)) == ([0.5, 0.5], [1.0, 1.0])
    assert [list(x) for x, _ in found.ends] == [[200, 300, 400]]  # from where the seeds part
    assert counted(arm) == "n = 2 seeds, 1 unfinished"


def test_the_frontier_is_the_best_accuracy_for_at_most_so_many_tokens():
    assert frontier([(30, 50), (10, 20), (20, 10), (40, 45), (10, 30)]) == ([10, 30, 40], [30, 50, 50])


def test_the_papers_table_stands_only_beside_its_own_setting(tmp_path):
    def references(dataset="math500", path="Qwen/Qwen2.5-3B-Instruct", n=500, on="gsm8k", warm=0.0, samples=1):
        folder = tmp_path / "run"
        make_run(folder, model={"name": "qwen2.5-3b-4bit", "path": path}, dataset={"name": on})
        summary = json.loads((folder / "summary.json").read_text())
        write_json(folder / "summary.json", summary | {"dataset": on})
        several = [item | {"samples": item["samples"] * samples} for item in records(*[sample()] * n)]
        result = evaluated(folder, "trained-x-r1", "trained", several, dataset)
        drawn = {"sampling": [{"temperature": warm, "top_p": 1.0}]}
        write_json(folder / "evaluation" / "trained-x-r1.json", result | drawn)
        return paper.references([folders.read_run(folder)])

    for other in (
        {"path": "Qwen/Qwen2.5-3B"}, {"path": "Qwen/Qwen2.5-Coder-3B-Instruct"}, {"path": None}, {"on": "chain"},
        {"n": 100}, {"warm": 0.6}, {"samples": 2}, {"dataset": "gsm8k"},
    ):  # fmt: skip
        assert references(**other) == [], other
    found = references()
    assert [(item.arm, item.n, item.accuracy) for item in found] == [
        ("Qwen2.5-3B-Instruct", 500, 0.376), ("vanilla GRPO", 500, 0.448), ("MOTIF", 500, 0.486)
    ]  # fmt: skip
    assert [round(100 * bound, 1) for bound in found[2].interval] == [44.2, 53.0]
    assert [round(100 * item.accuracy, 2) for item in references("aime24", n=30)] == [0, 3.33, 6.67]


def test_the_paper_stands_beside_its_own_model_measured_without_a_run(tmp_path):
    folder = tmp_path / "evaluations" / "Qwen2.5-3B-Instruct"
    result = evaluated(folder, "x", "Qwen", records(*[sample()] * 30), "aime24")
    for file in (folder / "evaluation").iterdir():
        file.rename(folder / file.name)
    write_json(folder / "x.json", result | {"sampling": [{"temperature": 0.0, "top_p": 1.0}]})
    assert len(paper.references([folders.read_measured(folder)])) == 3


def test_what_breaks_a_table_is_escaped():
    table = tables.Table("t", "50 % & more", ["a_b", "x"], [["m|n <b>", r"\input{x}"]], right=frozenset({1}))
    assert "m\\|n &lt;b>" in table.markdown()
    assert r"m|n \textless{}b\textgreater{} & \textbackslash{}input\{x\} \\" in table.latex()
    assert r"\caption{50 \% \& more." in table.latex() and r"\begin{tabular}{lr}" in table.latex()


def test_a_sample_of_a_stream_is_even_and_bounded():
    sample = Sample(most=100, most_bytes=10_000)
    for place in range(1234):
        if sample.wants_next():
            sample.keep(str(place))
    kept = [int(item) for item in sample.items]
    assert sample.seen == 1234 and 50 <= len(kept) <= 100
    assert kept == list(range(0, 1234, kept[1]))[: len(kept)] and kept[-1] > 1234 - 2 * kept[1]


def test_a_script_holds_one_string_that_is_json(tmp_path):
    text = script("s1", 0, [json.dumps({"text": HOSTILE})])
    assert text.isascii() and "<" not in text
    inner = json.loads(text.removeprefix('motifEpisodes("s1",0,').removesuffix(");\n"))
    assert json.loads(inner)[0]["text"] == HOSTILE


def test_the_ends_of_a_tree_are_flagged_and_a_torn_file_is_read_as_far_as_it_goes(tmp_path):
    copied = leaf(prediction="2", children=[leaf(2, prediction="2", correct=True, finished=False, strict=False)])
    item = {"step": 1, "id": "t", "question": "", "gold": "2", "facts": {}, "replies": [copied, leaf()]}
    whole = gzip.compress((json.dumps(item) + "\n").encode())
    (tmp_path / "e.gz").write_bytes(whole + whole[:-20])
    (found,) = list(trained(tmp_path / "e.gz"))[:1]
    assert found["flags"] == {"truncated", "copied", "disagree", "wrong", "unparsable"}
    assert found["replies"][0]["children"][0]["flags"] == ["disagree", "truncated", "copied"]


def test_pictures_are_written_in_both_kinds_with_units_and_n(written, tmp_path):
    runs, _ = folders.read_runs(sorted(written[0].iterdir()))
    found = arms(runs)
    drawn = draw_all(tmp_path, found, groups(found))
    names = {picture.name for picture in drawn}
    assert {"reward-steps-sums", "reward-tokens-sums", "rounds-sums", "tokens-sums", "by-round-sums", "time"} <= names
    assert {file.stem for file in tmp_path.glob("*.png")} == {file.stem for file in tmp_path.glob("*.svg")} == names
    for picture in drawn:
        assert "n = " in picture.svg and "currentColor" in picture.svg and 'id="' + picture.name in picture.svg
        assert any(unit in picture.svg for unit in ("(%)", "tokens", "step", "minutes", "reward"))


def test_no_legend_is_wider_than_its_picture(tmp_path):
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for label in (
        "motif (n = 512 × 3 seeds), 3 rounds",
        "motif k=4 (n = 48–512 × 3 seeds)",
        "grpo (n = 512 × 3 seeds)",
    ):
        with rc_context(STYLE):
            made, axes = figure("title", "x", "y")
            for place in range(2):
                axes.errorbar([1], [place], [[1], [1]], marker="o", label=label)
            legend(made, axes)
            FigureCanvasAgg(made).draw()
        assert made.legends[0].get_window_extent().x1 <= made.bbox.width, label


def test_an_older_reports_pictures_are_taken_away_and_nobody_elses(tmp_path):
    write_text(tmp_path / "report.md", "![old](pictures/old.png)\n\n![up](pictures/../../up.png)\n")
    for name in ("old.png", "old.svg", "photo.png"):
        write_text(tmp_path / "pictures" / name, "")
    clear(tmp_path)
    assert [file.name for file in (tmp_path / "pictures").iterdir()] == ["photo.png"]


def test_an_arm_with_a_name_that_is_markup_draws(tmp_path):
    make_run(tmp_path / "a", algo="$x_{<b>&")
    runs, _ = folders.read_runs([tmp_path / "a"])
    page = build(runs, tmp_path / "report").read_text()
    assert "$x_{&lt;b&gt;&amp;" in page and "$x_{<b>" not in page


def test_the_page_is_self_contained_and_its_tables_are_in_the_other_files(written):
    folder = written[0] / "report"
    page, plain, tex = ((folder / name).read_text() for name in ("index.html", "report.md", "tables.tex"))
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert page.index('id="verdicts"') < page.index('id="results"')
    for text in (page, plain):
        assert "motif is " in text and "unfinished" in text and "decoded in 3 rounds" in text
    assert "decoded in 3 rounds & " not in tex and r"\toprule" in tex and tex.count(r"\begin{table}") == 4
    for line in plain.splitlines():
        if line.startswith("!["):
            assert (folder / line.split("(")[1].rstrip(")")).is_file()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A report on what a hostile policy wrote: 4 questions, 2 right, 1 truncated, 1 of which the graders disagree."""
    home = tmp_path_factory.mktemp("outputs")
    run = make_run(home / "a", text=HOSTILE)
    samples = [
        *(sample(HOSTILE, 3), sample("plain needle", 3, strict=False)),
        *(sample(HOSTILE, 3, correct=False, truncated=True), sample("c", 3, correct=False, copied=True)),
    ]
    evaluated(run, "trained-sums-r3", "trained", records(*samples))
    runs, _ = folders.read_runs([run])
    return build(runs, home / "report")


def browse(page, script, **settings):
    """What the script returns, and the lines of the console."""
    if chromium() is None:
        pytest.skip("no chromium here")
    with Browser(**settings) as browser:
        browser.open(page)
        return browser.run(script), browser.console


LISTED = """
    $("episodes").scrollIntoView();
    await until(() => page.querySelectorAll("#list button").length > 0);
    const listed = () => [...page.querySelectorAll("#list button")].map((item) => item.firstChild.textContent);
    const tick = (flag) => { const box = page.querySelector(`#filters input[value=${flag}]`); box.click(); };
    const found = {};
"""


@pytest.mark.slow
def test_the_page_lists_filters_and_searches_in_a_browser(hostile):
    script = """
    found.all = listed();
    for (const flag of ["right", "wrong", "truncated", "copied", "disagree"]) {
      tick(flag); found[flag] = listed(); tick(flag);
    }
    tick("wrong"); tick("copied"); found.both = listed(); tick("wrong"); tick("copied");
    $("search").value = "NEEDLE"; $("search").oninput();
    await until(() => listed().length === 1);
    found.searched = listed(); found.marked = page.querySelector("mark").textContent;
    $("search").value = ""; $("search").oninput(); await until(() => listed().length === 4);
    const training = [...$("source").options].find((option) => option.textContent.startsWith("training"));
    $("source").value = training.value; $("source").onchange();
    await until(() => listed().length === 1);
    found.counted = ["wrong", "disagree"].map((flag) => $("filter-" + flag).textContent);
    found.training = [...page.querySelectorAll(".tag")].map((tag) => tag.textContent);
    found.rounds = [...page.querySelectorAll(".reply > summary")].map((title) => title.firstChild.textContent);
    return found;"""
    found, console = browse(hostile, LISTED + script)
    q = [f"question {place}" for place in range(4)]
    assert console == []
    assert found["all"] == q and found["right"] == q[:2] and found["wrong"] == q[2:]
    assert (found["truncated"], found["copied"], found["disagree"]) == ([q[2]], [q[3]], [q[1]])
    assert found["both"] == [q[3]] and found["searched"] == [q[1]] and found["marked"] == "needle"
    assert found["counted"][0].startswith("wrong (") and found["counted"][1] == "graders disagree (not known)"
    assert {"reward 1.000", "advantage 0.700", "5 tokens", "answer 2"} <= set(found["training"])
    assert found["rounds"] == ["round 1", "round 2"]


@pytest.mark.slow
def test_hostile_model_text_is_shown_as_it_is_and_does_nothing(hostile):
    script = """
    found.text = page.querySelector("pre.text").textContent; found.owned = typeof win.owned;
    found.images = page.querySelectorAll("img").length; found.scripts = page.querySelectorAll("article script").length;
    return found;"""
    found, console = browse(hostile, LISTED + script)
    assert console == []
    assert found["text"] == visible(HOSTILE)  # marks that turn text, and lone surrogates, by their numbers
    assert (found["owned"], found["images"], found["scripts"]) == ("undefined", 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone_and_is_legible_in_light_and_dark(hostile, dark):
    script = """
    const light = (colour) => {
      const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      const [r, g, b] = colour.match(/[\\d.]+/g).map((value) => linear(value / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(win.getComputedStyle(page.body).backgroundColor);
    const contrast = (selector) => {
      const ink = light(win.getComputedStyle(page.querySelector(selector)).color);
      return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    };
    found.contrasts = ["body", ".note", "a", "figure svg", "pre", ".right-answer", ".tag"].map(contrast);
    found.paper = paper; found.width = page.documentElement.scrollWidth;
    return found;"""
    found, console = browse(hostile, LISTED + script, width=390, dark=dark)
    assert console == [] and found["width"] <= 390
    assert (found["paper"] < 0.1) == dark and min(found["contrasts"]) >= 4.5


@pytest.mark.slow
def test_a_missing_file_of_episodes_is_said(hostile, tmp_path):
    alone = tmp_path / "index.html"
    alone.write_text(Path(hostile).read_text())
    script = """$("episodes").scrollIntoView();
    await until(() => $("state").textContent.includes("missing"));
    return $("state").textContent;"""
    found, _ = browse(alone, script)
    assert "1 of 1 files are missing: keep episodes/ beside this page" in found
