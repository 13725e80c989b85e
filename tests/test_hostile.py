"""Whatever a model writes: it is stored exactly, graded in bounded time, shown harmlessly, and crashes nothing.

100 examples each, the same every time; more with `python -m pytest tests/test_hostile.py --hypothesis-profile=fuzz`.
"""

import gzip
import json
import re
import tempfile
import unicodedata
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motif.evaluation.evaluate import Evaluation, evaluate, read_whole
from motif.evaluation.lm_eval import export
from motif.evaluation.solve import Solver
from motif.policies.tiny import Tiny
from motif.reporting.episodes import Source, write_episodes
from motif.reporting.folders import read_runs
from motif.reporting.markup import Table
from motif.reporting.page import Report, page, report_md, tables_tex
from motif.reporting.program import build
from motif.reporting.recorded import json_lines
from motif.rounds.carry import Full, HeadTail, Summary
from motif.rounds.episode import Episode, grade, grow
from motif.rounds.prompts import Prompts
from motif.rounds.records import as_record
from motif.rounds.replies import Reply, Sampling
from motif.runs.folder import Run
from motif.runs.tracking.wandb import CELL, ROWS, cells
from motif.system.safe_text import visible
from motif.tasks.questions import Question, fingerprint, normalised, question_id
from tests.support import no_hang
from tests.support.hostile import EVIL, TEXT
from tests.support.run_folders import evaluated, make_run, records, sample

REPLIES = st.lists(TEXT, min_size=1, max_size=6)
EPISODES = [
    Episode(rounds=3, tokens=44, carry=Summary(tokens=16, missing="none")),
    Episode(rounds=3, tokens=44, carry=Summary(tokens=16, missing="tail"), prompts=Prompts(wording="countdown")),
    Episode(rounds=2, tokens=44, carry=Summary(missing="whole")),
    Episode(rounds=3, tokens=44, carry=Full()),
    Episode(rounds=3, tokens=44, carry=HeadTail()),
]


@lru_cache
def policy():
    return Tiny().load()


def says(texts):
    """A generator that writes `texts` in turn, whatever it is asked."""
    place = 0

    def generate(talks, sampling):
        nonlocal place
        found = []
        for _ in talks:
            found.append(Reply(texts[place % len(texts)], [5, 6, 7], [1, 2], place % 3 != 0))
            place += 1
        return found

    return generate


def grown(question, texts, episode):
    return grow(
        [question], episode, [2, 1, 1][: episode.rounds], says(texts), policy().tokenizer, lambda _: Sampling(44)
    )


@given(TEXT, st.one_of(st.none(), TEXT), st.sampled_from(EPISODES))
def test_any_question_and_progress_make_a_prompt_that_the_tokenizer_reads(text, carried, episode):
    talks = [episode.conversation(Question("q", text, "1"), round, carried) for round in (1, episode.rounds)]
    assert all(text in talk[-1]["content"] for talk in talks)
    assert carried is None or carried in talks[1][-1]["content"]
    assert all(policy().render(talks))


@given(TEXT)
def test_what_is_carried_neither_closes_its_place_nor_opens_a_turn(text):
    prompts, control = Prompts(), ["<|end|>", "<|user|>"]
    clean = prompts.harmless(text, control)
    assert prompts.harmless(clean, control) == clean and not any(sign in clean for sign in control)
    assert not re.search(r"<\s*/?\s*(?:reasoning|answer|progress)\b[^<>]*>", clean, re.IGNORECASE)


@given(TEXT, TEXT, REPLIES, st.sampled_from(EPISODES))
def test_any_replies_make_an_episode_that_is_graded_and_stored_exactly(text, gold, texts, episode):
    question = Question(question_id("toy", text), text, gold, {"subject": text})
    assert re.fullmatch(r"toy-[0-9a-f]{12}", question.id) and fingerprint([question]) and normalised(text) is not None
    trees = grown(question, texts, episode)
    grade(trees)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        line = {"step": 1, **as_record(trees[0])}
        for _ in range(2):
            run.write_episodes([line])
        with gzip.open(run.episodes_file, "rt", encoding="utf-8") as file:
            assert [json.loads(line) for line in file] == [json.loads(json.dumps(line))] * 2
        assert json.loads(json.dumps(line))["question"] == text
        read = [root["text"] for root in line["replies"]]
        assert read == [root.reply.text for root in trees[0].roots]


