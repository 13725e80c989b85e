import importlib.util

import pytest

from motif.generation.engines import VLLM, Transformers
from motif.system.errors import UserError


def test_the_cache_needs_room():
    with pytest.raises(UserError, match="generation.cache_gib"):
        Transformers(cache_gib=-1.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", "remote"),
        ("memory", 0.0),
        ("memory", 1.5),
        ("tensor_parallel", 0),
        ("max_length", 0),
        ("sleep", "yes"),
        ("base_url", "localhost:8000"),
        ("group_port", 99999),
        ("wait", -1),
    ],
)
def test_a_bad_setting_of_vllm_is_named(key, value):
    with pytest.raises(UserError, match=f"generation.{key} must be") as error:
        VLLM(**{key: value})
    assert "\n" not in str(error.value)


def test_where_vllm_is_not_installed_a_line_says_how_to(monkeypatch):
    monkeypatch.setattr("motif.generation.engines.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'motif-rounds\[vllm\]'"):
        VLLM().check()


def test_transformers_runs_everywhere():
    assert importlib.util.find_spec("transformers") and Transformers().check() is None
