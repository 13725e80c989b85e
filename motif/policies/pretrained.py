"""Which policies there are: the choice of a model to train, and whatever a person points at to be evaluated.

`Pretrained` is the first, `open_policy` the second: a run, a hub id, a folder, an adapter. What a policy is, is said in
`motif.policies.policy`, how files are found and loaded in `motif.policies.weights`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.policies import weights
from motif.policies.policy import Policy, frozen_copy, untrained
from motif.system.errors import UserError, hint, number, one_of, whole
from motif.system.files import read_json, read_yaml

if TYPE_CHECKING:
    import torch

__all__ = ["Policy", "Pretrained", "frozen_copy", "load_policy", "open_policy", "policy_name", "untrained"]

QUANTIZATIONS = (None, "4bit")
CHOICES = "motif.yaml"  # beside a trained policy's weights: the run's choices that are needed to use it


@dataclass(frozen=True)
class Pretrained:
    """A policy from the hub or a folder (`path`), safetensors only, no remote code.

    `dtype` is auto, float32, bfloat16 or float16; `attention` is transformers' name of the implementation; `peft` the
    keywords of peft's LoraConfig, null for training all weights; `quantization` is null or 4bit (NF4, doubly quantized,
    computed in bfloat16), which trains adapters only. `gradient_checkpointing` and `bf16` (autocast) are for the
    trainer, `learning_rate` is the vetted rate for reinforcement, `wording` the prompts' wording that suits the model,
    `license` that of the weights.
    """

    path: str
    name: str = "local"
    revision: str | None = None
    dtype: str = "auto"
    attention: str = "sdpa"
    quantization: str | None = None
    peft: dict[str, Any] | None = None
    gradient_checkpointing: bool = False
    bf16: bool = False
    template_options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = 5e-6
    wording: str = "full"
    license: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise UserError(f"model.path must be a hub id or a folder, got {self.path!r}")
        one_of("model.dtype", self.dtype, ("auto", *weights.DTYPES))
        one_of("model.wording", self.wording, ("full", "terse"))
        one_of("model.quantization", self.quantization, QUANTIZATIONS)
        one_of("model.gradient_checkpointing", self.gradient_checkpointing, (True, False))
        one_of("model.bf16", self.bf16, (True, False))
        number("model.learning_rate", self.learning_rate, above=0)
        if not isinstance(self.template_options, Mapping):
            raise UserError(f"model.template_options must be keywords of the template, got {self.template_options!r}")
        if self.peft is not None:
            if not isinstance(self.peft, Mapping):
                raise UserError(f"model.peft must be null or keywords of peft's LoraConfig, got {self.peft!r}")
            whole("model.peft.r", self.peft.get("r", 8))
        elif self.quantization:
            raise UserError("model.quantization=4bit trains adapters only: model.peft must not be null")

    def load(self, report: Any = None) -> Policy:
        """Load weights and tokenizer, with fresh LoRA adapters where `peft` is set."""
        adapter = None if self.peft is None else self.adapter()
        policy = load_policy(
            self.path,
            self.revision,
            self.dtype,
            self.attention,
            dict(self.template_options),
            quantization=self.quantization,
            training=adapter is None,
        )
        if hasattr(policy.model, "peft_config"):
            raise UserError(
                f"model.path={self.path} is an adapter: to train on, merge it into its base (peft: merge_and_unload)"
            )
        if adapter is None:
            return policy
        from peft import get_peft_model

        try:
            model: Any = get_peft_model(policy.model, adapter, revision=policy.commit)
        except (ValueError, TypeError) as error:
            raise UserError(f"model.peft: {weights.one_line(error)}") from error
        model.peft_config["default"].base_model_name_or_path = policy.path  # not the folder of the hub's cache
        return replace(policy, model=model)

    def adapter(self) -> Any:
        """peft's LoraConfig of `peft`; a keyword that it does not know is a `UserError`."""
        from peft import LoraConfig

        for key in self.peft or {}:
            if key not in LoraConfig.__dataclass_fields__:
                raise UserError(
                    f"model.peft.{key} is not an argument of peft's LoraConfig"
                    f"{hint(key, LoraConfig.__dataclass_fields__)}"
                )
        options: dict[str, Any] = {
            key: list(value) if isinstance(value, list | tuple) else value for key, value in (self.peft or {}).items()
        }
        try:
            return LoraConfig(**{"task_type": "CAUSAL_LM", **options})
        except (ValueError, TypeError) as error:
            raise UserError(f"model.peft: {weights.one_line(error)}") from error


