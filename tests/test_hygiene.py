"""Secrets stay where they are, nothing is unpickled or fetched as code, and offline nobody is asked."""

import gzip
import importlib.util
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.kills import SHORT
from motif.policies.pretrained import Pretrained, load_policy, open_policy
from motif.policies.tiny import Tiny
from motif.runs.folder import Run, checkpoints
from motif.system.errors import UserError
from tests.support.forks import ROOT, Forks
from tests.support.training import motif, run_training

PLANTED = {  # of the environment
    "WANDB_API_KEY": "5ec4e7" + "0123456789abcdef" * 2 + "9f",
    "HF_TOKEN": "hf_PlantedPlantedPlantedPlanted01",
    "AWS_SECRET_ACCESS_KEY": "Planted/aws+secret/access0key",
    "OPENAI_API_KEY": "sk-proj-PlantedPlantedPlanted02",
    "DATABASE_PASSWORD": "Planted-password",
}
TYPED = ["+algo.trainer.hub_token=PlantedHubToken03", "tracking.tags=[ghp_PlantedPlantedPlanted04,toy]"]
FEW = ["dataset.test_size=16", "evaluation.questions=16"]
QUICK = [word for word in SHORT if not word.startswith(("name=", "tracking=", "evaluation.questions="))]


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """A folder in which everything was used, with secrets in environment and settings, and every network blocked."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PLANTED.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", f"{ROOT / 'tests/blocked'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        patch.setenv("TRIED", str(folder / "tried.txt")), patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("MOTIF_CACHE", str(folder / "cache"))
        forks = Forks()
        try:
            for program, *words in (
                ["train.py", *QUICK, *FEW, *TYPED, "name=one"],
                ["train.py", "-m", *QUICK, *FEW, *TYPED, "algo=grpo,motif", "algo.steps=1"],
                ["train.py", *FEW, "generation=vllm", "generation.base_url=ftp://me:Planted05@host", "name=bad"],
                ["train.py", "tracking.tags=[ghp_PlantedPlantedPlanted04", "name=bad"],
                ["evaluate.py", "policy=outputs/one", "rounds=1", "questions=8", "format=lm_eval"],
                ["solve.py", "policy=outputs/one", "1a+1"],
                ["motif.report", "outputs/one", "--wandb"],
                ["motif.study", "status", "outputs"],
            ):  # fmt: skip
                status, said = forks.begin(program, folder, *words).wait()
                assert status == int("name=bad" in words), said
        finally:
            forks.close()
    return folder


@pytest.mark.slow
def test_no_planted_secret_is_in_any_file_or_in_what_was_said(worked):
    secrets = [*PLANTED.values(), "PlantedHubToken03", "ghp_PlantedPlantedPlanted04", "Planted05"]
    found, kinds = [], set()
    for file in worked.rglob("*"):
        if file.is_file():
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            names = str(file.relative_to(worked)).encode()
            found += [(str(file), secret) for secret in secrets if secret.encode() in content + names]
            kinds.add("said" if file.name.startswith("said-") else file.suffix)
    assert not found
    assert {"said", ".wandb", ".yaml", ".json", ".jsonl", ".gz", ".html", ".pt", ".safetensors", ".md"} <= kinds
    config = (worked / "outputs/one/config.yaml").read_text()
    assert "hub_token: '[hidden]'" in config and "- '[hidden]'" in config and "- toy" in config
    assert "[hidden]" in (worked / "outputs/one/environment.json").read_text()
    assert (
        "error: generation.base_url must be an http address, got 'ftp://[hidden]@host'"
        in (worked / "said-3.txt").read_text()
    )


@pytest.mark.slow
def test_offline_nothing_tries_to_reach_a_network(worked):
    assert not (worked / "tried.txt").exists(), (worked / "tried.txt").read_text()


def test_what_blocks_the_network_notes_who_tries(tmp_path):
    def run(code):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests/blocked"), "TRIED": str(tmp_path / "tried.txt")}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stderr

    for code in ("create_connection(('127.0.0.1', 9))", "socket(AF_INET6).connect(('::1', 9))", "getaddrinfo('h', 1)"):
        assert "the network is blocked" in run(f"from socket import *; {code}")
    assert (tmp_path / "tried.txt").read_text().count(" of ['-c']") == 3


def test_libraries_tell_their_makers_nothing():
    code = "import motif; from huggingface_hub import constants; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_TRACK", "_TELEMETRY"))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "True\n", done.stderr


class Payload:
    """What runs when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.write_text, (self.file, "ran")


