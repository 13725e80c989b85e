"""Finding and weighing models: folders with something missing, a hub that answers, refuses, or is not there."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from huggingface_hub import constants

from motif.policies import weights
from motif.policies.pretrained import Pretrained, load_policy, open_policy
from motif.policies.tiny import Tiny
from motif.policies.weights import Weights
from motif.system.errors import UserError

CPU = torch.device("cpu")
COMMIT = "c" * 40


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny policy, to be damaged."""
    return shutil.copytree(Tiny().folder(), tmp_path / "model")


class Hub:
    """A server that answers as the hub does, for one model: its listing, then its files at one commit."""

    def __init__(self, files):
        self.files, self.asked, self.gate = files, [], None
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request):
        path = request.path.split("?")[0]
        self.asked.append((request.command, path))
        if not (path.startswith("/api/models/owner/name") or path.startswith("/owner/name/")):
            return self.send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})
        if path.startswith("/api/"):
            revision = path.partition("/revision/")[2] or path.partition("/tree/")[2]
            if revision not in ("", "main", COMMIT):
                return self.send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"})
            if "/tree/" in path:
                listed = [{"type": "file", "path": n, "size": len(b), "oid": "0" * 40} for n, b in self.files.items()]
                return self.send(request, 200, json.dumps(listed).encode())
            siblings = [{"rfilename": name} for name in self.files]
            weights = {"parameters": {"F32": 10**12 if self.gate == "huge" else 1000}, "total": 1000}
            said = {"id": "owner/name", "modelId": "owner/name", "sha": COMMIT, "siblings": siblings}
            return self.send(request, 200, json.dumps({**said, "safetensors": weights, "tags": []}).encode())
        if self.gate == "closed":
            return self.send(request, 403, b"", {"X-Error-Code": "GatedRepo"})
        body = self.files.get(path.rpartition("/")[2])
        if body is None:
            return self.send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
        etag = f'"{hash(body) & 0xFFFFFFFFFFFF:040x}"'
        return self.send(request, 200, body, {"X-Repo-Commit": COMMIT, "ETag": etag})

    def send(self, request, status, body, headers=None):
        request.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)

    def downloads(self):
        return [path for command, path in self.asked if command == "GET" and path.startswith("/owner/")]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    files = {file.name: file.read_bytes() for file in Tiny().folder().iterdir() if file.suffix != ".md"}
    hub = Hub({**files, "pytorch_model.bin": b"\x00", "modeling_x.py": b"raise SystemExit"})
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def refused(words, *arguments, **settings):
    with pytest.raises(UserError, match=words) as error:
        load_policy(*arguments, **settings)
    assert "\n" not in str(error.value)


def test_a_model_of_the_hub_is_loaded_at_one_commit_without_pickles_or_code(hub):
    policy = load_policy("owner/name", "main")
    assert (policy.path, policy.commit) == ("owner/name", COMMIT)
    fetched = {path.rpartition("/")[2] for path in hub.downloads()}
    assert "model.safetensors" in fetched and not fetched & {"pytorch_model.bin", "modeling_x.py"}
    lora = Pretrained(path="owner/name", peft={"r": 2, "target_modules": ["q_proj"]}).load()
    said = lora.model.peft_config["default"]
    assert (said.base_model_name_or_path, said.revision) == ("owner/name", COMMIT)


def test_a_pinned_model_in_the_cache_needs_no_hub_and_a_branch_none_that_answers(hub, monkeypatch):
    load_policy("owner/name", "main")
    hub.asked.clear()
    assert load_policy("owner/name", COMMIT).commit == COMMIT and not hub.asked
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert load_policy("owner/name", "main").commit == COMMIT
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_policy("owner/name", "main").commit == COMMIT


def test_an_incomplete_snapshot_in_the_cache_is_completed(hub):
    place, _ = Weights("owner/name", "main").fetch()
    (place / "model.safetensors").unlink()
    assert load_policy("owner/name", COMMIT).commit == COMMIT


def test_a_typo_is_one_line(hub):
    refused(
        "model.path=owner/nmae is neither a folder here nor on the hub: check the spelling.*hf auth login", "owner/nmae"
    )


def test_a_revision_that_is_not_there_is_one_line(hub):
    refused("model.path=owner/name has no revision v9; model.revision=main", "owner/name", "v9")


def test_a_closed_gate_is_one_line_before_any_weights_are_fetched(hub):
    hub.gate = "closed"
    refused(
        r"owner/name is gated: accept its licence at https://huggingface.co/owner/name, then: hf auth", "owner/name"
    )
    assert not any(path.endswith(".safetensors") for path in hub.downloads())


def test_too_little_memory_is_refused_before_any_weights_are_fetched(hub):
    hub.gate = "huge"
    refused(r"owner/name needs 3725.3 GiB for its weights .* GiB are free on the CPU", "owner/name", device=CPU)
    assert not any(path.endswith(".safetensors") for path in hub.downloads())


def test_a_model_of_the_hub_without_safetensors_is_one_line(hub):
    del hub.files["model.safetensors"]
    refused("owner/name has no config.json with safetensors weights on the hub", "owner/name")


