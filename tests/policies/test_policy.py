"""From conversations to tokens: chat templates of several kinds, and the tokens that end a reply."""

import pytest
import torch
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from motif.generation.engines import Transformers
from motif.policies.policy import Policy
from motif.policies.pretrained import Pretrained, load_policy
from motif.policies.tiny import Tiny
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from tests.support.toys import random_qwen, shared

GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}
{{- raise_exception('System role not supported') }}{% endif %}
{%- for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate') }}{% endif %}
{{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}
{{- message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"""
DROPS = """{% for message in messages %}{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]
{%- elif message['role'] == 'assistant' %} {{ message['content'] }}</s>{% endif %}{% endfor %}"""
LLAMA3 = """{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>

{{ message['content'] | trim }}<|eot_id|>{% endfor %}
{%- if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}"""
CHATML = """{% if messages[0]['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}"""
SPECIAL = [
    "<start_of_turn>",
    "<end_of_turn>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "</s>",
    "<bos>",
]


@pytest.fixture(scope="module")
def qwen():
    """The real tokenizer of Qwen2.5, and a Qwen2 of few random weights that ends as the real ones do."""
    return AutoTokenizer.from_pretrained(str(shared("qwen2.5-tokenizer"))), small_qwen()


def small_qwen():
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = Qwen2ForCausalLM(
        Qwen2Config(vocab_size=151_936, num_key_value_heads=2, tie_word_embeddings=True, **shape)
    ).eval()
    model.generation_config.eos_token_id = [151_645, 151_643]
    return model


def with_template(template, **options):
    """A policy of the tiny tokenizer with another chat template and the control tokens that it needs."""
    policy = load_policy(str(Tiny().folder()))
    policy.tokenizer.add_special_tokens({"additional_special_tokens": [*SPECIAL, "<|im_start|>", "<|im_end|>"]})
    policy.tokenizer.bos_token = "<bos>"
    policy.tokenizer.chat_template = template
    return Policy(policy.model, policy.tokenizer, options)


TALK = [{"role": "system", "content": "4*5"}, {"role": "user", "content": "1+2"}]


@pytest.mark.parametrize(
    ("template", "knows_system", "expected"),
    [
        (CHATML, True, "<|im_start|>system\n4*5<|im_end|>\n<|im_start|>user\n1+2<|im_end|>\n<|im_start|>assistant\n"),
        (GEMMA, False, "<bos><start_of_turn>user\n4*5\n\n1+2<end_of_turn>\n<start_of_turn>model\n"),
        (DROPS, False, "[INST] 4*5\n\n1+2 [/INST]"),
        (
            LLAMA3,
            True,
            "<bos><|start_header_id|>system<|end_header_id|>\n\n4*5<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
            "1+2<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ],
    ids=["chatml", "gemma", "drops", "llama3"],
)
def test_the_system_text_arrives_whatever_the_template_does_with_a_system_role(template, knows_system, expected):
    policy = with_template(template)
    assert policy.system_role is knows_system
    (ids,) = policy.render([TALK])
    assert ids == policy.tokenizer(expected, add_special_tokens=False)["input_ids"]


def test_a_talk_without_a_system_message_is_left_alone():
    policy = with_template(GEMMA)
    (ids,) = policy.render([[{"role": "user", "content": "1+2"}]])
    expected = "<bos><start_of_turn>user\n1+2<end_of_turn>\n<start_of_turn>model\n"
    assert ids == policy.tokenizer(expected, add_special_tokens=False)["input_ids"]


def test_the_system_text_of_the_suite_reads_the_same_by_setting_and_by_detection():
    policy = with_template(DROPS)
    by_setting = Prompts(system=False).conversation("1+2", 2, 3, "d4")
    assert policy.render([Prompts().conversation("1+2", 2, 3, "d4")]) == policy.render([by_setting])


def test_options_of_the_template_reach_it():
    for options, last in (({}, "assistant\n"), ({"enable_thinking": False}, "assistant\n<think></think>")):
        policy = with_template(CHATML, **options)
        expected = f"<|im_start|>user\n1+2<|im_end|>\n<|im_start|>{last}"
        assert (
            policy.render([TALK])[0][-len(policy.tokenizer(expected)["input_ids"]) :]
            == (policy.tokenizer(expected, add_special_tokens=False)["input_ids"])
        )


@pytest.mark.parametrize(
    ("template", "end"), [(GEMMA, "<end_of_turn>"), (LLAMA3, "<|eot_id|>"), (DROPS, "</s>"), (CHATML, "<|im_end|>")]
)
def test_the_token_that_ends_a_turn_ends_a_reply_though_the_tokenizer_names_another(template, end):
    policy = with_template(template)
    assert policy.end_ids[0] == policy.tokenizer.eos_token_id
    assert policy.tokenizer.convert_tokens_to_ids(end) in policy.end_ids


def test_a_template_that_shows_no_end_adds_none():
    policy = with_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")
    assert policy.end_ids == [policy.tokenizer.eos_token_id]


def test_rendering_keeps_order_and_repeats():
    policy = load_policy(str(Tiny().folder()))
    one, two = [{"role": "user", "content": "a"}], [{"role": "user", "content": "bb"}]
    ids = policy.render([one, two, one])
    assert ids[0] == ids[2] != ids[1] and policy.render([]) == []
    assert policy.tokenizer.decode(ids[1]) == "<|user|>bb<|assistant|>"


def test_qwen_replies_end_at_its_turn_or_document_end_and_pad_with_neither_cut(qwen):
    tokenizer, model = qwen
    policy = Policy(model, tokenizer)
    turn, document = (tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>"))
    assert policy.end_ids == [turn, document] and policy.pad_id == document
    assert policy.without_end([5, turn]) == policy.without_end([5, document]) == policy.without_end([5]) == [5]


def test_a_base_qwen_whose_end_is_that_of_a_document_ends_at_its_templates_turn_too(qwen):
    tokenizer = AutoTokenizer.from_pretrained(str(shared("qwen2.5-tokenizer")), eos_token="<|endoftext|>")
    model = small_qwen()
    model.generation_config.eos_token_id = 151_643
    assert Policy(model, tokenizer).end_ids == [151_643, 151_645]


def test_qwen_has_our_system_text_instead_of_its_own_and_its_own_where_there_is_none(qwen):
    policy = Policy(qwen[1], qwen[0])
    assert policy.system_role
    ours, none = policy.tokenizer.batch_decode(policy.render([TALK, TALK[1:]]))
    assert ours == "<|im_start|>system\n4*5<|im_end|>\n<|im_start|>user\n1+2<|im_end|>\n<|im_start|>assistant\n"
    assert none.startswith("<|im_start|>system\nYou are Qwen")


def test_a_qwen_is_saved_loaded_trained_with_adapters_and_generates(qwen, tmp_path):
    tokenizer, model = qwen
    model.to(torch.bfloat16).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    policy = Pretrained(
        path=str(tmp_path), dtype="bfloat16", peft={"r": 4, "lora_alpha": 4, "target_modules": ["q_proj", "up_proj"]}
    ).load()
    talks = [Prompts().conversation("How many? 3 + 4", round, 3, None) for round in (1, 2, 3)]
    replies = Transformers().generator(policy)(talks, Sampling(12, temperature=1.0))
    assert policy.render(talks) == [reply.prompt_ids for reply in replies]
    assert policy.render(talks) == Policy(model, tokenizer).render(talks)
    for reply in replies:
        assert reply.finished or len(reply.token_ids) == 12
        assert not set(reply.token_ids[:-1]) & set(policy.end_ids)


def test_tokens_that_the_model_has_no_embedding_of_are_a_line_that_names_the_model():
    policy = random_qwen()
    policy.model.resize_token_embeddings(len(policy.tokenizer) - 5)
    lacking = policy.tokenizer.convert_ids_to_tokens(len(policy.tokenizer) - 1)
    generate = Transformers().generator(policy)
    assert generate([[{"role": "user", "content": "1"}]], Sampling(2))
    with pytest.raises(UserError, match=r"^the tokenizer of model.path=None has more tokens .*resize_token_embeddings"):
        generate([[{"role": "user", "content": lacking}]], Sampling(2))


def test_a_padding_token_without_an_embedding_is_refused_when_the_model_is_loaded(tmp_path):
    policy = random_qwen()
    policy.tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    for part in (policy.model, policy.tokenizer):
        part.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"tokenizer of model.path=.* and \[PAD\] is number"):
        load_policy(str(tmp_path))
