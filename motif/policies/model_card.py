"""The model card of a trained policy: the README.md that lies beside its weights.

It says what the policy is, what it was trained on and how, what it scored, with intervals, and how to run it in
rounds. It reads what a run wrote, its configuration, summary and environment, and makes up nothing: what they do not
hold is left out. Names of folders, settings and data sets are anybody's: in it they are text, never markup or code.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from motif.system.environment import DISTRIBUTION
from motif.system.safe_text import all_visible, markdown, visible

VERSIONS = ("torch", "transformers", "trl", "peft")
FIRST = "In training, a first-round reply was worth the mean outcome of its continuations through the later rounds."
EVERY = "In training, every round of an episode was worth "
ALGORITHMS = {  # what they are called, and what they credited
    "motif": ("MOTIF", FIRST),
    "leave_one_out": ("MOTIF with a leave-one-out baseline", FIRST),
    "grpo": ("vanilla GRPO", "It was trained on replies of one round; more rounds are a way to decode it."),
    "broadcast": ("GRPO on all rounds", f"{EVERY}the episode's outcome."),
    "discounted": ("GRPO on all rounds", f"{EVERY}the episode's outcome, less the further it was from the end."),
    "value": ("GRPO on all rounds", f"{EVERY}what it changed of the mean outcome of continuations (VinePPO)."),
}
LICENSE_PAGES = {"qwen-research": "https://huggingface.co/Qwen/Qwen2.5-3B-Instruct/blob/main/LICENSE"}  # of no hub id
CITATION = """```bibtex
@article{mitra2025motif,
  title   = {MOTIF: Modular Thinking via Reinforcement Fine-tuning in LLMs},
  author  = {Mitra, Purbesh and Ulukus, Sennur},
  journal = {arXiv preprint arXiv:2507.02851},
  year    = {2025}
}
```"""
LIMITS = """- A score holds for the decoding it was measured with: its number of rounds, tokens a round and temperature.
- What a round hands on is written by the policy itself; a wrong note is carried on as if it were right.
- It was rewarded for answers that a program can check, so its reasoning may be wrong where its answer is right.
- Beyond such questions it was not examined; the limits of the model that it came from remain."""


def write_card(
    folder: Path,
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    environment: Mapping[str, Any] | None = None,
) -> None:
    """Write README.md into the `folder` of a policy, from its run's resolved `config`, `summary` and `environment`."""
    folder.mkdir(parents=True, exist_ok=True)
    header = card_data(config, summary).to_yaml()
    body = "\n\n".join(sections(config, summary, environment or {}))
    (folder / "README.md").write_text(f"---\n{header}\n---\n\n{body}\n", encoding="utf-8")


def card_data(config: Mapping[str, Any], summary: Mapping[str, Any]) -> Any:
    """The card's header as huggingface_hub's ModelCardData, results included."""
    from huggingface_hub import EvalResult, ModelCardData

    model, adapters = config.get("model", {}), bool(config.get("model", {}).get("peft"))
    base, name = base_model(config), visible(str(summary["name"]))
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=visible(str(found["dataset"])),
            dataset_name=visible(str(found["dataset"])),
            dataset_split="test",
            metric_type="accuracy",
            metric_name=f"accuracy in {in_rounds(found['rounds'])}",
            metric_value=round(found["accuracy"], 4),
            metric_args={
                "rounds": found["rounds"],
                "n": found["n"],
                "interval_95": [round(end, 4) for end in found["interval"]],
            },
        )
        for found in summary.get("evaluation", [])
        if found["policy"] == "trained"
    ]
    license = all_visible(model.get("license"))
    own = license in LICENSE_PAGES
    tags = ["motif", "multi-round-reasoning", "reinforcement-learning", "grpo", "trl", *(["lora"] if adapters else [])]
    return ModelCardData(
        base_model=base,
        base_model_relation=("adapter" if adapters else "finetune") if base else None,
        datasets=hub_dataset(config),
        language="en",
        library_name="peft" if adapters else "transformers",
        license="other" if own else license,
        license_name=license if own else None,
        license_link=LICENSE_PAGES[license] if own else None,
        pipeline_tag="text-generation",
        tags=tags,
        model_name=name,
        eval_results=results or None,
    )


