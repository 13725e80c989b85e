"""A hub that is out of reach, goes away in the middle of a download, or answers nonsense: cached, or one line."""

import json
import os
import subprocess
import sys
import threading

import pytest
from huggingface_hub import constants

from motif.policies import weights
from motif.policies.pretrained import load_policy
from tests.policies.test_weights import COMMIT, Hub, hub, refused  # noqa: F401
from tests.support import ROOT

NOT_THERE = r"model.path=owner/name is no folder here, not in the hub's cache and cannot be fetched \(.+\); .*=FOLDER"


def cut_off(request, body, headers):
    """Answer with the first half of `body`, and close."""
    request.send_response(200)
    for key, value in {"X-Repo-Commit": COMMIT, **headers, "Content-Length": str(len(body))}.items():
        request.send_header(key, value)
    request.end_headers()
    request.wfile.write(body[: len(body) // 2])
    request.close_connection = True


def goes_away(there, name):
    """Have the hub send half of the file `name` and then be gone; what is returned has it back."""
    plain, gone = there.answer, threading.Event()

    def answer(request):
        if gone.is_set():
            request.close_connection = True
            return request.connection.close()
        if request.command == "GET" and request.path.split("?")[0].endswith("/" + name):
            gone.set()
            body = there.files[name]
            return cut_off(request, body, {"ETag": f'"{hash(body) & 0xFFFFFFFFFFFF:040x}"'})
        return plain(request)

    there.answer = answer
    return lambda: setattr(there, "answer", plain)


@pytest.fixture
def quick(monkeypatch):
    """The hub's library tries again without waiting between."""
    import huggingface_hub.file_download
    import huggingface_hub.utils._http

    for module in (huggingface_hub.utils._http, huggingface_hub.file_download):
        monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_hub_that_goes_away_in_a_download_is_one_line_and_what_came_is_completed_later(hub, quick, name):  # noqa: F811
    back = goes_away(hub, name)
    refused(NOT_THERE, "owner/name", "main")
    back()
    policy = load_policy("owner/name", "main")
    assert policy.commit == COMMIT
    assert (weights.cached("owner/name", "main") / name).read_bytes() == hub.files[name]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_answers_with_an_error_is_out_of_reach(hub, quick, status):  # noqa: F811
    plain = hub.answer
    hub.answer = lambda request: hub.send(request, status, b"")
    refused(NOT_THERE, "owner/name", "main")
    hub.answer = plain
    load_policy("owner/name", "main")
    hub.answer = lambda request: hub.send(request, status, b"")
    assert load_policy("owner/name", "main").commit == COMMIT  # cached, and so it goes on


def test_a_hub_that_goes_away_between_its_answers_leaves_no_half_model_behind_unsaid(hub, quick):  # noqa: F811
    plain, asked = hub.answer, []

    def answer(request):
        asked.append(request.path)
        if any(path.endswith("/config.json") for path in asked[:-1]):
            request.close_connection = True
            return request.connection.close()
        return plain(request)

    hub.answer = answer
    refused(NOT_THERE, "owner/name", "main")
    hub.answer = plain
    assert load_policy("owner/name", "main").commit == COMMIT


def test_a_hub_that_falls_silent_in_a_download_is_not_waited_for_for_ever(hub, quick, monkeypatch):  # noqa: F811
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    over, plain = threading.Event(), hub.answer

    def answer(request):
        if request.command == "GET" and request.path.split("?")[0].endswith("/model.safetensors"):
            return over.wait(60)
        return plain(request)

    hub.answer = answer
    refused(NOT_THERE, "owner/name", "main")
    over.set()


# data sets, by a process of its own each, for the library reads where the hub is when it is imported

ROWS = "".join(json.dumps({"question": f"What is {n} and {n}?", "answer": str(2 * n)}) + "\n" for n in range(50))
READ = """
import sys
from motif.system.errors import UserError
from motif.tasks.corpus import Corpus
from tests.support import ROOT
try:
    print("rows", len(Corpus("toy", hub="owner/rows", revision=sys.argv[1]).test()))
except UserError as error:
    print("error:", error)
"""


class DataHub(Hub):
    """The same for one data set of two files."""

    def answer(self, request):
        path = request.path.split("?")[0]
        self.asked.append((request.command, path))
        if self.gate == "down":
            request.close_connection = True
            return request.connection.close()
        files = {"train.jsonl": ROWS.encode(), "test.jsonl": ROWS.encode()}
        listed = [{"type": "file", "path": name, "size": len(body), "oid": "0" * 40} for name, body in files.items()]
        if path.startswith("/api/datasets/owner/rows"):
            if "/tree/" in path or "/paths-info/" in path:
                return self.send(request, 200, json.dumps(listed).encode())
            siblings = [{"rfilename": name} for name in files]
            said = {"id": "owner/rows", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
            return self.send(request, 200, json.dumps(said).encode())
        body = files.get(path.rpartition("/")[2])
        if body is None:
            return self.send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
        if self.gate == "cut" and request.command == "GET":
            self.gate = "down"
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{len(body):040x}"'}
        if self.gate == "down":
            return cut_off(request, body, headers)
        return self.send(request, 200, body, headers)


@pytest.fixture
def read(tmp_path):
    """Reads the data set in a process whose hub is at `url`, and returns the last line that it says."""

    def call(url, revision=COMMIT, **environment):
        places = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": url, "HF_HUB_DOWNLOAD_TIMEOUT": "2", "PYTHONPATH": str(ROOT)}
        known = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        done = subprocess.run(
            *([sys.executable, "-c", READ, revision],),
            **{"capture_output": True, "text": True, "timeout": 120, "env": {**known, **places, **environment}},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    return call


@pytest.fixture
def data_hub():
    found = DataHub({})
    yield found
    found.server.shutdown()
    found.server.server_close()


DEAD = "http://127.0.0.1:9"
REMEDY = "with a copy of it: dataset.path=FILE_OR_FOLDER"


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_a_training_without_hub_and_cache_is_one_line_and_leaves_nothing(tmp_path, more):
    call = [sys.executable, str(ROOT / "train.py"), "model=qwen2.5-0.5b", "tracking=none", "name=run"]
    places = {"HF_HOME": str(tmp_path / "hub"), "HF_ENDPOINT": DEAD, **more}
    known = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, cwd=tmp_path, env={**known, **places})
    said = done.stdout + done.stderr
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1 and "Traceback" not in said
    assert line.endswith("without a network give a folder that holds the model: model.path=FOLDER")
    assert not (tmp_path / "outputs/run").exists()


@pytest.mark.program
def test_a_data_set_that_is_cached_needs_no_hub(data_hub, read):
    assert read(data_hub.url) == "rows 50"
    assert read(DEAD) == "rows 50"


@pytest.mark.slow
def test_a_data_set_that_is_cached_is_read_offline_and_of_another_revision_one_line_says_how_to_go_on(data_hub, read):
    assert read(data_hub.url) == "rows 50"
    assert read(data_hub.url, HF_HUB_OFFLINE="1") == "rows 50"
    said = read(DEAD, "d" * 40)
    assert said.startswith("error: dataset=toy: ") and said.endswith(REMEDY)


@pytest.mark.slow
def test_a_data_set_that_is_not_cached_is_one_line_with_the_remedy(data_hub, read):
    for url, more in ((DEAD, {}), (data_hub.url, {"HF_HUB_OFFLINE": "1"})):
        said = read(url, **more)
        assert said.startswith("error: dataset=toy: test of owner/rows cannot be had") and said.endswith(REMEDY)
    assert not data_hub.asked


@pytest.mark.slow
def test_a_hub_that_goes_away_in_a_data_set_is_one_line_and_later_it_is_completed(data_hub, read):
    data_hub.gate = "cut"
    said = read(data_hub.url)
    assert said.startswith("error: dataset=toy: test of owner/rows cannot be had") and said.endswith(REMEDY)
    data_hub.gate = None
    assert read(data_hub.url) == "rows 50"
