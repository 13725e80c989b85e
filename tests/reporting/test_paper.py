"""Table 1 stands beside runs of its own setting and no others."""

import json

from motif.reporting.folders import read_measured, read_run
from motif.reporting.paper import references
from motif.runs.folder import write_json
from tests.support.run_folders import evaluated, make_run, records, sample


def test_the_papers_table_stands_only_beside_its_own_setting(tmp_path):
    def found_for(dataset="math500", path="Qwen/Qwen2.5-3B-Instruct", n=500, on="gsm8k", warm=0.0, samples=1):
        folder = tmp_path / "run"
        make_run(folder, model={"name": "qwen2.5-3b-4bit", "path": path}, dataset={"name": on})
        summary = json.loads((folder / "summary.json").read_text())
        write_json(folder / "summary.json", summary | {"dataset": on})
        several = [item | {"samples": item["samples"] * samples} for item in records(*[sample()] * n)]
        result = evaluated(folder, "trained-x-r1", "trained", several, dataset)
        drawn = {"sampling": [{"temperature": warm, "top_p": 1.0}]}
        write_json(folder / "evaluation" / "trained-x-r1.json", result | drawn)
        return references([read_run(folder)])

    for other in (
        {"path": "Qwen/Qwen2.5-3B"}, {"path": "Qwen/Qwen2.5-Coder-3B-Instruct"}, {"path": None}, {"on": "chain"},
        {"n": 100}, {"warm": 0.6}, {"samples": 2}, {"dataset": "gsm8k"},
    ):  # fmt: skip
        assert found_for(**other) == [], other
    found = found_for()
    assert [(item.arm, item.n, item.accuracy) for item in found] == [
        ("Qwen2.5-3B-Instruct", 500, 0.376), ("vanilla GRPO", 500, 0.448), ("MOTIF", 500, 0.486)
    ]  # fmt: skip
    assert [round(100 * bound, 1) for bound in found[2].interval] == [44.2, 53.0]
    assert [round(100 * item.accuracy, 2) for item in found_for("aime24", n=30)] == [0, 3.33, 6.67]


def test_the_paper_stands_beside_its_own_model_measured_without_a_run(tmp_path):
    folder = tmp_path / "evaluations" / "Qwen2.5-3B-Instruct"
    result = evaluated(folder, "x", "Qwen", records(*[sample()] * 30), "aime24")
    for file in (folder / "evaluation").iterdir():
        file.rename(folder / file.name)
    write_json(folder / "x.json", result | {"sampling": [{"temperature": 0.0, "top_p": 1.0}]})
    assert len(references([*read_measured(folder)])) == 3
