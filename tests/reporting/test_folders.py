import pytest

from motif.reporting.folders import read_run, read_runs
from tests.support.studies import evaluation, run

RIGHT = [True, False, True, True]


def test_what_is_no_run_is_counted_and_known_names_are_passed_over(tmp_path):
    run(tmp_path / "a", trained=RIGHT)
    for name in ("evaluations", "report", ".locks", "something"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").write_text("")
    runs, others = read_runs([*sorted(tmp_path.iterdir()), tmp_path / "a", tmp_path / "gone"])
    assert [(item.name, item.finished) for item in runs] == [("a", True)] and others == 2


def test_a_file_that_is_torn_is_named_and_the_rest_is_read(tmp_path):
    folder = run(tmp_path / "a", trained=RIGHT, base=RIGHT)
    (folder / "metrics.jsonl").write_text('{"step": 1, "total/questions": 8}\n{"step": 2, "tr')
    for file in ("summary.json", "evaluation/trained-chain-r3.json"):
        (folder / file).write_text((folder / file).read_text()[:40])
    (found,), _ = read_runs([folder])
    assert list(found.complaints) == [
        f"{folder / 'summary.json'} cannot be read: the run counts as unfinished",
        f"{folder / 'evaluation/trained-chain-r3.json'} cannot be read: its result is left out",
    ]
    assert not found.finished and [result.policy for result in found.results] == ["base"]
    assert len(found.metrics) == 1 and found.spent["questions"] == 8
    (folder / "config.yaml").write_text("a: [")
    assert (
        read_run(folder).complaints[1] == f"{folder / 'config.yaml'} cannot be read: the run's settings are not known"
    )


def test_what_was_measured_without_a_run_is_read_from_its_folder_or_the_one_above(tmp_path):
    folder = tmp_path / "evaluations" / "Qwen"
    evaluation(folder / "chain-r3-abc", RIGHT, "Qwen/Qwen2.5-3B", "chain", 3, seed=4)
    for given in (folder, folder.parent):
        (found,), others = read_runs([given])
        assert (found.name, found.measured, found.finished, others) == ("Qwen", True, True, 0)
        assert [(item.policy, item.seed, item.n) for item in found.results] == [("base", 4, 4)]


def test_folders_of_one_name_are_called_by_their_paths(tmp_path):
    folders = [run(tmp_path / study / "a", trained=RIGHT) for study in ("one", "two")]
    folders.append(run(tmp_path / "one" / "b", trained=RIGHT))
    assert [item.name for item in read_runs(folders)[0]] == [str(folders[0]), str(folders[1]), "b"]


def test_shares_are_of_a_questions_samples_and_results_without_records_have_none(tmp_path):
    folder = run(tmp_path / "a")
    evaluation(folder / "evaluation/math500-r2-x2-abc", [[1, 0], [1, 1]], "run 1", "math500", 2)
    (found,) = read_run(folder).results
    assert found.shares.whole == {"math500-0": 0.5, "math500-1": 1.0} and found.tokens == 120
    found.records.unlink()
    (found,) = read_run(folder).results
    assert found.records is None and found.shares.whole == {}


@pytest.mark.parametrize("summary", ["[]", "{}", '{"evaluation": [{"policy": "base"}, 3]}'])
def test_a_summary_of_another_shape_breaks_nothing(tmp_path, summary):
    folder = run(tmp_path / "a")
    (folder / "summary.json").write_text(summary)
    found = read_run(folder)
    assert found.results == [] and not found.finished and found.spent["seconds"] is None
    assert [line.endswith("the run counts as unfinished") for line in found.complaints] == [True] * (
        summary[1:2] == '"'
    )
