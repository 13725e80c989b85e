"""The model card of a trained policy: the README.md beside its weights.

The card says what the policy is, how it was trained, what it scored, with intervals, and how to run it. Its text is in
`model_card.md.j2`; here is the header, and what makes values harmless. The card reads what a run wrote and makes up
nothing: what is not recorded is left out. Names of folders, settings and data sets can be anybody's, so they become
text in the card, never markup or code.
"""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motif.system.environment import DISTRIBUTION
from motif.system.safe_text import all_visible, markdown, visible

LICENSE_PAGES = {"qwen-research": "https://huggingface.co/Qwen/Qwen2.5-3B-Instruct/blob/main/LICENSE"}  # of no hub id


def write_card(
    folder: Path, config: Mapping[str, Any], summary: Mapping[str, Any], environment: Mapping[str, Any] | None = None
) -> None:
    """Write README.md into the `folder` of a policy, from its run's resolved `config`, `summary` and `environment`."""
    from jinja2 import ChainableUndefined, Environment, FileSystemLoader

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"md": lambda value: markdown(str(value)), "code": code, "literal": literal, "shell": shell}
    path = config.get("model", {}).get("path")
    evaluation = sorted(
        summary.get("evaluation", []),
        key=lambda found: (str(found.get("dataset")), found["rounds"], found["policy"] != "base"),
    )
    text = templates.get_template("model_card.md.j2").render(
        header=card_data(config, summary).to_yaml(),
        config=config,
        summary=summary,
        environment=environment or {},
        distribution=DISTRIBUTION,
        evaluation=evaluation,
        base_model=hub_id(path),
        base_name=hub_id(path) or Path(str(path)).name,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(text, encoding="utf-8")


def card_data(config: Mapping[str, Any], summary: Mapping[str, Any]) -> Any:
    """The card's header as huggingface_hub's ModelCardData, results included."""
    from huggingface_hub import EvalResult, ModelCardData

    model, hub = config.get("model", {}), config.get("dataset", {}).get("hub")
    base, adapters = hub_id(model.get("path")), bool(model.get("peft"))
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=visible(str(found["dataset"])),
            dataset_name=visible(str(found["dataset"])),
            dataset_split="test",
            metric_type="accuracy",
            metric_name=f"accuracy in {found['rounds']} round{'s' * (found['rounds'] > 1)}",
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
        datasets=[hub] if hub_id(hub) else None,
        language="en",
        library_name="peft" if adapters else "transformers",
        license="other" if own else license,
        license_name=license if own else None,
        license_link=LICENSE_PAGES[license] if own else None,
        pipeline_tag="text-generation",
        tags=tags,
        model_name=visible(str(summary["name"])),
        eval_results=results or None,
    )


def hub_id(path: Any) -> str | None:
    """`path` where it reads as OWNER/NAME and is no folder or file here; else None, for a folder means nothing there.

    The card goes to other machines, so a place of this one is not in it.
    """
    owned = isinstance(path, str) and re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", path) and not Path(path).exists()
    return path if owned else None


def code(text: object) -> str:
    """`text` as code within a line of Markdown. Backticks in it do not end it."""
    words = " ".join(visible(str(text)).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    edge = " " if words[:1] == "`" or words[-1:] == "`" else ""
    return f"{fence}{edge}{words}{edge}{fence}"


def literal(text: object) -> str:
    """`text` as a string of Python, in one line of ASCII."""
    return json.dumps(str(text))


def shell(text: object) -> str:
    """`text` as one word of a shell's command."""
    return shlex.quote(" ".join(visible(str(text)).split()))
