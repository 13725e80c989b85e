import ast
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

import motif
from motif.system import environment as here
from tests.support import ROOT


def test_what_is_recorded_of_a_run_names_the_version_and_the_command(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "rounds=3", "+api_key=verysecret"])
    found = here.environment(seed=7)
    assert found["motif"] == version(here.DISTRIBUTION) == motif.__version__
    assert found["seed"] == 7
    assert found["command"] == ["train.py", "rounds=3", "+api_key=[hidden]"]
    assert found["packages"]["trl"].startswith("1.16.")


@pytest.mark.parametrize(
    ("flags", "there"),
    [("fpu avx512f avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx512f avx2 bf16ish", False), ("", False)],
)
def test_a_processor_that_computes_in_bfloat16_is_known_by_its_flags(monkeypatch, flags, there):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(Path, "read_text", lambda file: f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: none\n")
    assert here.has_bfloat16.__wrapped__() is there


def test_an_extra_is_installed_by_the_name_on_the_public_index():
    assert here.install("vllm") == "pip install 'motif-rounds[vllm]'"


def test_a_program_is_started_by_its_file_in_a_checkout_and_by_its_command_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert here.program("train") == "python train.py"
    monkeypatch.chdir(tmp_path)
    assert here.program("train") == "motif-train"
    (tmp_path / "solve.py").write_text("")  # somebody else's
    assert here.program("solve") == "motif-solve"


def test_a_command_is_typed_again_as_it_was_typed():
    assert here.typed(["train.py", "-m", "name=a b"]) == "python train.py -m 'name=a b'"
    assert here.typed(["motif-train", "seed=0"]) == "motif-train seed=0"


def test_no_commit_is_told_where_the_package_lies_in_somebody_elses_repository(monkeypatch, tmp_path):
    for words in (["init", "-q"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(here, "CHECKOUT", tmp_path)
    assert here.git_commit() is None
    (tmp_path / "train.py").write_text("")
    assert len(here.git_commit().rstrip("+")) == 40


def test_motif_is_imported_at_once():
    heavy = "{'torch', 'hydra', 'rich', 'numpy', 'transformers'} & {name.split('.')[0] for name in sys.modules}"
    subprocess.run([sys.executable, "-c", f"import sys, motif; assert not {heavy}"], cwd=ROOT, check=True)


def test_no_message_says_by_itself_how_something_is_started_or_installed():
    typed = re.compile(r"python \S*(train|evaluate|solve)\.py|pip install .*motif|-e '?\.\[")
    for file in sorted((ROOT / "motif").rglob("*.py")):
        tree = ast.parse(file.read_text())
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                assert not typed.search(node.value), f"{file}:{node.lineno}: ask motif.system.environment"


def test_the_citation_names_this_version_and_the_paper_of_the_method():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == motif.__version__ and cited["cff-version"] == "1.2.0"
    assert cited["license"] == "Apache-2.0" and cited["authors"] and cited["message"]
    (paper,) = cited["references"]
    assert "2507.02851" in paper["url"] and [each["family-names"] for each in paper["authors"]] == ["Mitra", "Ulukus"]


def test_a_page_of_help_names_what_pip_installed():
    page = "python train.py -m rounds=1,3; python solve.py --help; python -m motif.report outputs/*"
    assert here.as_installed(page) == "motif-train -m rounds=1,3; motif-solve --help; python -m motif.report outputs/*"


def test_gpus_are_counted_without_torch(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-caps"):
        (tmp_path / name).touch()
    assert here.gpus(tmp_path) == ["0", "1"]
    for told, found in (("3,5", ["3", "5"]), ("GPU-1f, GPU-2a", ["GPU-1f", "GPU-2a"]), ("", []), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
        assert here.gpus(tmp_path) == found
