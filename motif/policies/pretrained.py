"""Policies to train and policies to evaluate.

`Pretrained` is the choice of a model to train. `open_policy` opens what a person points at: a run, a hub id, a model's
folder, an adapter's folder. How files are found and loaded is in `motif.policies.weights`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from motif.policies import gguf
from motif.policies.policy import Policy, frozen_copy, untrained
from motif.policies.weights import DTYPES, Weights, has_tokenizer, missing, stored
from motif.rounds.prompts import WORDINGS
from motif.system import UserError, console, first_line, hint, number, one_of, ran_out, shown, text, whole
from motif.system.files import read_json, read_yaml

__all__ = ["Policy", "Pretrained", "frozen_copy", "load_policy", "open_policy", "policy_name", "untrained"]

LOADING = ("dtype", "attention", "quantization", "template_options")  # how a model is loaded
CHOICES = "motif.yaml"  # beside a trained policy's weights: the choices of its run that one needs to use it


@dataclass(frozen=True)
class Pretrained:
    """A policy to train, from the hub or a folder; safetensors only, no remote code.

    Args:
        path: a hub id, a folder, a GGUF file, or `package:NAME` for the GGUF file that a Python package carries.
            Adapters that lie there are merged into their base first.
        name: what the run and the report call it.
        revision: a branch, tag or commit of the hub, or the version of the package.
        dtype: auto, float32, bfloat16 or float16.
        attention: transformers' name of the implementation.
        quantization: null or 4bit (NF4, doubly quantized, computed in bfloat16). 4bit trains adapters only.
        peft: keywords of peft's LoraConfig; null trains all weights.
        gradient_checkpointing, bf16: for the trainer; `bf16` is autocast.
        template_options: keywords of the chat template.
        learning_rate: the vetted rate for reinforcement.
        wording: the wording of the prompts that suits the model.
        license: that of the weights.

    Raises:
        UserError: a value that cannot be, by its key.
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
            raise UserError(f"model.path must be a hub id, a folder or a GGUF file, got {self.path!r}")
        text("model.name", self.name)
        one_of("model.dtype", self.dtype, ("auto", *DTYPES))
        one_of("model.wording", self.wording, WORDINGS)
        one_of("model.quantization", self.quantization, (None, "4bit"))
        one_of("model.gradient_checkpointing", self.gradient_checkpointing, (True, False))
        one_of("model.bf16", self.bf16, (True, False))
        number("model.learning_rate", self.learning_rate, above=0)
        if not isinstance(self.template_options, Mapping):
            raise UserError(f"model.template_options must be keywords of the template, got {self.template_options!r}")
        if self.peft is not None:
            if not isinstance(self.peft, Mapping):
                raise UserError(f"model.peft must be null or keywords of peft's LoraConfig, got {self.peft!r}")
            whole("model.peft.r", self.peft.get("r", 8))
            number("model.peft.lora_alpha", self.peft.get("lora_alpha", 8), above=0)
            number("model.peft.lora_dropout", self.peft.get("lora_dropout", 0.0), at_least=0, at_most=1)
            one_of("model.peft.task_type", self.peft.get("task_type", "CAUSAL_LM"), ("CAUSAL_LM",))
            one_of("model.peft.peft_type", self.peft.get("peft_type", "LORA"), ("LORA",))
        elif self.quantization:
            raise UserError("model.quantization=4bit trains adapters only: model.peft must not be null")

    def load(self, report: Any = None) -> Policy:
        """Load weights and tokenizer, with fresh LoRA adapters where `peft` is set, and say which they are."""
        adapter = None if self.peft is None else self.adapter()
        settings: dict[str, Any] = {name: getattr(self, name) for name in ("dtype", "attention", "quantization")}
        options = dict(self.template_options)
        found = load_policy(self.path, self.revision, options, training=adapter is None, **settings)
        policy = merged(found)
        if adapter is not None:
            policy = self.adapting(policy, adapter)
        elif policy is not found:
            policy.model.requires_grad_(True)  # peft has frozen them
        console.say(policy.weights, style="dim")
        if (taught := model_of_run(Path(self.path)).get("wording", self.wording)) != self.wording:
            wordings = f"model.wording={taught}, this run uses model.wording={self.wording}"
            console.say(f"{self.path} was trained with {wordings}", style="yellow")
        return policy

    def adapting(self, policy: Policy, adapter: Any) -> Policy:
        """`policy` with fresh adapters, which name it as their base."""
        from peft import get_peft_model

        self.check_named(policy.model)
        tied = policy.model.get_input_embeddings().weight is policy.model.get_output_embeddings().weight
        try:
            model: Any = get_peft_model(policy.model, adapter, revision=policy.commit)
        except Exception as error:  # of any kind: the keywords are a person's, what peft makes of them is its own
            if ran_out(error):
                raise
            raise UserError(f"model.peft: {first_line(error)}") from error
        self.check_adapters(model, tied)
        model.peft_config["default"].base_model_name_or_path = policy.path  # not the folder of the hub's cache
        return replace(policy, model=model)

    def check_named(self, model: Any) -> None:
        """A `UserError` where `peft` lists the name of a layer that `model` has not."""
        paths = [path for path, _ in model.named_modules()]
        known = {path.rpartition(".")[2] for path in paths if not path[-1:].isdigit()}
        for key in ("target_modules", "modules_to_save"):
            asked = (self.peft or {}).get(key)
            for name in asked if isinstance(asked, list) else ():
                if not any(f".{path}".endswith(f".{name}") for path in paths):
                    raise UserError(f"model.peft.{key}: the model has no layer {shown(name)}{hint(name, known)}")

    def check_adapters(self, model: Any, tied: bool) -> None:
        """A `UserError` where the loss would not see an adapter of `model`, or a merge would lose it."""
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils import AuxiliaryTrainingWrapper

        ends = (model.get_input_embeddings(), model.get_output_embeddings())
        if tied and any(isinstance(end, BaseTunerLayer | AuxiliaryTrainingWrapper) for end in ends):
            raise UserError(
                "model.peft: this model's embeddings and output head are one matrix (tied), which adapters of one of "
                "them would tear apart when they are merged: leave embed_tokens and lm_head out of target_modules, "
                "modules_to_save and trainable_token_indices, or train all weights (model.peft=null)"
            )
        if isinstance(ends[1], BaseTunerLayer):
            raise UserError(
                "model.peft.target_modules: the loss reads the weights of the output head (lm_head) without adapters; "
                "leave it out, or train it whole: +model.peft.modules_to_save=[lm_head]"
            )
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise UserError("model.peft: nothing would be trained; leave inference_mode out")

    def adapter(self) -> Any:
        """peft's LoraConfig of `peft`; a keyword that it does not know is a `UserError`."""
        from peft import LoraConfig

        options, known = dict(self.peft or {}), LoraConfig.__dataclass_fields__
        if unknown := [key for key in options if key not in known]:
            words = f"is not an argument of peft's LoraConfig{hint(unknown[0], known)}"
            raise UserError(f"model.peft.{unknown[0]} {words}")
        try:
            return LoraConfig(**{"task_type": "CAUSAL_LM", **options})
        except Exception as error:  # an ImportError, say, of what a keyword needs
            raise UserError(f"model.peft: {first_line(error)}") from error


