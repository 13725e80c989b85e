import pytest

from motif.system.errors import UserError
from motif.system.safe_text import masked

KEY = "0f" * 20


@pytest.mark.parametrize(
    "text",
    [
        "hf_abcdefghijklmnopqrstuvwxyz",
        "sk-proj-abcdefghijklmnop1234",
        "ghp_abcdefghijklmnop1234",
        "AKIAABCDEFGHIJKLMNOP",
        "github_pat_abcdefghijklmnop1234",
        "xoxb-1234567890-abc",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        f"wandb_v1_{KEY}",
    ],
)
def test_a_key_of_a_known_form_is_hidden_wherever_it_stands(text):
    assert masked(f"a {text} b") == "a [hidden] b" and masked({"tags": [[text], "x"]}) == {"tags": [["[hidden]"], "x"]}


def test_what_stands_before_the_at_of_an_address_is_hidden():
    assert masked("http://me:pass@host:80/v1, https://token@h") == "http://[hidden]@host:80/v1, https://[hidden]@h"
    assert masked("http://host/a@b?x=1 me@host") == "http://host/a@b?x=1 me@host"


def test_what_the_environment_keeps_as_a_secret_is_hidden_and_nothing_else_of_it(monkeypatch):
    for name, value in (("MY_PASSWORD", "correct horse"), ("WANDB_API_KEY", KEY), ("PLACE_KEY", "/home/me/key-file")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EDITOR", "an editor"), monkeypatch.setenv("PIN_TOKEN", "12")
    assert masked(f"it is correct horse, {KEY}!") == "it is [hidden], [hidden]!"
    assert masked("an editor at /home/me/key-file, 12") == "an editor at /home/me/key-file, 12"


def test_a_setting_that_is_called_a_secret_is_hidden_typed_or_nested():
    assert masked({"trainer": {"hub_token": "abc", "tokens": "abc", "lr": 1.0}}) == {
        "trainer": {"hub_token": "[hidden]", "tokens": "abc", "lr": 1.0}
    }
    typed = [
        "train.py",
        "+a.hub_token=abc",
        "x={api_key:1,password=b,n:2}",
        "http://h/?token=ab&n=1",
        "episode.tokens=4",
    ]
    assert masked(typed) == [
        *("train.py", "+a.hub_token=[hidden]", "x={api_key:1,password=[hidden],n:2}"),
        *("http://h/?token=[hidden]&n=1", "episode.tokens=4"),
    ]
    assert masked("'+a.hub_token=abc' b=1") == "'+a.hub_token=[hidden]' b=1" and masked(masked(typed)) == masked(typed)


@pytest.mark.parametrize(
    "text",
    [
        "989aa7980e4cf806f80c7fef2b1adb7bc71aa306",
        "key=value",
        "set algo.micro_batch=4",
        "monkey=1",
        "sk-ip",
        "hf_x",
        "",
    ],
)
def test_other_text_stays_as_it_is(text):
    assert masked(text) == text


def test_the_message_of_a_mistake_holds_no_secret():
    assert str(UserError("no server at http://me:pass@host")) == "no server at http://[hidden]@host"
