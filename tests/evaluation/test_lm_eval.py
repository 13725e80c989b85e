"""The harness's format, of records made by hand; of a whole evaluation in test_program."""

import json
from statistics import stdev

import pytest

from motif.evaluation.evaluate import SAMPLE
from motif.evaluation.lm_eval import digest, export


def test_a_question_has_its_samples_and_is_right_as_often_as_they_are(tmp_path):
    others = dict.fromkeys(SAMPLE)
    samples = [
        {**others, "replies": ["first", text], "prediction": text, "correct": text == "2"} for text in ("2", "3")
    ]
    records = [
        {"id": "a", "question": "1+1", "gold": "2", "facts": {"level": 1}, "seed": 0, "samples": samples},
        {"id": "b", "question": "2+0", "gold": "2", "facts": {}, "seed": 0, "samples": [samples[0], samples[0]]},
    ]
    file = tmp_path / "sums-r2-x2.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    sampling = {"temperature": 0.6, "top_p": 0.9}
    result = {"dataset": "sums", "policy": "p", "rounds": 2, "budget": 64, "sampling": [sampling, sampling]}
    written = export(file, result, tmp_path)
    assert written.parent == tmp_path / "lm_eval" / "sums-r2-x2"
    first, second = map(json.loads, written.read_text().splitlines())
    assert first["resps"] == [["2", "3"]] and first["filtered_resps"] == ["2", "3"]
    assert (first["exact_match"], second["exact_match"]) == (0.5, 1.0) and first["target_hash"] == digest("2")
    assert first["doc"] == {"id": "a", "question": "1+1", "answer": "2", "level": 1}
    settings = {"max_gen_toks": 64, "temperature": 0.6, "top_p": 0.9, "do_sample": True, "until": []}
    assert first["arguments"] == {"gen_args_0": {"arg_0": "1+1", "arg_1": settings}}
    (of_task,) = written.parent.glob("results_*.json")
    found = json.loads(of_task.read_text())
    assert found["results"]["sums"]["exact_match,none"] == 0.75
    assert found["results"]["sums"]["exact_match_stderr,none"] == pytest.approx(stdev([0.5, 1.0]) / 2**0.5)
    assert found["n-samples"]["sums"] == {"original": 2, "effective": 2}
