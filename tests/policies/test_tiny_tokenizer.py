from transformers import AutoTokenizer

from motif.policies.tiny import Tiny
from motif.policies.tiny_tokenizer import build_tokenizer, check_reloaded, tokens


def test_tags_and_box_are_one_token_each_and_any_text_comes_back():
    tokenizer = build_tokenizer()
    for token in tokens():
        assert len(tokenizer(token)["input_ids"]) == 1
    for text in ("9a-5b*8", "two\nlines\t", "é 中 🙂", "<answer>\\boxed{7}</answer>"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_tokenizer_comes_back_from_the_shipped_folder_as_it_was_built():
    check_reloaded(Tiny().folder(), build_tokenizer(), [("9a-5", "<reasoning>a9-5=4;</reasoning>")])
    assert AutoTokenizer.from_pretrained(Tiny().folder()).get_vocab() == build_tokenizer().get_vocab()
