"""A causal language model and its tokenizer from a folder or the hub: found, weighed, loaded, or refused in one line.

What is loaded is always a folder, the user's or one commit in the hub's cache; safetensors only, no remote code. The
hub is asked once before anything is downloaded, so that a typo, a closed gate, a missing network or too little memory
cost seconds. `key` is what the person typed the path as. What a policy does with its model is not said here.
"""

import importlib.util
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.system.environment import install
from motif.system.errors import UserError
from motif.system.files import read_json
from motif.system.memory import ran_out

if TYPE_CHECKING:
    import torch

FILES: dict[str, Any] = {
    "allow_patterns": ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"],
    "ignore_patterns": ["*/*", "consolidated*"],
}
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
SIZES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}  # bytes; any other is of one byte
DTYPES = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4 = 0.516  # bytes a weight: four bits, and the doubly quantized scales of blocks of 64
PATIENCE = 10  # seconds for the hub's first answer

Counts = Mapping[str, int]  # weights by safetensors' name of their type
Weigh = Callable[[Counts, Path], None]


def fetch(
    path: str, revision: str | None = None, key: str = "model.path", weigh: Weigh | None = None
) -> tuple[Path, str | None]:
    """The folder that holds the files of `path`, and their commit where they come from the hub.

    `weigh` is told how many weights there are, and where the config.json is, before they are downloaded.
    """
    if Path(path).expanduser().is_dir():
        return Path(path).expanduser().absolute(), None
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", path):
        raise UserError(f"{key}={path} is neither a folder that exists nor a hub id such as Qwen/Qwen2.5-3B-Instruct")
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    pinned = bool(re.fullmatch(r"[0-9a-f]{40}", revision or ""))
    if (pinned or constants.HF_HUB_OFFLINE) and (found := cached(path, revision)):
        return found, found.name
    try:
        info = HfApi().model_info(path, revision=revision, timeout=PATIENCE)
        names = {file.rfilename for file in info.siblings or []}
        first = "config.json" if "config.json" in names else "adapter_config.json"
        if first not in names or not any(name.endswith(".safetensors") for name in names):
            raise UserError(f"{key}={path} has no {first} with safetensors weights on the hub; choose another model")
        # a closed gate shows with the first file; fetched by the branch's name, for the cache to know that too
        config = Path(hf_hub_download(path, first, revision=revision))
        if weigh and info.safetensors:
            weigh(info.safetensors.parameters, config)
        return Path(snapshot_download(path, revision=info.sha, **FILES)), info.sha
    except UserError:
        raise
    except GatedRepoError as error:
        raise UserError(
            f"{key}={path} is gated: accept its licence at https://huggingface.co/{path}, then: hf auth login"
        ) from error
    except RevisionNotFoundError as error:
        raise UserError(
            f"{key}={path} has no revision {revision}; {beside(key, 'revision')}=main has the newest"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{key}={path} is neither a folder here nor on the hub: check the spelling, or, if private: hf auth login"
        ) from error
    except Exception as error:  # by whatever name the hub's HTTP library calls a network that is not there
        if found := cached(path, revision):
            return found, found.name
        raise UserError(
            f"{key}={path} is no folder here, not in the hub's cache and cannot be fetched ({one_line(error)}); "
            f"without a network give a folder that holds the model: {key}=FOLDER"
        ) from error


def cached(path: str, revision: str | None) -> Path | None:
    """The hub cache's folder of `path` at `revision`, where all of its weights are there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(path, revision=revision, local_files_only=True, **FILES))
    except LocalEntryNotFoundError:
        return None
    return folder if missing(folder) is None else None


def missing(folder: Path) -> str | None:
    """What a folder lacks of a model or an adapter, in words; None where it is whole."""
    if not (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file():
        return "config.json"
    adapter = (folder / "adapter_config.json").is_file()
    if not (files := weights(folder)) or (adapter and not (folder / "adapter_model.safetensors").is_file()):
        return "safetensors weights (save_pretrained of a current transformers writes them)"
    return next((file.name for file in files if not file.is_file()), None)


def weights(folder: Path) -> list[Path]:
    """The safetensors files of the model in `folder`: those of its index, else all that lie there."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        held = read_json(index).get("weight_map")
        if not isinstance(held, dict):
            raise UserError(f"{index} does not say where weights lie (weight_map); fetch or copy it again")
        return [folder / str(name) for name in sorted(set(held.values()))]
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))


def stored(folder: Path) -> dict[str, int]:
    """How many weights of each type lie in `folder`, read from the headers of its files."""
    counts: dict[str, int] = {}
    for path in weights(folder):
        try:
            with path.open("rb") as file:
                header = dict(json.loads(file.read(int.from_bytes(file.read(8), "little"))))
        except (ValueError, TypeError, MemoryError, OverflowError) as error:
            raise UserError(f"{path} is torn or no safetensors file; fetch or copy it again") from error
        for name, entry in header.items():
            if name != "__metadata__":
                size = 1
                for length in entry["shape"]:
                    size *= length
                counts[entry["dtype"]] = counts.get(entry["dtype"], 0) + size
    return counts