def load_policy(
    path: str,
    revision: str | None = None,
    template_options: Mapping[str, Any] | None = None,
    base: str | None = None,
    tokenizer: Path | None = None,
    **settings: Any,
) -> Policy:
    """The policy at `path`, a hub id, a folder or a GGUF file, on the GPU where there is one.

    Args:
        template_options: keywords of the chat template.
        base: where the base model of an adapter is, if not where the adapter says.
        tokenizer: a folder that holds another tokenizer.
        settings: dtype, attention, quantization, device, training and key of `Weights`.

    Raises:
        UserError: a policy that cannot be used.
    """
    weights = Weights(path, revision, **settings)
    if not isinstance(template_options, Mapping | None):
        name = weights.setting("template_options")
        raise UserError(f"{name} must be keywords of the template, got {template_options!r}")
    weights.check_quantization()
    folder, commit = weights.fetch()
    if lacking := missing(folder):
        raise weights.wrong(f"has no {lacking}")
    if (folder / "adapter_config.json").is_file():
        policy = adapted(weights, folder, base, template_options=template_options, **settings)
        return replace(policy, path=path, commit=commit)
    weights.check_room(stored(folder), folder / "config.json")
    words = weights.tokenizer(tokenizer or folder)
    origin = path if commit else str(gguf.source(path) or folder)
    policy = Policy(weights.model(folder), words, dict(template_options or {}), origin, commit)
    if policy.shows("user") is None:
        named = f"the chat template of {weights.key}={path}"
        raise UserError(f"{named} cannot render a question with {policy.template_options}")
    policy.check_ids([*policy.render([[{"role": "user", "content": "-"}]])[0], policy.pad_id])
    return policy