@pytest.fixture
def payload(tmp_path):
    """A file, and the pickle that would write it, by pickle and by torch.load without its safeguard."""
    file = tmp_path / "ran.txt"
    torch.save(Payload(file), tmp_path / "payload.bin")
    torch.load(tmp_path / "payload.bin", weights_only=False)
    pickle.loads(pickle.dumps(Payload(file)))
    assert file.read_text() == "ran"
    file.unlink()
    return file, tmp_path / "payload.bin"


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny policy, to be spoilt."""
    return shutil.copytree(Tiny().folder(), tmp_path / "model")


def adapter_of(folder, place):
    policy = Pretrained(path=str(folder), dtype="float32", peft={"r": 4, "target_modules": ["q_proj"]}).load()
    policy.model.save_pretrained(place)
    return place


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.bin", "training_args.bin", "pytorch_model.pt"])
def test_a_folder_of_pickled_weights_is_refused_in_a_line_and_not_unpickled(name, folder, payload):
    (folder / "model.safetensors").unlink()
    shutil.copy(payload[1], folder / name)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(UserError, match="has no safetensors weights") as error:
        load_policy(str(folder))
    assert "\n" not in str(error.value) and not payload[0].exists()


def test_pickles_beside_the_weights_are_left_alone(folder, payload):
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "adapter_model.bin"):
        shutil.copy(payload[1], folder / name)
    assert open_policy(folder).model is not None and not payload[0].exists()


@pytest.mark.parametrize("decoy", [False, True])
def test_an_adapter_of_pickled_weights_is_refused_in_a_line_and_not_unpickled(decoy, folder, tmp_path, payload):
    place = adapter_of(folder, tmp_path / "adapter")
    weights = place / "adapter_model.safetensors"
    weights.rename(place / "other.safetensors") if decoy else weights.unlink()
    shutil.copy(payload[1], place / "adapter_model.bin")
    with pytest.raises(UserError, match="has no safetensors weights") as error:
        open_policy(place)
    assert "\n" not in str(error.value) and not payload[0].exists()


@pytest.mark.parametrize("kind", ["auto_map", "own kind", "generate", "tokenizer", "kernel"])
def test_code_in_a_policys_folder_is_not_run(kind, folder, tmp_path):
    ran = tmp_path / "ran.txt"
    code = f"open({str(ran)!r}, 'w').write('ran')\nclass Own: pass\ndef generate(*a, **k): pass\n"
    for name in ("modeling_own.py", "configuration_own.py", "tokenization_own.py", "__init__.py"):
        (folder / name).write_text(code)
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(code)
    own = {"auto_map": {"AutoConfig": "configuration_own.Own", "AutoModelForCausalLM": "modeling_own.Own"}}
    kernel = dict.fromkeys(("attn_implementation", "_attn_implementation"), "somebody/kernel")
    edits = {
        "auto_map": ("config.json", own),
        "own kind": ("config.json", {"model_type": "own", **own}),
        "generate": ("generation_config.json", {"custom_generate": str(folder)}),
        "tokenizer": ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["tokenization_own.Own", None]}}),
        "kernel": ("config.json", kernel),
    }  # fmt: skip
    name, more = edits[kind]
    whole = json.loads((folder / name).read_text()) if (folder / name).is_file() else {}
    (folder / name).write_text(json.dumps(whole | more))
    try:
        open_policy(folder)
    except UserError as error:
        assert kind in ("own kind", "kernel") and "\n" not in str(error)
    else:
        assert kind not in ("own kind", "kernel")
    assert not ran.exists()


def test_a_template_is_rendered_in_a_sandbox(folder):
    (folder / "chat_template.jinja").write_text(
        "{{ messages.__class__.__mro__[1].__subclasses__() }}{{ messages[0].content }}"
    )
    with pytest.raises(UserError, match="chat template"):
        open_policy(folder)


def test_attention_that_would_be_fetched_from_the_hub_is_refused(folder, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it asks the hub"))
    with pytest.raises(UserError, match=r"model\.attention asks for .* code from the hub"):
        load_policy(str(folder), attention="kernels-community/flash-attn2")
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: find("json" if name == "kernels" else name))
    with pytest.raises(UserError, match="install flash-attn"):
        load_policy(str(folder), attention="flash_attention_2")


def test_no_module_trusts_remote_code_or_unpickles():
    for file in (*(ROOT / "motif").rglob("*.py"), *ROOT.glob("*.py")):
        text = file.read_text()
        assert "trust_remote_code=True" not in text and "import pickle" not in text and "torch.load" not in text, file


@pytest.fixture(scope="module")
def one_step(tmp_path_factory):
    """A run with a checkpoint of its first step."""
    return run_training(Tiny().load(), motif(steps=1), tmp_path_factory.mktemp("once") / "run", every=1).folder


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_with_a_pickle_in_it_is_not_unpickled_even_under_a_true_seal(name, one_step, tmp_path, payload):
    run = Run(shutil.copytree(one_step, tmp_path / "run"))
    place = run.checkpoint().folder
    assert not list(place.glob("*.bin"))  # nor is TRL's own pickle of its arguments there
    shutil.copy(payload[1], place / name)
    note = {key: value for key, value in json.loads((place / checkpoints.SEAL).read_text()).items() if key != "sha256"}
    note["files"][name] = {"size": (place / name).stat().st_size, "sha256": checkpoints.digest(place / name)}
    (place / checkpoints.SEAL).write_text(json.dumps({**note, "sha256": checkpoints.digest_of(note)}))
    assert run.checkpoint().folder == place
    with pytest.raises(pickle.UnpicklingError, match="weights_only|Weights only"):
        run_training(Tiny().load(), motif(steps=2), run.folder, every=1)
    assert not payload[0].exists()