def needed(counts: Counts, config: Path, dtype: str, quantization: str | None, training: bool = False) -> float:
    """Bytes of the weights once loaded, and of their gradients where all are trained (`training`).

    A lower bound: activations, optimizer and key-value cache come on top. 4 bits leave the embeddings as they are,
    whose number is read from `config`, the model's config.json.
    """
    total = sum(counts.values())
    if quantization == "4bit":
        apart = min(total, embeddings(config))
        return apart * DTYPES.get(dtype, 2) + (total - apart) * NF4
    held = sum(count * DTYPES.get(dtype, SIZES.get(name, 1)) for name, count in counts.items())
    return held * (2 if training else 1)


def embeddings(config: Path) -> int:
    """How many weights the token embeddings have, those of the output included where they are weights of their own."""
    found = read_json(config)
    found = found.get("text_config", found)
    tables = 1 if found.get("tie_word_embeddings", True) else 2
    return found.get("vocab_size", 0) * found.get("hidden_size", 0) * tables


def free_memory(device: "torch.device") -> int:
    """Bytes that can be had on `device`: free on a GPU, available to a process on a CPU."""
    import psutil
    import torch

    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available


def check_room(
    path: str,
    key: str,
    counts: Counts,
    config: Path,
    dtype: str,
    quantization: str | None,
    device: "torch.device",
    training: bool = False,
) -> None:
    """Refuse a model whose weights alone do not fit into free memory, with the numbers and what would help."""
    need, free = needed(counts, config, dtype, quantization, training), free_memory(device)
    if need <= free:
        return
    helps = ["a smaller model"]
    if training:
        helps.append(f"LoRA ({beside(key, 'peft')})")
    if dtype == "float32":
        helps.append(f"{beside(key, 'dtype')}=bfloat16")
    if quantization is None and not training and device.type == "cuda":
        helps.append(f"{beside(key, 'quantization')}=4bit")
    what = "weights and gradients" if training else "weights"
    kind = "in 4 bits" if quantization else f"in {dtype}" if dtype in DTYPES else "as stored"
    raise UserError(
        f"{key}={path} needs {need / 2**30:.1f} GiB for its {what} {kind}, and {free / 2**30:.1f} GiB are free on the "
        f"{'GPU' if device.type == 'cuda' else 'CPU'}; what helps: {', '.join(helps)}"
    )


def check_quantization(quantization: str | None, device: "torch.device", key: str = "model.path") -> None:
    """Refuse 4 bits where bitsandbytes or a GPU is missing."""
    if quantization is None:
        return
    setting = beside(key, "quantization")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(f"{setting}={quantization} needs bitsandbytes: {install('quantization')}")
    if device.type != "cuda":
        raise UserError(f"{setting}={quantization} needs a CUDA GPU, and none is visible; or {setting}=null")


def this_device() -> "torch.device":
    """The GPU of this process where there is one, else the CPU."""
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


def load_model(
    folder: Path, path: str, key: str, dtype: str, attention: str, quantization: str | None, device: "torch.device"
) -> Any:
    """The model in `folder`, on `device`."""
    check_attention(folder, path, key, attention)
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    options: dict[str, Any] = {"device_map": {"": device}} if device.type == "cuda" else {}
    if quantization == "4bit":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    try:
        return AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **options,
        )
    except Exception as error:  # of any kind: what lies in the folder is anybody's
        if ran_out(error):
            raise UserError(
                f"{key}={path}: memory ran out while loading ({one_line(error)}); free some, take a smaller model, "
                f"{beside(key, 'dtype')}=bfloat16 or {beside(key, 'quantization')}=4bit"
            ) from error
        other = "its weights have other shapes than its config.json says" * ("ignore_mismatched_sizes" in str(error))
        if isinstance(error, RuntimeError) and not other:  # a fault of ours
            raise
        raise UserError(f"{key}={path} cannot be loaded: {other or one_line(error)}") from error


def check_attention(folder: Path, path: str, key: str, attention: str) -> None:
    """Refuse attention that transformers would fetch from the hub as code: a kernel, asked for by its hub id here or in
    the model's own config.json, or flash attention that is not installed where the package `kernels` is."""
    config = json.loads((folder / "config.json").read_text())
    own = [config.get(name) for name in ("attn_implementation", "_attn_implementation")]
    for asked in (attention, *map(str, own)):
        absent = importlib.util.find_spec("flash_attn") is None and importlib.util.find_spec("kernels") is not None
        if "/" in asked or (asked.startswith("flash_attention_") and absent):
            where = beside(key, "attention") if asked == attention else f"attn_implementation in {path}/config.json"
            raise UserError(
                f"{where} asks for {asked}, which would be code from the hub and is not fetched; take sdpa or eager, "
                "or install flash-attn for flash_attention_2"
            )


def load_tokenizer(folder: Path, path: str, key: str) -> Any:
    """The tokenizer in `folder`, padding on the left; one without a chat template is refused."""
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise UserError(f"{key}={path} has no tokenizer; save the one that the model was trained with into that folder")
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(
            str(folder), padding_side="left", trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        raise UserError(f"the tokenizer of {key}={path} cannot be loaded: {one_line(error)}") from error
    if tokenizer.chat_template is None:
        raise UserError(f"the tokenizer of {key}={path} has no chat template; use an instruction-tuned model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def beside(key: str, setting: str) -> str:
    """The full name of a setting that stands beside `key`: model.dtype beside model.path, else options.dtype."""
    return f"model.{setting}" if key.startswith("model.") else f"options.{setting}"


def one_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