def adapted(weights: Weights, folder: Path, base: str | None, **settings: Any) -> Policy:
    """The policy whose adapter is in `folder`, on the base model that it names, or on `base`.

    Adapters can be the base of others. A base by a relative path is looked for from here, and above the adapter.
    """
    from peft import PeftConfig, PeftModel

    try:
        adapter = PeftConfig.from_pretrained(str(folder))
    except Exception as error:  # of any kind: what lies in the folder is anybody's
        words = "its adapter_config.json is torn, or of no adapter that peft knows"
        raise UserError(f"{weights.key}={weights.path}: {words}: {first_line(error)}") from error
    root = base or adapter.base_model_name_or_path
    if not root:
        raise weights.wrong("does not say what model it adapts; give it as options.base=HUB_ID_OR_FOLDER")
    places = (place / root for place in (Path(), *folder.parents))
    root = str(next((place for place in places if place.is_dir()), root))
    own, settings = folder if has_tokenizer(folder) else None, {**settings, "key": "base"}
    policy = merged(load_policy(root, None if base else adapter.revision, tokenizer=own, **settings))
    try:
        model: Any = PeftModel.from_pretrained(policy.model, str(folder))
    except Exception as error:
        raise weights.wrong(f"does not fit base={root}: {first_line(error)}") from error
    return replace(policy, model=model)


def merged(policy: Policy) -> Policy:
    """`policy` with its adapters, if it has any, merged into its weights."""
    return replace(policy, model=policy.model.merge_and_unload()) if hasattr(policy.model, "peft_config") else policy


def open_policy(where: str | Path, base: str | None = None, **settings: Any) -> Policy:
    """Open a policy to generate with it.

    Args:
        where: a finished run's folder, a hub id, a model's folder or an adapter's folder.
        base: where the base model of an adapter is, if not where the adapter says.
        settings: those of `load_policy`: revision, dtype, attention, quantization, template_options, device. They go
            before what a run recorded; None leaves what it recorded.

    Raises:
        UserError: a run that is not finished, or a policy that cannot be used.
    """
    place = Path(where).expanduser()
    is_run = (place / "run.json").is_file()
    if is_run:
        read_json(place / "run.json")  # refuses a newer format
    if is_run and not (place / "summary.json").is_file():
        raise UserError(f"policy={where} is a run that is not finished; the command that began it goes on with it")
    of_run = {key: value for key, value in model_of_run(place).items() if key in LOADING}
    options = of_run | {key: value for key, value in settings.items() if value is not None}
    policy = load_policy(str(place / "policy" if is_run else where), base=base, key="policy", **options)
    policy.model.eval()
    return policy


def run_of(place: Path) -> Path | None:
    """The folder of the run that `place` is, or whose policy or checkpoint it is; else None."""
    return next((folder for folder in (place, *place.parents[:2]) if (folder / "run.json").is_file()), None)


def choices_of(place: Path) -> Path | None:
    """The file with the choices of the run that `place` is, is part of, or was copied from; else None."""
    run = run_of(place.expanduser().absolute())
    file = run / "config.yaml" if run else place / CHOICES
    return file if file.is_file() else None


def model_of_run(place: Path) -> Mapping[str, Any]:
    """The choice of model of the run of `place`; nothing where it is no run's."""
    if (file := choices_of(place)) is None:
        return {}
    model = read_yaml(file).get("model")
    if not isinstance(model, Mapping):
        raise UserError(f"{file} does not say how the run's model is loaded (model)")
    return model


def check_policy(policy: Any) -> None:
    """Refuse what names no policy."""
    if not isinstance(policy, str) or not policy:
        raise UserError(f"policy must be a run folder, a hub id or a model's folder, got {policy!r}")


def policy_name(where: str | Path) -> str:
    """A short name for what `open_policy` is given, fit for a file: the run's, or the end of the path or hub id."""
    place = Path(os.path.abspath(Path(where).expanduser()))
    run = run_of(place)
    name = place.name
    if run is not None and place != run:
        name = run.name if name == "policy" else f"{run.name}-{name}"
    return re.sub(r"[^\w.+=-]", "_", name).lstrip(".") or "policy"
