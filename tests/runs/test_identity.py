import pytest

from motif.runs.identity import check_name, differing, identity, identity_hash
from motif.system.errors import UserError


def test_identity_is_without_plumbing_and_without_the_place_of_a_copy():
    config = {
        "rounds": 3,
        "dataset": {"hub": "openai/gsm8k", "path": "here"},
        "evaluation": {"datasets": [{"hub": "x", "path": "here"}], "samples": 1},
    }
    moved = {
        **config,
        "dataset": {"hub": "openai/gsm8k", "path": None},
        "evaluation": {"datasets": [{"hub": "x", "path": "there"}], "samples": 1},
        "tracking": {"mode": "offline"},
        "outputs": "/elsewhere",
    }
    assert identity(config) == identity(moved) and identity_hash(config) == identity_hash(moved)
    assert identity(config) != identity({**config, "dataset": {"hub": "openai/other", "path": "here"}})
    own = {"dataset": {"path": "mine.csv"}}  # no hub: the file is what the data set is
    assert identity(own) != identity({"dataset": {"path": "yours.csv"}})


@pytest.mark.parametrize("name", ["", " ", "..", "a/b", "a b", "é", "x" * 201, ".hidden", None, 3, "a\nb"])
def test_names_that_cannot_be_folders_everywhere_are_refused(name):
    with pytest.raises(UserError, match="name must be"):
        check_name(name)


def test_differing_names_nested_keys_on_either_side():
    assert differing({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 2, "c": 2}, "e": 4}) == ["a.b", "d", "e"]


def test_the_parts_in_which_an_update_is_computed_are_no_part_of_a_run_where_the_objective_is_the_same():
    def run(micro_batch, **trainer):
        return {"algo": {"m": 8, "micro_batch": micro_batch, "trainer": trainer}}

    assert identity(run(None)) == identity(run(4)) == identity(run(4)) != identity({"algo": {"m": 4}})
    assert identity(run(None, loss_type="grpo")) == identity(run(4, loss_type="grpo"))
    for means in ({"loss_type": "bnpo"}, {"entropy_coef": 0.01}, {"top_entropy_quantile": 0.2}):
        assert identity(run(None, **means)) != identity(run(4, **means))


def test_the_engine_that_writes_replies_is_part_of_a_run_and_how_it_is_served_is_not():
    config = {"rounds": 3, "generation": {"name": "vllm", "mode": "server", "memory": 0.3}}
    assert identity(config) == identity({"rounds": 3, "generation": {"name": "vllm", "mode": "colocate"}})
    assert identity(config) != identity({"rounds": 3, "generation": {"name": "transformers"}})
    assert identity({"rounds": 3}) == identity({"rounds": 3, "generation": {"name": "transformers", "cache_gib": 2}})


def test_a_setting_that_came_later_makes_no_other_run_at_the_value_that_does_what_was_done_before():
    before = {"algo": {"m": 8}, "budget": {"tokens": 100}, "flaws": {"futures": "current"}}
    now = {
        "algo": {"m": 8, "weighting": "trajectory", "sampling": "fixed", "redraws": 2},
        "budget": {"tokens": 100, "flops": None, "steps": None},
        "flaws": {"futures": "current", "base_prompt": "same"},
    }
    assert identity_hash(before) == identity_hash(now)
    for node, key, value in [("algo", "weighting", "round"), ("algo", "sampling", "dynamic"), ("budget", "steps", 9)]:
        assert identity_hash({**now, node: {**now[node], key: value}}) != identity_hash(now)