def sections(config: Mapping[str, Any], summary: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[str]:
    """The parts of the card, in Markdown."""
    found = summary.get("evaluation", [])
    yield f"# {markdown(str(summary['name']))}\n\n{opening(config, summary)}"
    drawn = (summary.get("sampling", {}).get("evaluation") or [{}])[0]
    yield f"## Results\n\n{results(found, drawn)}" if found else ""
    yield f"## Running it\n\n{running(config, summary)}"
    yield f"## Training\n\n{training(config, summary, environment)}"
    yield f"## Limits\n\n{LIMITS}"
    yield f"## Citation\n\nThe method:\n\n{CITATION}"


def opening(config: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """What the policy is: its model, its algorithm, its rounds, its data."""
    model, rounds = config.get("model", {}), summary["rounds"]
    revision = f" (revision {code(model['revision'])})" if base_model(config) and model.get("revision") else ""
    named = f"the suite's {markdown(str(summary['model']))} model"
    origin = f"{code(base_name(config))}{revision}" if model.get("path") else named
    what = "LoRA adapters for" if model.get("peft") else "A fine-tune of"
    four = ", held in 4 bits (NF4)," if model.get("quantization") else ""
    title, credit = ALGORITHMS.get(summary["algo"], (markdown(str(summary["algo"])), ""))
    thinking = (
        f"It is run in {in_rounds(rounds)}: each starts from a fresh context that holds the question and the progress "
        "that the round before handed over, nothing else, so its thinking can be longer than any one context."
        if rounds > 1
        else "It answers in one round."
    )
    return (
        f"{what} {origin}{four} trained by {title} on the {markdown(str(summary['dataset']))} questions. {thinking} "
        f"{credit} The method is [MOTIF, arXiv 2507.02851](https://arxiv.org/abs/2507.02851)."
    )


def results(found: Sequence[Mapping[str, Any]], drawn: Mapping[str, Any]) -> str:
    """Every evaluation as a row: accuracy with its 95 % interval and n, truncation, tokens."""
    rows = [
        "| policy | questions | rounds | n | accuracy | 95 % interval | truncated | unparsable | tokens a question |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    names = {"base": "before training", "trained": "**this policy**"}
    for item in sorted(found, key=lambda item: (str(item.get("dataset")), item["rounds"], item["policy"] != "base")):
        name = names.get(item["policy"], markdown(str(item["policy"])))
        rows.append(
            f"| {name} | {markdown(str(item.get('dataset', '')))} | {item['rounds']} | {item['n']} | "
            f"{item['accuracy']:.1%} | {percent(item['interval'])} | {share(item, 'truncated')} | "
            f"{share(item, 'unparsable')} | {'–' if item.get('tokens') is None else format(item['tokens'], ',.0f')} |"
        )
    how = "greedily" if drawn.get("temperature") == 0 else f"at temperature {drawn.get('temperature')}"
    how = f"Decoded {how}, at most {drawn.get('tokens')} tokens a round. " if drawn else ""
    return "\n".join(rows) + (
        f"\n\n{how}Intervals are over the n test questions; where two of them overlap, this table alone shows no "
        "difference. Truncated: the last reply was cut off. Unparsable: it held no complete `\\boxed{}`. Tokens are "
        "those generated, all rounds together."
    )


def running(config: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """The commands that decode it in rounds, and the code that loads it without the suite."""
    model = config.get("model", {})
    options = f", revision={literal(model['revision'])}" if base_model(config) and model.get("revision") else ""
    dtype, imports = literal(model.get("dtype", "auto")), "AutoModelForCausalLM, AutoTokenizer"
    quantization: list[str] = []
    if model.get("quantization"):
        imports = "AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig"
        quantization = [
            "four_bits = BitsAndBytesConfig(",
            '    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,',
            '    bnb_4bit_compute_dtype="bfloat16",',
            ")",
        ]
        options += ", quantization_config=four_bits"
    if model.get("peft"):
        lines = [
            "from peft import PeftModel",
            f"from transformers import {imports}",
            "",
            *quantization,
            f"base = AutoModelForCausalLM.from_pretrained({literal(base_name(config))}, dtype={dtype}{options})",
            'model = PeftModel.from_pretrained(base, "FOLDER")',
        ]
    else:
        lines = [
            f"from transformers import {imports}",
            "",
            f'model = AutoModelForCausalLM.from_pretrained("FOLDER", dtype={dtype})',
        ]
    block = "\n".join([*lines, 'tokenizer = AutoTokenizer.from_pretrained("FOLDER")'])
    solve = 'motif-solve policy=FOLDER "question"'
    dataset = shlex.quote(" ".join(visible(str(summary["dataset"])).split()))
    evaluate = f"motif-evaluate policy=FOLDER dataset={dataset} rounds={summary['rounds']}"
    return (
        "With the motif suite; `FOLDER` is the folder of this file:\n\n"
        "```bash\n"
        f"pip install {DISTRIBUTION}\n"
        f"{evaluate}   # its accuracy, with an interval\n"
        f"{solve:<{len(evaluate)}}   # one question, round by round\n"
        "```\n\n"
        "The weights alone (the rounds, and the prompts it was trained with, are the suite's):\n\n"
        f"```python\n{block}\n```"
    )


def training(config: Mapping[str, Any], summary: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """Data, settings, compute and place of the training, as a table."""
    model, algo, episode = (config.get(name, {}) for name in ("model", "algo", "episode"))
    trainer, peft = algo.get("trainer", {}), model.get("peft") or {}
    drawn = (summary.get("sampling", {}).get("training") or [{}])[0]
    lora = f"LoRA, r = {peft.get('r')}, alpha = {peft.get('lora_alpha')}, on {targets(peft)}" if peft else "all"
    spent, seconds = summary.get("compute", {}).get("training", {}), summary.get("seconds", {})
    phases = [seconds[name] for name in ("rollout", "future_rollout", "reward", "update") if name in seconds]
    packages = environment.get("packages", {})
    rows = {
        "questions": f"{summary['dataset']}, the training split",
        "algorithm": ALGORITHMS.get(summary["algo"], (summary["algo"],))[0],
        "steps": algo.get("steps"),
        "questions a step": algo.get("questions"),
        "first-round replies a question": algo.get("m"),
        "continuations a first-round reply": algo.get("k"),
        "tokens a round": drawn.get("tokens"),
        "sampling": f"temperature {drawn['temperature']:g}, top-p {drawn['top_p']:g}" if drawn else None,
        "tokens of progress carried, at most": (episode.get("carry") or {}).get("tokens"),
        "reward": terms(config.get("reward", {})),
        "weights trained": lora,
        "dtype": model.get("dtype"),
        "learning rate": trainer.get("learning_rate"),
        "optimizer": trainer.get("optim"),
        "KL weight (beta)": trainer.get("beta"),
        "seed": summary["seed"],
        "questions seen": thousands(spent.get("questions")),
        "tokens generated": thousands(spent.get("generated_tokens")),
        "tokens trained on": thousands(spent.get("trained_tokens")),
        "time of the steps": f"{sum(phases) / 60:,.1f} min" if phases else None,
        "device": environment.get("device"),
        "versions": ", ".join(f"{name} {packages[name]}" for name in VERSIONS if packages.get(name)),
        "code": " ".join(filter(None, ("motif", environment.get("motif"), environment.get("git")))),
    }
    lines = [f"| {name} | {markdown(str(value))} |" for name, value in rows.items() if value not in (None, "")]
    return "\n".join(["| | |", "|---|---|", *lines])


def code(text: object) -> str:
    """`text` as code within a line of Markdown, which nothing in it ends."""
    words = " ".join(visible(str(text)).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    edge = " " if words[:1] == "`" or words[-1:] == "`" else ""
    return f"{fence}{edge}{words}{edge}{fence}"


def literal(text: object) -> str:
    """`text` as a string of Python's, in one line of ASCII."""
    return json.dumps(str(text))


def terms(reward: Mapping[str, Any]) -> str:
    """The reward as a weighted sum of its terms."""
    return " + ".join(f"{weight:g} · {name}" for name, weight in (reward.get("weights") or {}).items())


def targets(peft: Mapping[str, Any]) -> str:
    found = peft.get("target_modules")
    return found if isinstance(found, str) else ", ".join(found or [])


def base_model(config: Mapping[str, Any]) -> str | None:
    """The hub id of the model that was trained; None for a folder, which means nothing elsewhere."""
    path = config.get("model", {}).get("path")
    return path if is_hub_id(path) else None


def base_name(config: Mapping[str, Any]) -> str:
    """The hub id of the model that was trained, or the name of its folder."""
    return base_model(config) or Path(str(config.get("model", {}).get("path"))).name


def hub_dataset(config: Mapping[str, Any]) -> list[str] | None:
    """The hub id of the data set, where its settings name one."""
    hub = config.get("dataset", {}).get("hub")
    return [hub] if is_hub_id(hub) else None


def is_hub_id(path: object) -> bool:
    """Whether `path` reads as OWNER/NAME and is no folder or file here."""
    return isinstance(path, str) and bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", path)) and not Path(path).exists()


def in_rounds(rounds: int) -> str:
    return f"{rounds} round{'s' * (rounds > 1)}"


def percent(interval: Sequence[float]) -> str:
    return f"{interval[0]:.1%} – {interval[1]:.1%}"


def share(item: Mapping[str, Any], name: str) -> str:
    return "–" if item.get(name) is None else f"{item[name]:.1%}"


def thousands(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"
