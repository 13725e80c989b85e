"""The command, on run folders made here."""

import json

import pytest

from motif.reporting import verdicts
from motif.reporting.folders import read_runs
from motif.reporting.program import build, main
from motif.runs.folder import write_json
from motif.system import console
from motif.system.errors import UserError
from tests.support.run_folders import evaluated, make_run, records, sample


def test_the_command_prints_the_table_what_it_left_out_and_where_the_report_lies(written):
    home, printed = written
    lines = printed.strip().splitlines()
    assert lines[0].split()[:4] == ["arm", "rounds", "seed", "policy"]
    text = " ".join(printed.split())
    assert "No verdict on motif against" in text and "decoded in 3 rounds" in text
    rows = [line.split() for line in lines]
    assert "motif 3 0 trained sums 3 rounds 100.0% 51.0% – 100.0% 4 0.0% 15".split() in rows
    assert "2 of 5 folders hold no finished run." in lines  # one unfinished, one of an unknown name
    assert lines[-1].split()[1] == str(home / "report" / "index.html")
    assert (home / "report" / "tables.tex").is_file()


def test_on_a_terminal_of_80_columns_no_line_is_longer(tmp_path, capsys, monkeypatch, without_pictures):
    monkeypatch.setattr(console.console, "_width", 80)
    monkeypatch.chdir(tmp_path)
    for name, settings in (("a", {}), ("b", {"reward": {"name": "a_reward_with_a_rather_long_name"}})):
        make_run(tmp_path / "outputs" / name, **settings)
    make_run(tmp_path / "outputs/c", "grpo")
    assert main(["outputs"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80 and "…" not in said and "|" not in said
    assert "15.0% – 85.0%" in said and "a_reward_with_a_rather_long_name" in said
    assert main(["outputs", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("| arm | rounds | seed | policy | data set |")


@pytest.mark.parametrize("program", [main, verdicts.main])
def test_a_baseline_that_is_not_there_is_refused_before_anything_is_shown(program, tmp_path, capsys):
    make_run(tmp_path / "outputs/a")
    make_run(tmp_path / "outputs/b", "grpo")
    assert program([str(tmp_path / "outputs"), "--against", "motiff"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: no arm is called motiff, did you mean motif? (arms: ") and not said.out
    assert not (tmp_path / "outputs/report").exists()


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: no run (run.json) in {tmp_path}; try outputs/*\n"


def test_a_report_is_never_written_into_a_run(tmp_path):
    run = make_run(tmp_path / "a")
    runs, _ = read_runs([run])
    with pytest.raises(UserError, match="a report belongs beside runs"):
        build(runs, run / "evaluation" / "report")


def test_a_file_that_cannot_be_read_is_one_line_and_the_others_are_reported(tmp_path, capsys, without_pictures):
    for seed in (0, 1):
        make_run(tmp_path / str(seed), seed=seed)
    (tmp_path / "1" / "summary.json").write_text('{"name": "a"')
    assert main([str(tmp_path / "0"), str(tmp_path / "1")]) == 0
    said = capsys.readouterr()
    assert said.err == f"{tmp_path / '1' / 'summary.json'} cannot be read: the run counts as unfinished\n"
    plain = (tmp_path / "report" / "report.md").read_text()
    assert "| 1 | motif | 1 | unreadable in part | 3 of 3 |" in plain and "| 0 | motif | 0 | finished |" in plain


def test_what_is_not_in_a_file_is_one_line_and_the_others_are_reported(tmp_path, capsys, without_pictures):
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


def test_records_that_say_no_more_than_what_was_right_are_shown_as_far_as_they_go(tmp_path, one_metric):
    make_run(tmp_path / "a")
    file = tmp_path / "a/evaluation/trained-sums-r3.jsonl"
    bare = [
        {"id": "q0", "samples": [{"correct": True}]},
        {"id": "q1", "samples": [{"correct": False, "replies": ["x"]}]},
    ]
    file.write_text("".join(json.dumps(item) + "\n" for item in bare) + '{"id": "q2"}\n{"id": "q3", "sam')
    runs, _ = read_runs([tmp_path / "a"])
    assert build(runs, tmp_path / "report").is_file()
    (result,) = (found for found in runs[0].results if found.rounds == 3)
    assert result.shares.whole == {"q0": 1.0, "q1": 0.0} and result.shares.by_round == {}


def test_policies_measured_without_a_run_are_reported_alone_and_beside_runs(tmp_path, capsys, without_pictures):
    evaluated(tmp_path / "evaluations" / "Qwen", "x", "Qwen", records(sample(), sample(correct=False)))
    moved = tmp_path / "evaluations" / "Qwen"
    for file in (moved / "evaluation").iterdir():
        file.rename(moved / file.name)
    make_run(tmp_path / "a", "grpo")
    assert main([str(moved.parent)]) == 0
    plain = (tmp_path / "report" / "report.md").read_text()
    assert "1 policy measured without a run" in plain and "| sums | Qwen | 1 | 50.0% |" in plain
    assert "none – – Qwen sums" in " ".join(capsys.readouterr().out.split())
    assert main([str(tmp_path / "a"), str(moved)]) == 0
    plain = (tmp_path / "report" / "report.md").read_text()
    assert "1 run in 1 arm, 1 policy measured without a run" in plain
    assert "Not compared: " in plain and "hold different questions (dataset rows)." in plain


def test_an_arm_with_a_name_that_is_markup_draws(tmp_path, one_metric):
    make_run(tmp_path / "a", algo="$x_{<b>&")
    runs, _ = read_runs([tmp_path / "a"])
    page = build(runs, tmp_path / "report").read_text()
    assert "$x_{&lt;b&gt;&amp;" in page and "$x_{<b>" not in page


def test_where_no_arm_is_the_baseline_the_most_usual_one_is_and_nothing_is_refused(tmp_path, capsys, without_pictures):
    for k in (1, 2):
        make_run(tmp_path / f"k{k}", algo="motif", reward={"k": k})
    assert main([str(tmp_path / f"k{k}") for k in (1, 2)]) == 0
    printed = capsys.readouterr().out
    assert "no arm is called" not in printed and "No verdict on motif k=2 against motif k=1" in printed
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Too few seeds to say whether motif k=2 (+0.0 points) differs from motif k=1." in page
