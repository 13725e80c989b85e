"""The files of a causal language model: found in a folder or on the hub, weighed, loaded, or refused in one line.

What is loaded is always a folder: the user's, or one commit in the hub's cache. It holds safetensors and no code. The
hub is asked once before anything is downloaded, so that a typo, a closed gate, a missing network or too little memory
cost seconds. This module does not know what a policy does with its model.
"""

import importlib.util
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.policies import gguf
from motif.system import UserError, first_line, install, one_of, ran_out, read_json, text

if TYPE_CHECKING:
    import torch

FILES: dict[str, Any] = {
    "allow_patterns": ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"],
    "ignore_patterns": ["*/*", "consolidated*"],
}
SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
SIZES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}  # bytes; any other type has one
DTYPES = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4 = 0.516  # bytes a weight: four bits, and the doubly quantized scales of blocks of 64
PATIENCE = 10  # seconds for the hub's first answer
NOT_FETCHED = {  # by the kind of the hub's error
    "GatedRepoError": "is gated: accept its licence at https://huggingface.co/{0.path}, then: hf auth login",
    "RevisionNotFoundError": "has no revision {0.revision}; {setting}=main has the newest",
    "RepositoryNotFoundError": "is neither a folder here nor on the hub: check the spelling, or, if private: "
    "hf auth login",
}

Counts = Mapping[str, int]  # numbers of weights by safetensors' name of their type


def this_device() -> "torch.device":
    """The GPU of this process where there is one, else the CPU."""
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


