"""The lab as a command, on a run of two steps."""

import gzip
import json

import pytest
import yaml

from motif.evaluation.credit.program import main
from tests.support import FEW


@pytest.fixture(scope="module")
def run(forks, tmp_path_factory):
    """A finished run of `value` on the embedded default: two steps."""
    folder = tmp_path_factory.mktemp("credit")
    words = ["experiment=smoke", "algo=value", "algo.k=1", "algo.m=4", "algo.steps=2", "evaluation.before=false", *FEW]
    status, said = forks.train(folder, *words, "evaluation.questions=4", "name=run", "tracking=none").wait()
    assert status == 0, said
    return folder / "outputs" / "run"


def records(run):
    with gzip.open(run / "episodes.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def remade(run, folder, lines, end=b""):
    """The run's folder with other episodes, in `folder`."""
    made = folder / "run"
    made.mkdir()
    for file in ("run.json", "config.yaml"):
        (made / file).write_bytes((run / file).read_bytes())
    content = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
    (made / "episodes.jsonl.gz").write_bytes(content + end)
    return made


def test_a_runs_own_advantages_are_those_that_it_recorded_and_all_schemes_are_held_against_them(run, capsys):
    assert main([str(run)]) == 0
    result = json.loads((run / "credit/agreement.json").read_text())
    assert result["recorded"] == 0.0 and result["own"] == "value k=1" and result["groups"] == len(records(run)) == 4
    assert result["schemes"][0] == "motif k=2" and set(result["undefined"]) == {"grpo"}
    assert {row["round"] for row in result["agreement"] if row["one"] == "broadcast"} == {1, 2, 3}
    lines = (run / "credit/agreement.csv").read_text().splitlines()
    assert len(lines) == 1 + len(result["agreement"]) and lines[0].startswith("one,other,round,n,")
    said = capsys.readouterr().out
    assert "grpo: it is of replies in 1 round" in said and "--gradients 64" in said and "python -m motif.report" in said


def test_gradients_of_a_runs_policy_are_measured_written_and_drawn(run, capsys):
    words = ["--gradients", "2", "--draws", "2", "--k", "1", "--reference-k", "1", "--reference-draws", "2"]
    assert main([str(run), *words, "--policy", "base"]) == 0
    result = json.loads((run / "credit/gradients-base.json").read_text())
    rows = {row["scheme"]: row for row in result["schemes"]}
    assert list(rows) == ["motif k=1", "leave_one_out k=1", "broadcast", "discounted gamma=0.5", "value k=1"]
    assert rows["broadcast"]["tokens"] == rows["motif k=1"]["tokens"] < rows["value k=1"]["tokens"]
    assert all(row["noise"] >= 0 for row in result["schemes"]) and any(row["noise"] > 0 for row in result["schemes"])
    assert rows["value k=1"]["against_own"] in (None, 1.0) and rows["motif k=1"]["trained_rounds"] == 1
    before = (run / "credit/gradients-base.json").read_bytes()
    assert main([str(run), *words, "--policy", "base"]) == 0
    assert (run / "credit/gradients-base.json").read_bytes() == before, "the same command gives the same numbers"
    assert "python -m motif.report" in capsys.readouterr().out


def test_what_cannot_be_read_is_one_line_and_the_other_runs_are_done(run, tmp_path, capsys):
    whole = records(run)

    def refused(*folders):
        assert main(list(map(str, folders))) == 2
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        return line, said.out

    assert "is not there" in refused(tmp_path / "nowhere")[0] and "is no run" in refused(tmp_path)[0]
    (tmp_path / "bare").mkdir()
    bare = remade(run, tmp_path / "bare", whole)
    (bare / "episodes.jsonl.gz").unlink()
    line, said = refused(bare, run)
    assert "has no episodes.jsonl.gz" in line and "without a signal" in said

    older = json.loads(json.dumps(whole))
    del older[2]["replies"][0]["prompt_tokens"]
    (tmp_path / "older").mkdir()
    line, _ = refused(remade(run, tmp_path / "older", older))
    assert "step 2" in line and "lacks prompt_tokens" in line and not (tmp_path / "older/run/credit").exists()

    changed = json.loads(json.dumps(whole))
    changed[0]["replies"][0]["values"]["format"] += 1
    (tmp_path / "changed").mkdir()
    assert "the reward term format is" in refused(remade(run, tmp_path / "changed", changed))[0]

    (tmp_path / "empty").mkdir()
    assert "holds no episode" in refused(remade(run, tmp_path / "empty", []))[0]
    assert main([str(run), "--gradients", "1"]) == 2 and "--gradients must be" in capsys.readouterr().err


def test_what_a_kill_tore_off_the_end_is_left_out_with_a_line(run, tmp_path, capsys):
    tail = gzip.compress(b"x" * 1000)[:-9]
    made = remade(run, tmp_path, records(run), tail)
    assert main([str(made)]) == 0
    assert "is torn; what comes before it is used" in capsys.readouterr().out
    assert json.loads((made / "credit/agreement.json").read_text())["groups"] == 4


def test_a_batchs_spread_needs_all_of_its_questions(run, tmp_path, capsys):
    made = remade(run, tmp_path, records(run)[:1])
    config = yaml.safe_load((made / "config.yaml").read_text())
    config["algo"]["trainer"]["scale_rewards"] = "batch"
    (made / "config.yaml").write_text(yaml.safe_dump(config))
    assert main([str(made)]) == 2
    assert "the spread of all 2 questions of a step" in capsys.readouterr().err


def test_the_variance_is_split_kept_and_read_again_without_a_policy(run, capsys, monkeypatch):
    words = ["--variance", "3", "--m", "2", "--k", "2", "--policy", "base"]
    assert main([str(run), *words]) == 0
    written = run / "credit/variance-base.json"
    result = json.loads(written.read_text())
    assert [row["level"] for row in result["components"]] == ["question", "first reply", "continuation", "later rounds"]
    assert (result["questions"], result["m"], result["k"], result["later"]) == (3, 2, 2, 2)
    lines = (run / "credit/variance-base.csv").read_text().splitlines()
    assert lines[0].startswith("level,variance,variance_interval_low") and len(lines) == 5
    said = capsys.readouterr().out
    assert "variance of the outcome" in said and "tokens a first reply" in said

    before, (records,) = written.read_bytes(), (run / "credit").glob("variance-base-n3-m2-k2-l2-s0.jsonl")
    kept = records.read_bytes()
    records.write_bytes(b"".join(kept.splitlines(keepends=True)[:1]) + b'{"torn')  # as a kill may leave it
    assert main([str(run), *words]) == 0 and records.read_bytes() == kept and written.read_bytes() == before
    monkeypatch.setattr("motif.evaluation.credit.program.load_policy", None)  # nothing is left to generate
    assert main([str(run), *words]) == 0 and written.read_bytes() == before
    assert main([str(run), "--variance", "2"]) == main([str(run), "--variance", "3", "--later", "1"]) == 2
    assert "--variance must be" in (said := capsys.readouterr().err) and "--later must be" in said
