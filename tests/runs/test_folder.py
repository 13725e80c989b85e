import gzip
import json

import pytest
import yaml

from motif.runs.folder import Run
from motif.system import processes
from motif.system.errors import UserError
from motif.system.locks import Busy, Lock


def begun(folder, config, overwrite=False):
    run = Run.open(folder, config, overwrite)
    run.begin(config, overwrite)
    return run


CONFIG = {"rounds": 3, "algo": {"k": 2}, "tracking": {"mode": None}, "name": "x"}


def test_a_new_run_has_its_resolved_configuration_and_a_stable_id(tmp_path):
    run = begun(tmp_path / "run", CONFIG)
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text()) == CONFIG
    assert begun(tmp_path / "run", CONFIG).id == run.id


def test_another_configuration_under_the_same_name_is_refused_naming_what_differs(tmp_path):
    begun(tmp_path / "run", CONFIG).record({"step": 1})
    with pytest.raises(UserError, match=r"algo\.k, seed differ"):
        Run.open(tmp_path / "run", {**CONFIG, "algo": {"k": 4}, "seed": 1})


def test_a_run_that_has_recorded_nothing_gives_way_to_another_configuration(tmp_path):
    first = begun(tmp_path / "run", CONFIG).id
    assert begun(tmp_path / "run", {**CONFIG, "seed": 1}).id != first


def test_a_run_killed_while_it_was_begun_can_be_begun_again(tmp_path):
    first = begun(tmp_path / "run", CONFIG).id
    (tmp_path / "run/config.yaml").unlink()
    assert begun(tmp_path / "run", CONFIG).id == first
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text()) == CONFIG


def test_opening_writes_nothing(tmp_path):
    Run.open(tmp_path / "outputs" / "run", CONFIG)
    assert not list(tmp_path.iterdir())


GSM8K = {**CONFIG, "dataset": {"hub": "openai/gsm8k", "path": "here"}}


def test_a_moved_copy_of_the_data_is_the_same_run_and_other_rows_are_refused(tmp_path):
    run = begun(tmp_path / "run", GSM8K)
    run.begin(GSM8K, rows="123")  # nothing was recorded yet
    run.record({"step": 1})
    moved = {**GSM8K, "dataset": {"hub": "openai/gsm8k", "path": "there"}}
    again = Run.open(tmp_path / "run", moved)
    again.begin(moved, rows="123")
    assert again.id == run.id
    with pytest.raises(UserError, match="other questions than dataset.path"):
        again.begin(moved, rows="456")


def test_one_process_at_a_time_works_on_a_run(tmp_path):
    run = Run(tmp_path / "outputs" / "run")
    with run.held(), pytest.raises(Busy, match=r"outputs/run is being worked on"), run.held():
        pass
    with run.held():
        assert not run.folder.exists()  # the lock lies beside it


def of_two(monkeypatch, rank, said_by_first):
    """Be one of two processes; to the second the first says what it made."""
    monkeypatch.setenv("RANK", str(rank)), monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(processes, "of_all", lambda made: [said_by_first, made] if rank else [made, []])


def test_of_the_processes_of_one_training_the_first_holds_the_run(tmp_path, monkeypatch):
    run = Run(tmp_path / "run")
    with run.held():
        of_two(monkeypatch, 1, [None])
        with run.held():
            pass


@pytest.mark.parametrize("rank", [0, 1])
def test_a_run_that_another_process_works_on_is_busy_for_all_processes_of_a_training(tmp_path, monkeypatch, rank):
    run = Run(tmp_path / "run")
    with Lock(run.lock, "it"):
        of_two(monkeypatch, rank, Busy("what the first was told"))
        with pytest.raises(Busy, match="^what the first was told$" if rank else "being worked on"), run.held():
            raise AssertionError


@pytest.mark.parametrize(("rank", "left"), [("0", False), ("1", True)])
def test_an_error_of_another_process_leaves_the_draft_that_the_first_may_be_sealing(tmp_path, monkeypatch, rank, left):
    run = Run(tmp_path / "run")
    draft = run.checkpoints / "writing" / "checkpoint-1"
    draft.mkdir(parents=True)
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(KeyError), run.writing("the same command"):
        raise KeyError("x")
    assert draft.exists() == left


def test_plumbing_may_change(tmp_path):
    run = begun(tmp_path / "run", CONFIG)
    assert begun(tmp_path / "run", {**CONFIG, "tracking": {"mode": "offline"}}).id == run.id