@dataclass(frozen=True)
class Weights:
    """The weights and the tokenizer at `path`, and how they are loaded.

    Args:
        path: a hub id, a folder, or a GGUF file (`motif.policies.gguf`).
        revision, dtype, attention, quantization: as in `Pretrained`.
        device: where the model is put.
        training: whether all weights will be trained.
        key: the setting that `path` was typed as, for messages.

    Raises:
        UserError: in each method, where something cannot be loaded. The message names the remedy.
    """

    path: str
    revision: str | None = None
    dtype: str = "auto"
    attention: str = "sdpa"
    quantization: str | None = None
    device: "torch.device" = field(default_factory=this_device)
    training: bool = False
    key: str = "model.path"

    def __post_init__(self) -> None:
        one_of(self.setting("dtype"), self.dtype, ("auto", *DTYPES))
        one_of(self.setting("quantization"), self.quantization, (None, "4bit"))
        text(self.setting("attention"), self.attention)

    def setting(self, name: str) -> str:
        """The full name of a setting: model.dtype beside model.path and in training, else options.dtype."""
        return f"model.{name}" if self.training or self.key.startswith("model.") else f"options.{name}"

    def wrong(self, words: str) -> UserError:
        return UserError(f"{self.key}={self.path} {words}")

    def check_quantization(self) -> None:
        """Refuse 4 bits where bitsandbytes or a GPU is missing."""
        setting = self.setting("quantization")
        if self.quantization is None:
            return
        if importlib.util.find_spec("bitsandbytes") is None:
            raise UserError(f"{setting}={self.quantization} needs bitsandbytes: {install('quantization')}")
        if self.device.type != "cuda":
            raise UserError(f"{setting}={self.quantization} needs a CUDA GPU, and none is visible; or {setting}=null")

    def fetch(self) -> tuple[Path, str | None]:
        """The folder of the files, and their commit where they come from the hub; too large ones are not downloaded.
        That of a GGUF file is made of it, and the version of its package stands for a commit."""
        if file := gguf.source(self.path, self.revision):
            return gguf.as_folder(file), gguf.package_version(self.path)
        folder = Path(self.path).expanduser()
        if folder.is_dir():
            return folder.absolute(), None
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", self.path):
            raise self.wrong("is neither a folder or GGUF file here nor a hub id such as Qwen/Qwen2.5-3B-Instruct")
        from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download

        pinned = re.fullmatch(r"[0-9a-f]{40}", self.revision or "")
        if (pinned or constants.HF_HUB_OFFLINE) and (snapshot := cached(self.path, self.revision)):
            return snapshot, snapshot.name
        try:
            info = HfApi().model_info(self.path, revision=self.revision, timeout=PATIENCE)
            names = {file.rfilename for file in info.siblings or []}
            first = "config.json" if "config.json" in names else "adapter_config.json"
            if first not in names or not any(name.endswith(".safetensors") for name in names):
                raise self.wrong(f"has no {first} with safetensors weights on the hub; choose another model")
            # a closed gate shows with the first file; fetched by the branch's name, for the cache to know that too
            config = Path(hf_hub_download(self.path, first, revision=self.revision))
            if info.safetensors:
                self.check_room(info.safetensors.parameters, config)
            return Path(snapshot_download(self.path, revision=info.sha, **FILES)), info.sha
        except UserError:
            raise
        except Exception as error:  # by whatever name the hub's HTTP library calls a network that is not there
            if words := NOT_FETCHED.get(type(error).__name__):
                raise self.wrong(words.format(self, setting=self.setting("revision"))) from error
            if snapshot := cached(self.path, self.revision):
                return snapshot, snapshot.name
            raise self.wrong(
                f"is no folder here, not in the hub's cache and cannot be fetched ({first_line(error)}); "
                f"without a network give a folder that holds the model: {self.key}=FOLDER"
            ) from error

    def check_room(self, counts: Counts, config: Path) -> None:
        """Refuse a model whose weights alone do not fit into free memory, with the numbers and what would help."""
        need = needed(counts, config, self.dtype, self.quantization, self.training)
        free = free_memory(self.device)
        if need <= free:
            return
        gpu = self.device.type == "cuda"
        helps = {
            "a smaller model": True,
            f"LoRA ({self.setting('peft')})": self.training,
            f"{self.setting('dtype')}=bfloat16": self.dtype == "float32",
            f"{self.setting('quantization')}=4bit": gpu and not self.training and self.quantization is None,
        }
        what = "weights and gradients" if self.training else "weights"
        how = "in 4 bits" if self.quantization else f"in {self.dtype}" if self.dtype in DTYPES else "as stored"
        raise self.wrong(
            f"needs {need / 2**30:.1f} GiB for its {what} {how}, and "
            f"{free / 2**30:.1f} GiB are free on the {'GPU' if gpu else 'CPU'}; "
            f"what helps: {', '.join(words for words, true in helps.items() if true)}"
        )

    def model(self, folder: Path) -> Any:
        """The model in `folder`, on `device`."""
        self.check_attention(folder)
        import torch
        from transformers import AutoModelForCausalLM, BitsAndBytesConfig

        options: dict[str, Any] = {"device_map": {"": self.device}} if self.device.type == "cuda" else {}
        if self.quantization == "4bit":
            four: dict[str, Any] = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
            four |= {"load_in_4bit": True, "bnb_4bit_compute_dtype": torch.bfloat16}
            options["quantization_config"] = BitsAndBytesConfig(**four)
        try:
            how = {"dtype": self.dtype, "attn_implementation": self.attention, "use_safetensors": True}
            return AutoModelForCausalLM.from_pretrained(str(folder), **how, **SAFE, **options)
        except Exception as error:  # of any kind: what lies in the folder is anybody's
            if ran_out(error):
                raise UserError(
                    f"{self.key}={self.path}: memory ran out while loading ({first_line(error)}); free some, take a "
                    f"smaller model, {self.setting('dtype')}=bfloat16 or {self.setting('quantization')}=4bit"
                ) from error
            if "attention implementation" in str(error):
                raise self.wrong(f"has no {self.setting('attention')}={self.attention}; try eager") from error
            shapes = "ignore_mismatched_sizes" in str(error)
            if isinstance(error, RuntimeError) and not shapes:  # a fault of ours
                raise
            words = "its weights have other shapes than its config.json says" if shapes else first_line(error)
            raise self.wrong(f"cannot be loaded: {words}") from error

    def check_attention(self, folder: Path) -> None:
        """Refuse attention that transformers would fetch from the hub as code.

        That is a kernel by its hub id, or flash attention that is not installed where the package `kernels` is.
        """
        config = read_json(folder / "config.json")
        own = [config.get(name) for name in ("attn_implementation", "_attn_implementation")]
        for asked in (self.attention, *map(str, own)):
            absent = importlib.util.find_spec("flash_attn") is None and importlib.util.find_spec("kernels") is not None
            if "/" in asked or (asked.startswith("flash_attention_") and absent):
                typed = asked == self.attention
                where = self.setting("attention") if typed else f"attn_implementation in {self.path}/config.json"
                raise UserError(
                    f"{where} asks for {asked}, which would be code from the hub and is not fetched; take sdpa or "
                    "eager, or install flash-attn for flash_attention_2"
                )

    def tokenizer(self, folder: Path) -> Any:
        """The tokenizer in `folder`, padding on the left; one without a chat template is refused."""
        from transformers import AutoTokenizer

        if not has_tokenizer(folder):
            raise self.wrong("has no tokenizer; save the one that the model was trained with into that folder")
        named = f"the tokenizer of {self.key}={self.path}"
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), padding_side="left", **SAFE)
        except Exception as error:
            raise UserError(f"{named} cannot be loaded: {first_line(error)}") from error
        if tokenizer.chat_template is None:
            raise UserError(f"{named} has no chat template; use an instruction-tuned model")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer


