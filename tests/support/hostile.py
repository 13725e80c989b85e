"""Text that nobody would write, and models do."""

from hypothesis import strategies as st

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)  # lone surrogates too
PIECES = [
    *"|*_`[]()<>&$#~\\!=+-@\t\r\n{}%^\"' a1",
    *(
        "\x1b[31m",
        "\x1b]0;x\x07",
        "\0",
        "\u202e",
        "\u061c",
        "\u2028",
        "\ud800",
        "\U000e0041",
        "\u200d",
        "\ufe0f",
        "é",
        "م",
    ),
    *("[red]", "[/]", ":smile:", "```", "![x](http://h/p.png)", "\\input{/etc/passwd}", "$$", "{{7*7}}", "%s", "${x}"),
    *("<script>x</script>", "</script>", "<!--", "<img src=x onerror=x>", "&lt;", "__proto__", "=cmd|' /C x'!A1"),
    *("<reasoning>", "</reasoning>", "<answer>", "</answer>", "<progress>", "</progress>", "<|end|>", "<|user|>"),
    *(
        "\\boxed{",
        "\\boxed{7}",
        "\\frac{1}{2}",
        "9^{9^{9^9}}",
        "\\text{",
        "\\begin{pmatrix}",
        "\\sqrt",
        "the answer is ",
    ),
]
EVIL = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
TEXT = st.one_of(ANY, EVIL)