@given(TEXT, TEXT, REPLIES, st.sampled_from(EPISODES))
def test_records_of_an_evaluation_come_back_as_they_were(text, gold, texts, episode):
    question = Question("q1", text, gold, {"level": 1, "subject": text})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.jsonl"
        made = evaluate([question], episode, says(texts), policy().tokenizer, Evaluation(), file)
        assert read_whole(file) == json.loads(json.dumps(made)) == list(json_lines(file))
        assert made[0]["question"] == text and made[0]["gold"] == gold
        assert made[0]["samples"][0]["replies"][0] == texts[0]
        drawn = [{"temperature": 0.0, "top_p": 1.0}]
        found = export(
            file, {"dataset": "toy", "sampling": drawn, "budget": 9, "policy": "p", "rounds": 1}, file.parent
        )
        (line,) = found.read_text(encoding="utf-8").split("\n")[:-1]
        assert json.loads(line)["doc"]["question"] == text


@given(st.dictionaries(TEXT, st.one_of(TEXT, st.floats(), st.integers(), st.none()), max_size=4))
def test_a_line_of_metrics_comes_back(line):
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        run.record(line), run.record({"step": 2})
        assert repr(run.metrics()) == repr([line, {"step": 2}])


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and the text between them."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.handlers, self.words = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.handlers += [name for name, value in attributes if name.startswith("on")]
        self.handlers += [value for name, value in attributes if name in ("src", "href") and not value.startswith("#")]

    def handle_data(self, data):
        self.words.append(data)


def made(name, sentence="x: y"):
    table = Table("t", name, [{name: name, "b": name}, {name: "1", "b": "2"}], name, right=frozenset({"b"}))
    verdict = type("Verdict", (), {"sentence": sentence, "outcome": "better"})()
    sources = [Source("s000", visible(name), "training", visible(name), 1, 1, 1, {})]
    tables = {"results": [table], "runs": [], "configuration": [table]}
    return Report(name, name, name, name, [verdict], tables, sources=sources, footer=name)


@lru_cache
def innocent():
    """Elements of a page and lines of its plain companion where nothing is hostile."""
    report = made("name")
    return Page(page(report)).tags, len(report_md(report).split("\n"))


@given(TEXT)
def test_no_name_adds_an_element_to_the_page_or_a_line_to_its_plain_companions(text):
    name = f"n{text}"  # an empty one has no element of its own
    report = made(name, sentence=name)
    html = page(report)
    read = Page(html)
    assert read.tags == innocent()[0] and read.handlers == ["data:,"]
    assert not any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\n" for sign in html) and html.encode()
    plain = report_md(report)
    assert len(plain.split("\n")) == innocent()[1] and plain.encode()
    assert tables_tex(report).count(r"\begin{") == 4 and tables_tex(report).encode()


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_scripts_of_episodes_hold_nothing_but_text_that_does_nothing(texts):
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        evaluated(run, "trained-sums-r2", "trained", records(*(sample(text, 2, prediction=text) for text in texts)))
        (run / "run.json").write_text('{"id": "x"}')
        write_episodes(read_runs([run])[0], Path(folder) / "episodes")
        (file,) = (Path(folder) / "episodes").glob("*.js")
        script = file.read_text(encoding="utf-8")
        found = re.fullmatch(r'motifEpisodes\("s\d+",0,("(?:[^"\\]|\\.)*")\);\n', script)
        assert found and script.isascii() and "<" not in script
        shown = json.loads(json.loads(found[1]))
        assert [item["replies"][0]["text"] for item in shown] == [visible(text) for text in texts]


