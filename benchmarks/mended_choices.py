"""What a person may type and choose, tried on a version: names, Hydra's and W&B's words, models, adapters, dropout.

`benchmarks.mended` prints these lines. Each tries the programs on small models of random weights.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.mended import Version

SMALL = [
    *("experiment=smoke", "tracking=none", "rounds=1", "algo.m=2", "algo.steps=1", "algo.questions=1"),
    *("evaluation.before=false", "evaluation.questions=2", "preflight=false"),
    *("dataset.train_size=64", "dataset.validation_size=32", "dataset.test_size=32"),
]
NAMES = ("20240101", "null", "true", "1e5", "007", "1_000")
LORA = ("peft@model.peft=lora", "model.peft.r=4")
CHOICES = {  # by model: what is chosen with it
    "mamba": [["model.attention=eager"]],
    "untied": [[*LORA, "model.peft.target_modules=[q_proj,lm_head]"], [*LORA, "model.peft.target_modules=[q_proj,x]"]],
    "tied": [[*LORA, "model.peft.target_modules=[q_proj,embed_tokens]"]],
    "fewer_embeddings": [[]],
    "longrope": [[]],
}


def lines(version: "Version") -> Iterator[str]:
    """A line for each thing tried with the programs of a version."""
    folder = version.folder
    code, said = train(version, "few", "algo.questions=5000", "algo.steps=4", "name=x")
    yield f"fewer questions than a step needs: status {code}, {last(said)}"
    code, said = train(version, "elsewhere", "-m", "seed=0,1", "hydra.job.chdir=true")
    begun = len(list((folder / "elsewhere").rglob("run.json")))
    yield f"hydra.job.chdir=true in a sweep: status {code}, {begun} runs begun, {totals(said)}"
    for name in NAMES:
        train(version, "names", f"name={name}")
        found = [place.parent.name for place in (folder / "names/outputs").glob("*/summary.json")]
        yield f"name={name}: {'a run of this name' if name in found else 'no run of this name'}"
    make_models(folder)
    for model, choices in CHOICES.items():
        for words in choices:
            code, said = train(version, "models_tried", *local(folder, model), *words, "name=x", "overwrite=true")
            yield f"{model} {' '.join(words)}: status {code}, {last(said)}"
    words = [*local(folder, "untied"), *LORA, "model.peft.lora_dropout=0.5", "preflight=true", "episode.tokens=200"]
    words += ["+model.peft.init_lora_weights=false"]  # fresh adapters do nothing, with and without dropout
    _, said = train(version, "words", *words, "name=dropped")
    yield f"dropout of adapters: {'named' if 'dropout is on' in said else 'not named'}, {step(folder, 'dropped')}"
    train(version, "words", *local(folder, "gpt2"), "algo.trainer.beta=0.1", "name=kl")
    yield f"GPT-2 with a KL term: {step(folder, 'kl')}"
    code, said = train(version, "words", "budget.tokens=None", "name=none")
    yield f"W&B's word budget.tokens=None: status {code}, {last(said)}"
    words = ["algo=motif", "name=n-${algo.m}", "algo.m=2,4", "algo.k=0"]
    _, said = train(version, "words", "-m", *words)
    yield f"failed jobs named n-2 and n-4 are listed as {', '.join(re.findall(r'(n-[0-9]) +failed', said))}"


def train(version: "Version", place: str, *words: str) -> tuple[int, str]:
    """Exit status and all that `train.py` says, in a folder of its own."""
    options = ["-m"] if "-m" in words else []
    return version.said("train", *options, *SMALL, *(word for word in words if word != "-m"), place=place)


def local(folder: Path, model: str) -> list[str]:
    return ["model=local", f"model.path={folder}/models/{model}", "model.gradient_checkpointing=false"]


def last(said: str) -> str:
    """What went wrong, else how many steps were trained."""
    found = re.findall(r"error: .*|trained \d+ steps?.*", said)
    return found[-1][:160] if found else "no line"


def totals(said: str) -> str:
    """How a sweep says that its jobs ended."""
    found = re.findall(r"sweep-\w+: (.*)|(error: .*)", said)
    return " ".join(filter(None, found[-1]))[:160] if found else "no line"


def step(folder: Path, name: str) -> str:
    """What is recorded of the first step of a run about dropout."""
    file = folder / "words/outputs" / name / "metrics.jsonl"
    recorded = json.loads(file.read_text().splitlines()[0]) if file.is_file() else {}
    kept = {key: value for key, value in recorded.items() if key in ("kl", "train/kl") or "guard/difference" in key}
    return ", ".join(f"{key} {value:.2g}" for key, value in kept.items()) or "nothing recorded"


def make_models(folder: Path) -> None:
    """Small random models with the tokenizer of the tiny policy, in `folder`/models."""
    import torch
    import transformers as library

    from motif.policies.tiny import Tiny

    tokenizer = Tiny().load().tokenizer
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    base = {**words, **shape, "num_key_value_heads": 1, "pad_token_id": tokenizer.pad_token_id}
    turned = {"short_factor": [1.0] * 16, "long_factor": [4.0] * 16, "original_max_position_embeddings": 128}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, **turned}
    gpt2 = {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 2048}
    torch.manual_seed(0)
    made = {
        "tied": library.Qwen2Config(**base, tie_word_embeddings=True),
        "untied": library.Qwen2Config(**base, tie_word_embeddings=False),
        "fewer_embeddings": library.Qwen2Config(**{**base, "vocab_size": len(tokenizer) - 5}),
        "mamba": library.MambaConfig(**words, hidden_size=64, num_hidden_layers=2, state_size=4),
        "longrope": library.Phi3Config(**base, original_max_position_embeddings=128, rope_parameters=rope),
        "gpt2": library.GPT2Config(**words, **gpt2),
    }
    for name, config in made.items():
        for part in (library.AutoModelForCausalLM.from_config(config), tokenizer):
            part.save_pretrained(folder / "models" / name)
