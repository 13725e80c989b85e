"""The page and its plain companions; the page in a browser, where there is one."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from motif.reporting.page import remove_old_pictures
from motif.runs.folder import write_text
from motif.system.safe_text import visible
from tests.support.browser import Browser, chromium
from tests.support.run_folders import HOSTILE


def test_the_page_is_self_contained_and_its_tables_are_in_the_other_files(written):
    folder = written[0] / "report"
    page, plain, tex = ((folder / name).read_text() for name in ("index.html", "report.md", "tables.tex"))
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert page.index('id="answer"') < page.index('id="verdicts"') < page.index('id="results"')
    assert "Too few seeds to say whether motif (+50.0 points) differs from grpo." in page
    assert "uPlot" in page and "Copyright (c) 2022 Leon Sorokin" in page
    for text in (page, plain):
        assert "No verdict on motif" in text and "unfinished" in text and "decoded in 3 rounds" in text
    assert "decoded in 3 rounds & " not in tex and r"\toprule" in tex and tex.count(r"\begin{table}") == 4
    for line in plain.splitlines():
        if line.startswith("!["):
            assert (folder / line.split("(")[1].rstrip(")")).is_file()


def test_an_older_reports_pictures_are_taken_away_and_nobody_elses(tmp_path):
    write_text(tmp_path / "report.md", "![old](pictures/old.png)\n\n![up](pictures/../../up.png)\n")
    for name in ("old.png", "old.svg", "photo.png"):
        write_text(tmp_path / "pictures" / name, "")
    remove_old_pictures(tmp_path)
    assert [file.name for file in (tmp_path / "pictures").iterdir()] == ["photo.png"]


@contextmanager
def opened(page, place="", **settings):
    """A tab of a browser that shows `page`; the test is skipped where there is no browser."""
    if chromium() is None:
        pytest.skip("no chromium here")
    with Browser(**settings) as browser:
        browser.open(page, place)
        yield browser


def browse(page, script, **settings):
    """What the script returns, and the lines of the console."""
    with opened(page, **settings) as browser:
        return browser.run(script), browser.console


LISTED = """
    $("episodes").scrollIntoView();
    await until(() => page.querySelectorAll("#list button").length > 0);
    const listed = () => [...page.querySelectorAll("#list button")].map((item) => item.firstChild.textContent);
    const tick = (flag) => { const box = page.querySelector(`#filters input[value=${flag}]`); box.click(); };
    const found = {};
