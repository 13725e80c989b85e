"""Signs that act are shown, writing stays, and secrets are hidden."""

import io
import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from motif.reporting.markup import latex
from motif.reporting.markup import markdown as table
from motif.system import console
from motif.system.errors import UserError
from motif.system.safe_text import MARK, all_visible, cell, encodable, markdown, masked, visible, visible_json
from tests.support.hostile import ANY, TEXT

KEY = "0f" * 20


def test_every_sign_without_a_letter_is_shown_but_numbers_of_scripts():
    seen = {"\t", "\n", *"\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"}
    for sign in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in seen:
            assert visible(sign) == f"‹U+{ord(sign):04X}›"
        elif unicodedata.category(sign)[0] in "LNPSZ" and not MARK.match(sign):
            assert visible(sign) == sign


@pytest.mark.parametrize(
    "text",
    [
        "العربية ١٢٣ ــ",
        "שָׁלוֹם",
        "می‌خواهم",
        "e\u0301 n\u0303 Z\u0335",
        "नमस्‍ते श्री",
        "한국어 日本語",
        "葛\U000e0100",
        "👨‍👩‍👧‍👦 🏳️‍🌈 ❤️ 👍🏽 #️⃣ ❤️‍🔥",
        "½ √2 ∫ ≤ ∞ 10 °C",
        "a\tb\nc",
        "𝔸 𝒳 🇩🇪",
        "الْعَرَبِيَّةُ",
        "ไทย မြန်မာ",
    ],
)
def test_writing_of_all_kinds_stays_as_it_is(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a‹U+202E›b"),
        ("\u061cx", "‹U+061C›x"),
        ("\u2066x\u2069", "‹U+2066›x‹U+2069›"),
        ("a\u200bb\u200dc", "a‹U+200B›b‹U+200D›c"),
        ("x\ufe0f\ufe0f\ufe0f", "x\ufe0f‹U+FE0F›‹U+FE0F›"),
        ("🏴\U000e0067", "🏴‹U+E0067›"),
        ("\x1b[2J\x07\x9b", "‹U+001B›[2J‹U+0007›‹U+009B›"),
        ("a\rb\x08", "a‹U+000D›b‹U+0008›"),
        ("\ud800\x00", "‹U+D800›‹U+0000›"),
        ("\u2028\u3164\xad", "‹U+2028›‹U+3164›‹U+00AD›"),
        ("\u200d\u200d", "‹U+200D›‹U+200D›"),
    ],
)
def test_what_turns_hides_or_commands_is_shown_by_its_number(text, shown):
    assert visible(text) == shown


@given(ANY)
def test_any_text_becomes_one_that_can_be_written_and_commands_nothing(text):
    shown = visible(text)
    shown.encode(), encodable(text).encode()  # raises no error
    assert not any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\n" for sign in shown)
    assert visible(shown) == shown
    if text.isascii() and text.isprintable():
        assert shown == text


@given(TEXT)
def test_a_terminal_is_given_no_escape_and_no_markup(text):
    heard = io.StringIO()
    whole, console.console = (
        console.console,
        Console(file=heard, markup=False, emoji=False, width=10_000, soft_wrap=True),
    )
    try:
        console.say(text), console.write(text)
        made = Table()
        made.add_column("c", no_wrap=True)
        console.add_row(made, text)
        console.show(made)
    finally:
        console.console = whole
    said = heard.getvalue()
    assert not any(unicodedata.category(sign) == "Cc" and sign != "\n" and sign != "\t" for sign in said)
    assert "[red]" not in text or "[red]" in said


def cells(line):
    """The cells of a row of a table in GitHub's Markdown."""
    found, place = [""], 0
    while place < len(line):
        if line[place] == "\\" and place + 1 < len(line):
            found[-1] += line[place : place + 2]
            place += 2
            continue
        if line[place] == "|":
            found.append("")
        else:
            found[-1] += line[place]
        place += 1
    return found[1:-1]


@given(st.lists(TEXT, min_size=2, max_size=2))
def test_a_cell_stays_a_cell_in_markdown_and_in_latex(texts):
    lines = table(["a", "b"], [texts]).split("\n")
    assert len(lines) == 3 and len(cells(lines[2])) == 2
    for text in texts:
        shown = markdown(text)
        bare = re.sub(r"\\.", "", shown)
        assert not set(bare) & set("`*[]|$~<\n") and "&" not in bare.replace("&amp;", "").replace("&lt;", "")
        typeset = latex(text)
        for command in (
            "\\textbackslash{}",
            "\\textasciitilde{}",
            "\\textasciicircum{}",
            "\\textless{}",
            "\\textgreater{}",
            "$\\times$",
            "$-$",
            "\\ldots{}",
            "$\\cdot$",
            "{[}",
            "{]}",
            "{*}",
            *(f"\\{c}" for c in "&%$#_{}"),
        ):
            typeset = typeset.replace(command, "")
        assert not set(typeset) & set("\\&%$#_{}^~[]*\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# a", "\\# a"),
        ("- a", "\\- a"),
        ("1. a", "1\\. a"),
        ("> a", "\\> a"),
        ("---", "\\---"),
        ("-5", "-5"),
        ("1.5", "1.5"),
        ("a_b _c_", "a_b \\_c\\_"),
        ("![x](http://h)", "!\\[x\\](http://h)"),
        ("a\n\nb", "a b"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_markdown_is_shown_and_does_nothing(text, shown):
    assert markdown(text) == shown


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n-x", "-1+1"])
def test_a_spreadsheet_computes_nothing(text):
    assert cell(text, 100).startswith("'")


@pytest.mark.parametrize("text", ["-5", "+1e3", "-1,000.5", "50%", "x=1", "", "a-b", "-.5"])
def test_numbers_and_words_are_no_formulas(text):
    assert cell(text, 100) == text


def test_a_cell_says_what_was_cut_off():
    assert cell("x" * 120, 100) == "x" * 100 + "… (20 signs more)"


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


NESTED = st.recursive(TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))


@given(value=NESTED)
def test_visible_json_is_the_json_of_what_all_visible_makes(value):
    assert json.loads(visible_json(value)) == json.loads(json.dumps(all_visible(value)))
    assert visible_json(value).isascii()


@pytest.mark.parametrize(
    "text",
    ["\\frac{1}{2}", "\\\\u202e", 'a "word"\n\tand \\n', "\r", "\b\f", "\x1b[2J", "\x7f", "\u202e", "é", "\\\u202e"],
)
def test_visible_json_hides_the_signs_that_act_and_leaves_backslashes_of_formulas(text):
    assert visible_json({text: [text]}) == json.dumps({visible(text): [visible(text)]}, separators=(",", ":"))