@given(st.lists(st.lists(st.one_of(TEXT, st.integers(), st.booleans(), st.none()), max_size=3), max_size=3))
def test_a_table_for_wandb_is_harmless_and_numbers_stay_numbers(rows):
    found = cells(rows)
    assert json.dumps(found, ensure_ascii=False).encode()
    for row, shown in zip(rows, found, strict=True):
        for one, cell in zip(row, shown, strict=True):
            assert type(cell) is type(one) and (isinstance(one, str) or cell == one)
            formula = isinstance(cell, str) and re.match(
                r"\s*[=@\t\r]|\s*[+-](?![\d.,e+-]+%?\s*\Z)", cell, re.IGNORECASE
            )
            assert not formula, cell


def test_a_table_keeps_to_the_limits_of_wandb():
    ((found,),) = cells([["x" * 3_000_000]])
    assert CELL < len(found) < CELL + 50 and found.endswith("x… (2,900,000 signs more)")
    assert len(cells([["x"]] * (ROWS + 5))) == ROWS


@pytest.mark.slow
def test_a_report_on_hostile_runs_is_written_and_shows_every_name(tmp_path):
    name = "</script><b>\u202e\x1b[31m|`$x$`\\input{x}[a](b)\0"
    for seed, text in enumerate(["</script>\u202e\0\ud800", "\\boxed{" * 5000]):
        make_run(tmp_path / f"run{seed}", algo=name, seed=seed, text=text, reward={"name": f"{name}\ud800"})
    make_run(tmp_path / "other", algo="grpo", reward={"name": "plain"})
    runs, _ = read_runs(sorted(tmp_path.iterdir()))
    index = build(runs, tmp_path / "report")
    html, plain, tex = ((index.parent / file).read_text("utf-8") for file in ("index.html", "report.md", "tables.tex"))
    for text in (html, plain, tex, *(file.read_text("utf-8") for file in index.parent.glob("*/*.svg"))):
        assert not set(text) & set("\u202e\x1b\0\ud800")
    assert "<b>" not in html and "‹U+202E›‹U+001B›[31m|`$x$`" in html
    assert r"‹U+202E›‹U+001B›\[31m\|\`\$x\$\`" in plain and r"\textbackslash{}input\{x\}" in tex


@given(EVIL)
@settings(max_examples=20)
def test_a_question_from_the_shell_is_solved_whatever_bytes_it_has(text):
    episode = Episode(rounds=1, tokens=4, prompts=Prompts(wording="countdown"))
    Solver(policy=str(Tiny().folder()), question=f"1a+1{text}\udcff", episode=episode, rounds=1).run()


HUGE = {
    "towers": "\\boxed{9^{9^{9^9}}}",
    "a million open braces": "\\boxed{" + "{" * 1_000_000,
    "a million nested braces": "\\boxed{" + "{" * 1_000_000 + "}" * 1_000_001,
    "boxes in boxes": "\\boxed{" * 200_000 + "1" + "}" * 200_000,
    "four megabytes of prose": "the answer is x " * 280_000,
    "a megabyte of tags": "<answer>" * 60_000 + "</answer>" * 60_000,
    "a formula of a megabyte": "\\boxed{" + "x+1+" * 250_000 + "1}",
    "a fraction of fractions": "\\boxed{" + "\\frac{1}{x+" * 38 + "1" + "}" * 39,
    "a megabyte of marks": "\\boxed{1" + "\u0301\u202e\0" * 300_000 + "}",
}


@pytest.mark.parametrize("name", HUGE)
def test_an_answer_of_any_size_is_graded(name):
    question = Question("q", "x", "\\sqrt{2}+x", unboxed=True)
    with no_hang():
        trees = grow([question], EPISODES[2], [1, 1], says([HUGE[name]]), policy().tokenizer, lambda _: Sampling(44))
        grade(trees)
    assert not trees[0].roots[0].correct