def test_overwriting_is_explicit_and_loses_the_old_run(tmp_path):
    first = begun(tmp_path / "run", CONFIG)
    first_id = first.id
    first.finish({"done": True})
    assert begun(tmp_path / "run", CONFIG).summary() == {"format": 1, "done": True}
    again = begun(tmp_path / "run", {**CONFIG, "rounds": 1}, overwrite=True)
    assert again.id != first_id and again.summary() is None


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_that_is_not_a_run_is_left_alone(tmp_path, overwrite):
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(UserError, match="is not a run"):
        Run.open(tmp_path, CONFIG, overwrite=overwrite)
    assert (tmp_path / "thesis.tex").read_text() == "ten years of work"


def test_an_unwritable_place_is_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        Run.open(tmp_path / "file" / "run", CONFIG)


def test_files_that_grow_can_be_cut_back_to_a_checkpoint(tmp_path):
    run = begun(tmp_path / "run", CONFIG)
    run.record({"step": 1})
    run.write_episodes([{"step": 1}])
    positions = run.positions()
    run.record({"step": 2})
    run.write_episodes([{"step": 2}, {"step": 2}])
    run.cut(positions)
    run.write_episodes([{"step": 3}])
    assert run.metrics() == [{"step": 1}]
    with gzip.open(run.episodes_file, "rt") as file:
        assert [json.loads(line)["step"] for line in file] == [1, 3]


def saved(run, step):
    draft = run.checkpoints / "writing" / f"checkpoint-{step}"
    draft.mkdir(parents=True)
    (draft / "weights").write_text(str(step))
    run.seal({"step": step}, 2)


def test_a_checkpoint_goes_with_the_lines_that_were_written_and_with_its_own_run_alone(tmp_path, capsys):
    run = begun(tmp_path / "run", CONFIG)
    assert run.checkpoint() is None and run.from_where() == ""
    for step in (1, 2):
        run.record({"step": step})
        saved(run, step)
    assert run.checkpoint().step == 2 and run.from_where() == " from step 2"
    run.cut(run.checkpoint().note["positions"] | {"metrics.jsonl": 15})  # a line did not reach the disk
    assert run.checkpoint().step == 1 and "metrics.jsonl has lost lines" in capsys.readouterr().out
    other = begun(tmp_path / "other", CONFIG)
    (run.checkpoints / "checkpoint-1").rename(other.folder / "checkpoint-1")
    (other.folder / "checkpoints").mkdir()
    (other.folder / "checkpoint-1").rename(other.checkpoints / "checkpoint-1")
    with pytest.raises(UserError, match="it is of another run"):
        other.checkpoint()


def test_what_a_kill_leaves_of_a_first_file_is_no_other_thing(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.run.json.123").write_text("{")
    assert not begun(tmp_path / "run", CONFIG).has_recorded()
    (tmp_path / "run/run.json").unlink()
    (tmp_path / "run/thesis.tex").write_text("x")
    with pytest.raises(UserError, match="exists and is not a run"):
        Run.open(tmp_path / "run", CONFIG)


def test_records_of_nobody_knows_what_are_refused_and_overwritten_when_that_is_said(tmp_path):
    run = begun(tmp_path / "run", CONFIG)
    run.record({"step": 1})
    (tmp_path / "run/config.yaml").unlink()
    with pytest.raises(UserError, match=r"no config.yaml.*overwrite=true"):
        Run.open(tmp_path / "run", CONFIG)
    run = Run.open(tmp_path / "run", CONFIG, overwrite=True)
    run.begin(CONFIG, overwrite=True)
    assert not run.has_recorded() and [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_job_put_into_its_queue_again_goes_on_with_what_it_began_by_overwriting(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    run = begun(tmp_path / "run", CONFIG)
    assert not run.begun_by_this_job()
    run.begin(CONFIG, overwrite=True)
    assert run.begun_by_this_job()
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    assert not run.begun_by_this_job()
    monkeypatch.delenv("SLURM_JOB_ID")
    assert not run.begun_by_this_job()
    run.begin(CONFIG, overwrite=True)
    assert not run.begun_by_this_job()


def test_a_run_whose_folder_was_taken_away_says_so_and_makes_no_other(tmp_path):
    run = begun(tmp_path / "run", CONFIG)
    run.check_there()
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="was removed or moved while"):
        run.check_there()
    with pytest.raises(FileNotFoundError):
        run.record({"step": 1})
    assert not (tmp_path / "run").exists()