def test_an_adapter_of_the_hub_is_put_on_its_base(hub, tmp_path):
    policy = Pretrained(path=str(Tiny().folder()), peft={"r": 2, "target_modules": ["q_proj"]}).load()
    policy.model.save_pretrained(tmp_path / "adapter")
    hub.files = {file.name: file.read_bytes() for file in (tmp_path / "adapter").iterdir()}
    opened = open_policy("owner/name")
    base = opened.model.peft_config["default"].base_model_name_or_path
    assert (opened.path, base) == ("owner/name", str(Tiny().folder()))


def test_no_network_is_one_line_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for offline in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        refused(
            r"model.path=Qwen/x is no folder here, not in the hub's cache and cannot be .* \(.+\); .*model.path=FOLDER",
            "Qwen/x",
        )


@pytest.mark.parametrize("path", ["/no/such/folder", "./here", "a/b/c", "~/nothing/at/all", "x y"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(path):
    refused("is neither a folder or GGUF file here nor a hub id", path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["config.json"], "has no config.json"),
        (["model.safetensors"], "has no safetensors weights"),
        (["tokenizer.json"], "has no tokenizer; save the one"),
    ],
)
def test_a_folder_that_lacks_something_is_one_line(folder, names, words):
    for name in names:
        (folder / name).unlink()
    refused(f"model.path={folder} {words}", str(folder))


def test_a_missing_shard_is_named(folder):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused("has no model-00002-of-00002.safetensors", str(folder))


def test_weights_that_are_cut_off_are_one_line(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    refused("cannot be loaded", str(folder))


def test_a_model_of_unknown_kind_or_attention_is_one_line(folder):
    refused("cannot be loaded: .*flash", str(folder), attention="flash_attention_9")
    (folder / "config.json").write_text('{"model_type": "nothing-known"}')
    refused("cannot be loaded: .*nothing-known", str(folder))


def test_a_tokenizer_without_a_chat_template_is_one_line(folder):
    for file in folder.glob("chat_template*"):
        file.unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    refused("has no chat template; use an instruction-tuned model", str(folder))


def test_a_chat_template_that_cannot_render_a_question_is_one_line(folder):
    for file in folder.glob("chat_template*"):
        file.write_text("{{ raise_exception('no') }}")
    refused("chat template of .* cannot render a question", str(folder))


def test_weights_are_counted_from_the_files_headers():
    counts = weights.stored(Tiny().folder())
    policy = load_policy(str(Tiny().folder()))
    assert counts == {"F32": sum(weight.numel() for weight in policy.model.parameters())}


def test_bytes_needed_follow_type_quantization_and_training(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"vocab_size": 100, "hidden_size": 10, "tie_word_embeddings": False}))
    counts = {"BF16": 10_000, "F32": 2_000}
    assert weights.needed(counts, config, "auto", None) == 28_000
    assert weights.needed(counts, config, "float32", None) == 48_000
    assert weights.needed(counts, config, "bfloat16", None, training=True) == 48_000
    assert weights.needed(counts, config, "bfloat16", "4bit") == pytest.approx(2 * 2_000 + 0.516 * 10_000)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"dtype": "float32"},
            "for its weights in float32, and 0.0 GiB are free.* a smaller model, model.dtype=bfloat16$",
        ),
        ({"dtype": "bfloat16", "training": True}, "for its weights and gradients in bfloat16.*a smaller model, LoRA"),
        ({"key": "policy"}, "policy=.* for its weights as stored"),
    ],
)
def test_too_little_memory_is_refused_with_numbers_and_what_helps(settings, words, monkeypatch):
    monkeypatch.setattr(weights, "free_memory", lambda device: 1_000_000)
    refused(words, str(Tiny().folder()), device=CPU, **settings)


def test_four_bits_are_offered_on_a_gpu(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(weights, "free_memory", lambda device: 8 * 2**30)
    with pytest.raises(UserError, match=r"14.2 GiB .* 8.0 GiB are free on the GPU; .*model.quantization=4bit"):
        large = Weights("Qwen/x", dtype="bfloat16", device=torch.device("cuda"))
        large.check_room({"BF16": 7_615_616_512}, tmp_path / "config.json")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory. Tried\nto"), MemoryError()])
def test_memory_that_runs_out_while_loading_is_one_line(error, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    refused("memory ran out while loading .*model.quantization=4bit", str(Tiny().folder()))


def test_a_fault_that_is_not_the_users_keeps_its_traceback(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        load_policy(str(Tiny().folder()))


def test_what_four_bits_are_made_of(monkeypatch):
    seen = {}
    monkeypatch.setattr("transformers.BitsAndBytesConfig", lambda **options: options)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", lambda *_, **options: seen.update(options))
    Weights("x", dtype="bfloat16", quantization="4bit", device=CPU).model(Tiny().folder())
    assert seen["quantization_config"] == {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": torch.bfloat16,
    }
    assert seen["use_safetensors"] is True and seen["trust_remote_code"] is False
