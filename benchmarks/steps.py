"""What a version's training does where it should do nothing, or go on, or measure. `benchmarks.mended` runs it.

Each line comes of runs of the programs, in a folder that is thrown away; nothing but the programs and the files that
they leave is asked of a version.
"""

import gzip
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

from safetensors.torch import load_file

from motif.policies.tiny import Tiny
from tests.support.toys import random_qwen

Begin = Callable[..., "Popen[bytes]"]  # a program and its words, in the folder
SHORT = ["tracking=none", "evaluation.before=false", "evaluation.questions=4", "evaluation.rounds=[1]", "algo=grpo"]


def lines(begin: Begin, folder: Path) -> Iterator[str]:
    """The lines of a version whose programs `begin` starts in `folder`."""
    yield from nothing_to_learn(begin, folder)
    yield later_passes(begin, folder)
    yield two_arithmetics(begin, folder)
    yield masked(begin, folder)
    yield batches(begin, folder)


def nothing_to_learn(begin: Begin, folder: Path) -> Iterator[str]:
    """Golds that nobody reaches: how far the weights move. A run at rate 0 has those of the beginning."""
    for name, sign in (("train", "+"), ("test", "-")):
        rows = [{"question": f"{n}a{sign}{n}", "answer": "\\sqrt{2}"} for n in range(16)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [*SHORT, "dataset=local", f"dataset.path={folder}", "algo.steps=12", "preflight=false"]
    words += ["episode.temperature=0.2"]  # all are well-formed and wrong
    for name, rate in (("still", "0.0"), ("moved", "3e-4")):
        begin("train", *words, f"name={name}", f"algo.trainer.learning_rate={rate}").wait()
    still, moved = (load_file(folder / f"outputs/{name}/policy/model.safetensors") for name in ("still", "moved"))
    most = max(float((still[name] - moved[name]).abs().max()) for name in still)
    metrics = (folder / "outputs/moved/metrics.jsonl").read_text().splitlines()
    alike = sum(json.loads(line)["groups/zero_advantage"] == 1 for line in metrics)
    yield f"{alike} of 12 steps have rewards that are all equal: the weights move by up to {most:.1e}"


def later_passes(begin: Begin, folder: Path) -> str:
    """A stop in the second pass over the questions."""
    words = [*SHORT, "algo.questions=4", "algo.m=4", "dataset.train_size=16", "algo.steps=10", "checkpoint.every=2"]
    words += ["record.questions=null"]
    begin("train", *words, "name=calm").wait()
    stopped, metrics = begin("train", *words, "name=stopped"), folder / "outputs/stopped/metrics.jsonl"
    while stopped.poll() is None and not (metrics.is_file() and metrics.read_bytes().count(b"\n") >= 6):
        time.sleep(0.01)
    stopped.send_signal(signal.SIGTERM)
    stopped.wait()
    done = metrics.read_bytes().count(b"\n")
    begin("train", *words, "name=stopped").wait()
    calm, other = (asked(folder / f"outputs/{name}/episodes.jsonl.gz") for name in ("calm", "stopped"))
    others = sum(calm[step] != other[step] for step in calm if step > done)
    return (
        f"stopped after step {done} of 10, four steps a pass: {others} of {10 - done} later steps ask other questions"
    )


def asked(episodes: Path) -> dict[int, list[str]]:
    """The questions of each step."""
    found: dict[int, list[str]] = {}
    with gzip.open(episodes, "rt") as rows:
        for row in map(json.loads, rows):
            found.setdefault(row["step"], []).append(row["id"])
    return found


def undecided(folder: Path) -> Path:
    """A model of random weights."""
    policy = random_qwen()
    policy.model.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)
    return folder


def with_another_end(folder: Path) -> Path:
    """The tiny policy, whose turns end as before; the end of a text is another token."""
    policy = Tiny().load()
    model, tokenizer, turn = policy.model, policy.tokenizer, policy.tokenizer.eos_token
    tokenizer.add_special_tokens({"additional_special_tokens": [turn], "eos_token": "<|document|>"})
    tokenizer.chat_template = tokenizer.chat_template.replace("eos_token", repr(turn))
    model.resize_token_embeddings(len(tokenizer))
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def two_arithmetics(begin: Begin, folder: Path) -> str:
    """Base and trained policy at learning rate 0, of float32 weights that train with bf16."""
    words = ["model=local", f"model.path={undecided(folder / 'model')}", "model.bf16=true", "algo=grpo", "algo.steps=1"]
    words += ["model.gradient_checkpointing=false", "algo.trainer.learning_rate=0.0", "episode.tokens=24", "name=bf16"]
    words += ["tracking=none", "preflight=false", "evaluation.questions=64", "evaluation.rounds=[1]"]
    begin("train", *words, "algo.questions=2", "algo.m=2").wait()
    base, trained = (said(folder / f"outputs/bf16/evaluation/{which}-chain-r1.jsonl") for which in ("base", "trained"))
    same = sum(one == other for one, other in zip(base, trained, strict=True))
    return f"learning rate 0, float32 with bf16: {same} of {len(base)} greedy replies of base and trained are the same"


def said(records: Path) -> list[list[str]]:
    """The replies to each question."""
    return [json.loads(line)["samples"][0]["replies"] for line in records.read_text().splitlines()]


def masked(begin: Begin, folder: Path) -> str:
    """The gradient where cut replies are masked, and a turn's end is not the tokenizer's."""
    model = with_another_end(folder / "turns")
    words = [
        *SHORT,
        "model=local",
        f"model.path={model}",
        "model.wording=countdown",
        "model.gradient_checkpointing=false",
    ]
    words += ["algo.steps=1", "preflight=false", "name=masked", "guard.replies=0", "episode.temperature=1.5"]
    begin("train", *words, "+algo.trainer.mask_truncated_completions=true").wait()
    (line,) = (folder / "outputs/masked/metrics.jsonl").read_text().splitlines()
    step = json.loads(line)
    finished = 1 - step["episode/truncated"]
    return f"cut replies masked, {finished:.0%} of replies finished: gradient norm {step['train/grad_norm']:.2g}"


def batches(begin: Begin, folder: Path) -> str:
    """Whether two sizes of a batch are two measurements."""
    policy = str(Tiny().folder())
    for batch in (64, 8):
        begin("evaluate", f"policy={policy}", "rounds=1", "questions=8", f"batch={batch}", "dataset=chain").wait()
    found = len(list((folder / "outputs/evaluations").glob("*/*.json")))
    return f"the same policy measured with batch=64 and batch=8: {found} result{'s' * (found > 1)}"