def cached(path: str, revision: str | None) -> Path | None:
    """The folder of `path` at `revision` in the hub's cache; None where not all of its weights are there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(path, revision=revision, local_files_only=True, **FILES))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return folder if missing(folder) is None else None


def missing(folder: Path) -> str | None:
    """What a folder lacks of a model or an adapter, in words; None where it lacks nothing."""
    adapter = (folder / "adapter_config.json").is_file()
    if not adapter and not (folder / "config.json").is_file():
        return "config.json"
    files = weight_files(folder)
    if not files or (adapter and not (folder / "adapter_model.safetensors").is_file()):
        return "safetensors weights (save_pretrained of a current transformers writes them)"
    return next((file.name for file in files if not file.is_file()), None)


def has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TOKENIZERS)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of the model in `folder`: those of its index, else all that are there."""
    if (index := folder / "model.safetensors.index.json").is_file():
        names = read_json(index).get("weight_map")
        if not isinstance(names, dict):
            raise UserError(f"{index} does not say where weights lie (weight_map); fetch or copy it again")
        return [folder / str(name) for name in sorted(set(names.values()))]
    single = folder / "model.safetensors"
    return [single] if single.is_file() else sorted(folder.glob("*.safetensors"))


def stored(folder: Path) -> Counts:
    """How many weights of each type are in `folder`, from the headers of its files."""
    from huggingface_hub import parse_local_safetensors_file_metadata
    from huggingface_hub.errors import SafetensorsParsingError

    counts: Counter[str] = Counter()
    for path in weight_files(folder):
        try:
            counts.update(parse_local_safetensors_file_metadata(path).parameter_count)
        except SafetensorsParsingError as error:
            raise UserError(f"{path} is torn or no safetensors file; fetch or copy it again") from error
    return counts


def needed(counts: Counts, config: Path, dtype: str, quantization: str | None, training: bool = False) -> float:
    """Bytes of the loaded weights, and of their gradients where all are trained (`training`).

    It is a lower bound: activations, optimizer and key-value cache come on top. Four bits leave the embeddings as they
    are; their number is read from `config`, the model's config.json.
    """
    if quantization == "4bit":
        total = sum(counts.values())
        apart = min(total, embeddings(config))
        return apart * DTYPES.get(dtype, 2) + (total - apart) * NF4
    loaded = sum(count * DTYPES.get(dtype, SIZES.get(name, 1)) for name, count in counts.items())
    return loaded * (2 if training else 1)


def embeddings(config: Path) -> int:
    """The number of weights of the token embeddings, and of the output's where these are others."""
    settings = (whole := read_json(config)).get("text_config", whole)
    tables = 1 if settings.get("tie_word_embeddings", True) else 2
    return settings.get("vocab_size", 0) * settings.get("hidden_size", 0) * tables


def free_memory(device: "torch.device") -> int:
    """Bytes that can be had on `device`: free on a GPU, available to a process on a CPU."""
    import psutil
    import torch

    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
