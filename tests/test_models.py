import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM

from motif.checks import UserError
from motif.engines import Transformers
from motif.generation import Sampling
from motif.models import Pretrained, load_policy
from motif.tiny import Tiny

LORA = {"r": 4, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"]}


@pytest.fixture(scope="module")
def folder():
    return str(Tiny().folder())


def test_a_folder_is_a_policy(folder):
    policy = Pretrained(path=folder).load()
    (reply,) = Transformers().generator(policy)([[{"role": "user", "content": "1/1 9a-5b*8"}]], Sampling(44, 0.0))
    assert "\\boxed{2}" in reply.text


def test_rendering_keeps_order_and_repeats(folder):
    policy = load_policy(folder)
    one, two = [{"role": "user", "content": "a"}], [{"role": "user", "content": "bb"}]
    ids = policy.render([one, two, one])
    assert ids[0] == ids[2] != ids[1]
    assert policy.tokenizer.decode(ids[1]) == "<|user|>bb<|assistant|>"


def test_lora_trains_few_weights_and_the_saved_adapter_loads_with_peft(folder, tmp_path):
    policy = Pretrained(path=folder, peft=LORA).load()
    trained = [name for name, parameter in policy.model.named_parameters() if parameter.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    policy.model.save_pretrained(tmp_path)
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), tmp_path)


@pytest.mark.parametrize("path", ["/no/such/folder", "no-such-owner/no-such-model"])
def test_a_missing_model_is_one_line_with_the_remedy(path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot be loaded: .*model=local model.path=") as error:
        load_policy(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "bad", [{"path": ""}, {"dtype": "int8"}, {"learning_rate": 0}, {"wording": "x"}, {"peft": {"r": 0}}]
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(UserError, match="model."):
        Pretrained(**{"path": "x", **bad})
