"""A policy is saved whole or not at all, with all that is needed to use it."""

import pytest
import yaml

from motif.policies.pretrained import CHOICES, choices_of, load_policy
from motif.policies.tiny import Tiny
from motif.runs.saving import save_policy


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


def saved(policy, folder, choices, name="README.md"):
    save_policy(policy, folder, choices, lambda draft: (draft / name).write_text("card"))
    return sorted(path.name for path in folder.iterdir())


def test_weights_tokenizer_card_and_choices_lie_in_it_and_it_opens(policy, tmp_path):
    folder, choices = tmp_path / "policy", {"rounds": 2, "episode": {"name": "summary"}}
    files = saved(policy, folder, choices)
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md", CHOICES} <= set(files)
    assert yaml.safe_load((folder / CHOICES).read_text()) == choices and choices_of(folder) == folder / CHOICES
    weights = load_policy(str(folder)).model.state_dict()
    assert all(weight.equal(weights[name]) for name, weight in policy.model.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]


def test_what_lay_there_is_replaced_whole(policy, tmp_path):
    folder = tmp_path / "policy"
    saved(policy, folder, {}, name="old.md")
    assert "old.md" not in saved(policy, folder, {"rounds": 1})


def test_one_that_was_cut_short_is_no_policy_and_the_next_one_is(policy, tmp_path):
    def cut_short(draft):
        raise KeyboardInterrupt

    folder = tmp_path / "policy"
    with pytest.raises(KeyboardInterrupt):
        save_policy(policy, folder, {}, cut_short)
    assert not folder.exists()
    saved(policy, folder, {})
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]
