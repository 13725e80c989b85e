"""An evaluation as lm-evaluation-harness writes it (`--log_samples`), for the tools that read that format.

`samples_<task>_<time>.jsonl` holds one line a question, `results_<time>.json` the result. `resps` holds a question's
samples, of each the last reply, which is the graded one. `arguments` holds the question without a prompt, since each
round of an episode has a prompt of its own, and the tokens of all rounds.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from motif.evaluation.evaluate import read_whole
from motif.system.files import write_json, write_text


def export(records_file: Path, result: Mapping[str, Any], folder: Path) -> Path:
    """Write both files of an evaluation to `folder`/lm_eval/<stem of the records>; returns that of the samples."""
    stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(records_file.stat().st_mtime))
    target = folder / "lm_eval" / records_file.stem
    records = read_whole(records_file)
    task, sampling = result["dataset"], result["sampling"][0]
    drawn = {"temperature": sampling["temperature"], "top_p": sampling["top_p"]}
    settings = {"max_gen_toks": result["budget"], **drawn, "do_sample": sampling["temperature"] > 0, "until": []}
    lines = [line(number, record, settings) for number, record in enumerate(records)]
    shares = [line["exact_match"] for line in lines]
    error = stdev(shares) / len(shares) ** 0.5 if len(shares) > 1 else 0.0
    harness_result = {
        "results": {task: {"alias": task, "exact_match,none": fmean(shares), "exact_match_stderr,none": error}},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "output_type": "generate_until", "generation_kwargs": settings}},
        "versions": {task: 1.0},
        "n-shot": {task: 0},
        "higher_is_better": {task: {"exact_match": True}},
        "n-samples": {task: {"original": len(records), "effective": len(records)}},
        "config": {"model": "motif", "model_args": f"policy={result['policy']},rounds={result['rounds']}"},
    }
    write_json(target / f"results_{stamp}.json", harness_result)
    samples_file = target / f"samples_{task}_{stamp}.jsonl"
    write_text(samples_file, "".join(json.dumps(line) + "\n" for line in lines))
    return samples_file


def line(number: int, record: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """One question in the harness's format."""
    samples = record["samples"]
    doc = {"id": record["id"], "question": record["question"], "answer": record["gold"], **record["facts"]}
    return {
        "doc_id": number,
        "doc": doc,
        "target": record["gold"],
        "arguments": {"gen_args_0": {"arg_0": record["question"], "arg_1": dict(settings)}},
        "resps": [[sample["replies"][-1] for sample in samples]],
        "filtered_resps": [sample["prediction"] for sample in samples],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": digest(json.dumps(doc, sort_keys=True, default=str)),
        "prompt_hash": digest(record["question"]),
        "target_hash": digest(record["gold"]),
        "exact_match": fmean(sample["correct"] for sample in samples),
    }


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