def load_policy(
    path: str,
    revision: str | None = None,
    dtype: str = "auto",
    attention: str = "sdpa",
    template_options: Mapping[str, Any] | None = None,
    device: "torch.device | None" = None,
    quantization: str | None = None,
    training: bool = False,
    base: str | None = None,
    key: str = "model.path",
    tokenizer: Path | None = None,
) -> Policy:
    """The policy at `path`, a hub id or a folder, on the GPU where there is one. An unusable one is a `UserError`.

    An adapter is put on its base model, or on the one at `base`. `training` says that all weights will be trained,
    `key` what the path was typed as; `tokenizer` is a folder to take the tokenizer from instead.
    """
    one_of(weights.beside(key, "dtype"), dtype, ("auto", *weights.DTYPES))
    one_of(weights.beside(key, "quantization"), quantization, QUANTIZATIONS)
    if not isinstance(template_options, Mapping | None):
        name = weights.beside(key, "template_options")
        raise UserError(f"{name} must be keywords of the template, got {template_options!r}")
    device = device or weights.this_device()
    weights.check_quantization(quantization, device, key)
    room = partial(
        weights.check_room, path, key, dtype=dtype, quantization=quantization, device=device, training=training
    )
    folder, commit = weights.fetch(path, revision, key, room)
    if lacking := weights.missing(folder):
        raise UserError(f"{key}={path} has no {lacking}")
    if (folder / "adapter_config.json").is_file():
        settings = {"dtype": dtype, "attention": attention, "template_options": template_options}
        return adapted(folder, path, key, base, {**settings, "device": device, "quantization": quantization})
    room(weights.stored(folder), folder / "config.json")
    words = weights.load_tokenizer(tokenizer or folder, path, key)
    model = weights.load_model(folder, path, key, dtype, attention, quantization, device)
    policy = Policy(model, words, dict(template_options or {}), path if commit else str(folder), commit)
    if policy.shows("user") is None:
        raise UserError(f"the chat template of {key}={path} cannot render a question with {policy.template_options}")
    return policy


def adapted(folder: Path, path: str, key: str, base: str | None, settings: Mapping[str, Any]) -> Policy:
    """The policy whose adapter lies in `folder`, on its base model, loaded with `settings`."""
    from peft import PeftConfig, PeftModel

    try:
        adapter = PeftConfig.from_pretrained(str(folder))
    except Exception as error:  # of any kind: what lies in the folder is anybody's
        words = weights.one_line(error)
        raise UserError(
            f"{key}={path}: its adapter_config.json is torn, or of no adapter that peft knows: {words}"
        ) from error
    root = base or adapter.base_model_name_or_path
    if not root:
        raise UserError(f"{key}={path} does not say what model it adapts; give it as options.base=HUB_ID_OR_FOLDER")
    own = folder if any((folder / name).is_file() for name in weights.TOKENIZERS) else None
    policy = load_policy(root, None if base else adapter.revision, **settings, key="base", tokenizer=own)
    try:
        model: Any = PeftModel.from_pretrained(policy.model, str(folder))
    except Exception as error:
        raise UserError(f"{key}={path} does not fit base={root}: {weights.one_line(error)}") from error
    return replace(policy, model=model)


def open_policy(where: str | Path, base: str | None = None, **settings: Any) -> Policy:
    """The policy at `where`, to generate with: a finished run's folder, a hub id, a model's or an adapter's folder.

    `base` is another place of an adapter's base model. `settings` are those of `load_policy` (revision, dtype,
    attention, quantization, template_options, device); where given they go before what a run recorded.
    """
    place = Path(where).expanduser()
    is_run = (place / "run.json").is_file()
    if is_run:
        read_json(place / "run.json")  # whose format may be a newer one
    if is_run and not (place / "summary.json").is_file():
        raise UserError(f"policy={where} is a run that is not finished; the command that began it goes on with it")
    options = {**run_settings(place), **{key: value for key, value in settings.items() if value is not None}}
    policy = load_policy(str(place / "policy" if is_run else where), base=base, key="policy", **options)
    policy.model.eval()
    return policy


def run_of(place: Path) -> Path | None:
    """The folder of the run that `place` is, or lies in as its policy or one of its checkpoints; else None."""
    return next((folder for folder in (place, *place.parents[:2]) if (folder / "run.json").is_file()), None)


def choices_of(place: Path) -> Path | None:
    """The file that holds the choices of the run that `place` is, lies in, or was copied from; else None."""
    run = run_of(place.expanduser().absolute())
    file = run / "config.yaml" if run else place / CHOICES
    return file if file.is_file() else None


def run_settings(place: Path) -> dict[str, Any]:
    """How the run that `place` belongs to loaded its model; nothing where it is no run's."""
    if (file := choices_of(place)) is None:
        return {}
    model = read_yaml(file).get("model")
    if not isinstance(model, Mapping):
        raise UserError(f"{file} does not say how the run's model is loaded (model)")
    return {key: model[key] for key in ("dtype", "attention", "quantization", "template_options") if key in model}


def check_policy(policy: Any) -> None:
    """Refuse what names no policy."""
    if not isinstance(policy, str) or not policy:
        raise UserError(f"policy must be a run folder, a hub id or a model's folder, got {policy!r}")


def policy_name(where: str | Path) -> str:
    """A short name for what `open_policy` is given, fit for a file: the run's, or the end of the path or hub id."""
    place = Path(os.path.abspath(Path(where).expanduser()))
    run = run_of(place)
    if run is None or place == run:
        name = place.name
    else:
        name = run.name if place.name == "policy" else f"{run.name}-{place.name}"
    return re.sub(r"[^\w.+=-]", "_", name).lstrip(".") or "policy"