"""


@pytest.mark.slow
def test_the_page_lists_filters_and_searches_in_a_browser(hostile):
    script = """
    found.all = listed();
    for (const flag of ["right", "wrong", "truncated", "copied", "disagree"]) {
      tick(flag); found[flag] = listed(); tick(flag);
    }
    tick("wrong"); tick("copied"); found.both = listed(); tick("wrong"); tick("copied");
    $("search").value = "NEEDLE"; $("search").oninput();
    await until(() => listed().length === 1);
    found.searched = listed(); found.marked = page.querySelector("mark").textContent;
    $("search").value = ""; $("search").oninput(); await until(() => listed().length === 4);
    const training = [...$("source").options].find((option) => option.textContent.startsWith("training"));
    $("source").value = training.value; $("source").onchange();
    await until(() => listed().length === 1);
    found.counted = ["wrong", "disagree"].map((flag) => $("filter-" + flag).textContent);
    found.training = [...page.querySelectorAll(".tag")].map((tag) => tag.textContent);
    found.rounds = [...page.querySelectorAll(".reply > summary")].map((title) => title.firstChild.textContent);
    return found;"""
    found, console = browse(hostile, LISTED + script)
    q = [f"question {place}" for place in range(4)]
    assert console == []
    assert found["all"] == q and found["right"] == q[:2] and found["wrong"] == q[2:]
    assert (found["truncated"], found["copied"], found["disagree"]) == ([q[2]], [q[3]], [q[1]])
    assert found["both"] == [q[3]] and found["searched"] == [q[1]] and found["marked"] == "needle"
    assert found["counted"][0].startswith("wrong (") and found["counted"][1] == "graders disagree (not known)"
    assert {"reward 1.000", "advantage 0.700", "5 tokens", "answer 2"} <= set(found["training"])
    assert found["rounds"] == ["round 1", "round 2"]


@pytest.mark.slow
def test_hostile_model_text_is_shown_as_it_is_and_does_nothing(hostile):
    script = """
    found.text = page.querySelector("pre.text").textContent; found.owned = typeof win.owned;
    found.images = page.querySelectorAll("img").length; found.scripts = page.querySelectorAll("article script").length;
    return found;"""
    found, console = browse(hostile, LISTED + script)
    assert console == []
    assert found["text"] == visible(HOSTILE)  # marks that turn text, and lone surrogates, by their numbers
    assert (found["owned"], found["images"], found["scripts"]) == ("undefined", 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 900, 1400])
def test_nothing_is_cut_at_three_widths_nothing_is_asked_for_and_wide_tables_say_that_they_scroll(written, width):
    script = """
    await until(() => page.querySelectorAll("#standings tbody tr").length);
    const first = $("standings").getBoundingClientRect().bottom;
    page.querySelectorAll("details").forEach((fold) => { fold.open = true; });
    page.querySelectorAll("button.unfold").forEach((button) => button.click());
    $("more-panels").click();
    await new Promise((go) => setTimeout(go, 200));
    const all = (what) => [...page.querySelectorAll(what)];
    const edge = page.documentElement.clientWidth + 1, boxes = all(".wide");
    const beyond = (one) => one.getBoundingClientRect().width && one.getBoundingClientRect().right > edge;
    return {
      first, width: page.documentElement.scrollWidth,
      out: all("body *").filter((one) => !one.closest("svg, .uplot, .wide") && beyond(one)).map((one) => one.outerHTML),
      silent: boxes.filter((box) => box.scrollWidth > box.clientWidth + 1 && !box.classList.contains("scrolls")).length,
      titles: all("svg[role=img]").filter((one) => !one.querySelector("title")).length,
      panels: page.querySelectorAll(".panel canvas").length,
    };"""
    with opened(written[0] / "report" / "index.html", width=width) as browser:
        found = browser.run(script)
        assert (browser.console, browser.requests) == ([], [])
    assert found["width"] <= width and found["out"] == [] and found["silent"] == 0 and found["titles"] == 0
    assert width < 900 or found["first"] < 900, "question, answer, effects and arms are on the first screen"
    assert found["panels"] == 5, "reward, accuracy, tokens, groups of equal reward, copied answers"


@pytest.mark.slow
def test_the_top_has_a_row_an_arm_sorted_and_compared_with_the_reference_that_is_chosen(written):
    script = """
    const texts = (nodes) => [...nodes].map((node) => node.textContent);
    const cells = () => [...page.querySelectorAll("#standings tbody tr")].map((row) => texts(row.children));
    found.first = cells();
    found.effects = texts(page.querySelectorAll("#effects .effect title"));
    const heads = [...page.querySelectorAll("#standings th button")];
    heads.find((head) => head.textContent === "accuracy").click(); found.sorted = cells().map((row) => row[0]);
    page.querySelector("#standings button.unfold").click();
    found.words = page.querySelector("#standings .below").textContent;
    $("reference").value = [...$("reference").options].find((one) => one.textContent.startsWith("motif")).value;
    $("reference").onchange();
    found.turned = cells().map((row) => row[3]);
    $("pairs").open = true; await until(() => page.querySelectorAll("#pair-table tbody tr").length);
    found.pairs = page.querySelectorAll("#pair-table tbody td.right").length;
    return found;"""
    found, console = browse(written[0] / "report" / "index.html", "const found = {};" + script)
    assert console == []
    rows = {row[0]: row for row in found["first"]}
    assert rows["motif"][1:3] == ["3 rounds", "100.0% (51.0 – 100.0)"] and rows["motif"][-2:] == ["1", "4"]
    assert rows["grpo"][3] == "reference" and rows["motif"][3].startswith("+50.0 (")
    assert rows["motif"][4].startswith("("), "no verdict, so p stands in brackets"
    assert any(title.startswith("motif: +50.0") for title in found["effects"])
    assert found["sorted"][0] == "motif" and "training seeds 1 against 2: no verdict" in found["words"]
    assert any(text.startswith("−50.0 (") for text in found["turned"])
    assert found["pairs"] == len(rows) ** 2


@pytest.mark.slow
def test_a_curve_says_its_values_where_it_is_pointed_at_and_an_arm_can_be_hidden(written):
    with opened(written[0] / "report" / "index.html", width=1400, height=1000) as browser:
        middle = """const over = page.querySelector('.panel[data-metric="train/reward"] .u-over');
        over.scrollIntoView({block: "center"}); const box = over.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];"""
        browser.point(*browser.run(middle))
        tip = 'const tip = page.querySelector(".tip"); await until(() => !tip.hidden); return tip.textContent;'
        said = browser.run(tip)
        assert said.startswith("training step 2") and "grpo (mean of 2 seeds): 0.5" in said and "motif" in said
        hide = (
            '[...page.querySelectorAll("#shown-arms label")].find((one) => one.textContent.includes("motif")).click();'
        )
        names = 'return page.querySelector(".panel .plot").getAttribute("aria-label");'
        assert "motif" in browser.run(names) and "motif" not in browser.run(hide + names)
        tokens = '$("axis").value = "tokens"; $("axis").onchange(); $("log-x").click();'
        tokens += '$("smooth").value = 0.5; $("smooth").oninput();'
        assert "tokens generated in training" in browser.run(tokens + names)
        assert browser.console == []


@pytest.mark.slow
def test_a_link_to_a_reply_opens_it_and_keys_go_on_from_there(hostile):
    title = 'page.querySelector("#episode h3").textContent'
    with opened(hostile, "#a/trained-sums-r3/q2/1.1") as browser:
        browser.run('await until(() => page.querySelector(".reply.asked"));')
        asked = (
            'const [reply] = page.querySelectorAll(".reply.asked"); return [reply.open, reply.dataset.place, ' + title
        )
        assert browser.run(asked + "];") == [True, "1.1", "q2"]
        browser.press("j")
        browser.run(f'await until(() => {title} === "q3");')
        assert browser.run("return win.location.hash;") == "#a/trained-sums-r3/q3"
        browser.press("f")
        assert browser.run('return page.querySelectorAll("#episode details.reply[open]").length;') == 0
        order = (
            '$("order").value = "-right"; $("order").onchange(); return page.querySelector("#list button").textContent;'
        )
        assert browser.run(order).startswith("question 2")
        assert browser.console == []


@pytest.mark.slow
def test_runs_are_filtered_and_two_stand_side_by_side_question_by_question(written):
    script = """
    const names = () => [...page.querySelectorAll("#run-table tbody tr th")].map((cell) => cell.textContent);
    const filter = (words) => { $("run-words").value = words; $("run-words").oninput(); return names(); };
    const found = { setting: filter("name=grpo"), state: filter("unfinished"), none: filter("nobody") };
    found.all = filter("");
    page.querySelector("#run-table button.unfold").click();
    found.config = page.querySelector("#run-table .below pre").textContent;
    for (const name of ["grpo-0", "motif-0"]) page.querySelector(`input[aria-label="compare ${name}"]`).click();
    found.settings = [...page.querySelectorAll("#side-by-side tbody th")].map((cell) => cell.textContent);
    found.outcomes = [...page.querySelectorAll("#side-by-side summary")].map((one) => one.textContent);
    found.link = page.querySelector("#side-by-side .ids a").getAttribute("href");
    return found;"""
    found, console = browse(written[0] / "report" / "index.html", script)
    assert console == []
    assert found["setting"] == ["grpo-0", "grpo-1"] and found["state"] == ["motif-1"] and found["none"] == []
    assert len(found["all"]) == 4 and "dataset.name: sums" in found["config"]
    assert found["settings"] == ["algo.name"]
    assert found["outcomes"] == ["both right: 2 of 4", "only grpo-0: 0 of 4", "only motif-0: 2 of 4", "neither: 0 of 4"]
    assert found["link"] == "#grpo-0/trained-sums-r1/q0"


@pytest.mark.slow
def test_the_page_fits_on_paper(written):
    with opened(written[0] / "report" / "index.html", width=1400) as browser:
        browser.call("Emulation.setEmulatedMedia", media="print")
        size = {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **size)
        wide = browser.run("""return [...page.querySelectorAll("table, svg, canvas")].filter((one) =>
            one.getBoundingClientRect().right > 721).map((one) => one.outerHTML.slice(0, 90));""")
        broken = browser.run("""return [...page.querySelectorAll("td.right")].filter((cell) => {
            const text = page.createRange(); text.selectNodeContents(cell);
            return new Set([...text.getClientRects()].map((line) => Math.round(line.bottom / 5))).size > 1;
        }).map((cell) => cell.textContent);""")
        panels = browser.run("""return [...page.querySelectorAll(".panel")].map((panel) =>
            [panel.clientWidth, panel.querySelector("canvas").clientWidth]);""")
        assert browser.run("return $('verdicts').open") is False
        browser.call("Page.printToPDF")
        assert browser.run("return $('verdicts').open") is True
    assert wide == [] and broken == []
    assert panels and all(panel < 360 and canvas > 0.9 * panel for panel, canvas in panels), "two in a row, both whole"


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone_and_is_legible_in_light_and_dark(hostile, dark):
    script = """
    const light = (colour) => {
      const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      const [r, g, b] = colour.match(/[\\d.]+/g).map((value) => linear(value / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(win.getComputedStyle(page.body).backgroundColor);
    const contrast = (selector) => {
      const ink = light(win.getComputedStyle(page.querySelector(selector)).color);
      return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    };
    found.contrasts = ["body", ".note", "a", "figure svg", "pre", ".right-answer", ".tag"].map(contrast);
    found.paper = paper; found.width = page.documentElement.scrollWidth;
    return found;"""
    found, console = browse(hostile, LISTED + script, width=390, dark=dark)
    assert console == [] and found["width"] <= 390
    assert (found["paper"] < 0.1) == dark and min(found["contrasts"]) >= 4.5


@pytest.mark.slow
def test_a_missing_file_of_episodes_is_said(hostile, tmp_path):
    alone = tmp_path / "index.html"
    alone.write_text(Path(hostile).read_text())
    script = """$("episodes").scrollIntoView();
    await until(() => $("state").textContent.includes("missing"));
    return $("state").textContent;"""
    found, _ = browse(alone, script)
    assert "1 of 1 files are missing: keep episodes/ beside this page" in found
