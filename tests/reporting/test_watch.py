"""Runs that go on while the page on them is looked at."""

import re
import signal
import subprocess
import sys
from functools import partial

import pytest

from motif.reporting import watch
from motif.reporting.episodes import write_episodes
from motif.reporting.folders import read_runs
from motif.reporting.program import build, main
from motif.reporting.study import Job, launch
from motif.reporting.watch import Watch, meant
from motif.runs.folder import Run
from motif.system.locks import Lock
from tests.reporting.test_page import opened
from tests.support import ROOT
from tests.support.run_folders import make_run


def watched(home, *paths, seconds=30.0):
    """A watch of `home`, or of these paths, with the lines that it says."""
    lines, makes, kept = [], [], {}

    def make(runs, write):
        makes.append(runs)
        build(runs, home / "report", kept=kept, write=write)

    made_watch = Watch(paths or [home], home / "report", make, seconds, lines.append)
    made_watch.lines, made_watch.makes = lines, makes
    return made_watch


def panel(home):
    """The texts of the top of the page; none where there is no such part."""
    page = (home / "report" / "index.html").read_text()
    found = re.search(r'<section id="now">(.*?)</section>', page, re.S)
    return " ".join(re.sub("<[^>]+>", " ", found[1]).split()) if found else ""


def test_a_page_shows_the_step_of_a_run_and_a_later_look_shows_it_finished(tmp_path, without_pictures):
    home = tmp_path / "outputs"
    run = make_run(home / "a", steps=2, finished=False)
    looks = watched(home)
    with Lock(Run(run).lock):
        assert looks.look()
        first = panel(home)
        assert "1 running; about" in first and " a running 2/3 " in first and "load this page again every 30 s" in first
        make_run(home / "a", steps=3, finished=False)
        assert looks.look() and " a running 3/3 " in panel(home)
    make_run(home / "a", steps=3)
    assert not looks.look()
    last = (home / "report" / "index.html").read_text()
    assert panel(home) == "" and '"state": "finished"' in last and '"steps": 3' in last and '"reload": 0.0' in last
    assert [line.split("  ", 1)[1] for line in looks.lines] == [
        *(
            "1 running; about 2 s of work left in 1 of them; a running 2/3",
            "1 running; about 0 s of work left in 1 of them; a running 3/3",
        ),
        "1 finished; a finished 3/3",
    ]


def test_what_failed_says_why_also_a_job_without_a_folder(tmp_path, without_pictures):
    home = tmp_path / "outputs"
    run, other = (make_run(home / name, steps=2, finished=False) for name in "ab")
    with pytest.raises(ValueError), Lock(Run(run).lock):
        raise ValueError("no <memory> left")
    launch(home / ".sweeps/1", "mine", ["train.py"], [(["seed=8"], "x"), (["seed=9"], "y")])
    Job(home / ".sweeps/1/jobs/0.json", ["seed=8"]).failed(ValueError("no such model"))
    looks = watched(home)
    with Lock(Run(other).lock):
        assert looks.look()
    found = panel(home)
    assert (
        " a failed 2/3 2 s ValueError: no &lt;memory&gt; left" in found
        and " x failed 2 s ValueError: no such model" in found
    )
    assert found.index(" b running") < found.index(" a failed") and "2 failed, 1 running, 1 not begun" in found


def test_a_look_that_finds_nothing_new_writes_and_says_nothing(tmp_path, without_pictures):
    home = tmp_path / "outputs"
    run = make_run(home / "a", steps=2, finished=False)
    looks = watched(home)
    with Lock(Run(run).lock):
        assert looks.look()
        before = (home / "report" / "index.html").stat().st_mtime_ns
        assert looks.look() and len(looks.lines) == len(looks.makes) == 1
        assert (home / "report" / "index.html").stat().st_mtime_ns == before


def test_the_report_rests_while_the_states_are_fresh_and_the_last_page_has_all(tmp_path, without_pictures):
    home = tmp_path / "outputs"
    run = make_run(home / "a", steps=1, finished=False)
    looks = watched(home)
    with Lock(Run(run).lock):
        looks.look()
        looks.due = float("inf")  # as after a report that took long
        make_run(home / "a", steps=2, finished=False)
        assert looks.look() and len(looks.makes) == 1 and " a running 2/3 " in panel(home)
        assert '"steps": 1' in (home / "report" / "index.html").read_text()
    make_run(home / "a")
    assert not looks.look() and len(looks.makes) == 2
    assert '"steps": 3' in (home / "report" / "index.html").read_text()


def test_nothing_is_waited_for_where_nothing_has_run_for_a_minute(tmp_path, without_pictures):
    home = tmp_path / "outputs"
    make_run(home / "a", steps=2, finished=False)
    looks = watched(home, seconds=30.0)
    assert [looks.look() for _ in range(3)] == [True, True, False]  # at 0, 30 and 60 seconds
    assert " a stopped 2/3" in panel(home) and "load this page" not in panel(home)


def test_a_folder_stands_for_all_that_lies_in_it_and_what_comes_later_is_seen(tmp_path, without_pictures):
    home = tmp_path / "outputs"
    a, b = (make_run(home / name) for name in "ab")
    (home / "report").mkdir()
    assert meant([a, b, home / "report"]) == [home] and meant([a, b]) == [a, b] and meant([home]) == [home]
    looks = watched(home, a, b, home / "report")
    late = make_run(home / "late", steps=1, finished=False)
    with Lock(Run(late).lock):
        assert looks.look() and " late running 1/3 " in panel(home)


def test_a_run_that_is_taken_away_in_the_middle_of_a_look_ends_nothing(tmp_path, monkeypatch, without_pictures):
    home = tmp_path / "outputs"
    make_run(home / "a")
    looks = watched(home)

    def gone(*_):
        raise FileNotFoundError(2, "No such file", str(home / "b"))

    with monkeypatch.context() as patched:
        patched.setattr(watch, "survey", gone)
        assert looks.look() and looks.lines[0].endswith(f"{home / 'b'} is gone; it is looked for again")
    assert not looks.look()


def test_episodes_of_files_that_have_not_changed_are_not_read_again(tmp_path, monkeypatch):
    for name in "ab":
        make_run(tmp_path / name)
    folder, kept = tmp_path / "report/episodes", {}
    first = write_episodes(read_runs([tmp_path / "a", tmp_path / "b"])[0], folder, kept=kept)
    times = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    make_run(tmp_path / "b", text="another")
    runs, _ = read_runs([tmp_path / "a", tmp_path / "b"])
    assert [source.id for source in write_episodes(runs, folder, kept=kept)] == [source.id for source in first]
    written = {file.name for file in folder.iterdir() if file.stat().st_mtime_ns != times[file.name]}
    assert written == {f"{source.id}-000.js" for source in first if source.run == "b"}
    assert runs[0].results[0].shares.whole and runs[1].results[0].shares.whole
    write_episodes(runs[:1], folder, kept=kept)  # what is of no run any more is taken away
    assert {file.name for file in folder.iterdir()} == {f"{source.id}-000.js" for source in first if source.run == "a"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--watch", "0"], "error: --watch takes at least 1 second, and goes without"),
        (["--watch", "--markdown"], "error: --watch takes at least 1 second, and goes without"),
        (["--watch", "often"], "error: argument --watch: invalid int value: 'often'"),
    ],
)
def test_what_cannot_be_watched_is_one_line(tmp_path, capsys, words, said):
    make_run(tmp_path / "a")
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), *words])
    assert ended.value.code == 2 and capsys.readouterr().err.startswith(said)


def test_a_watch_of_finished_runs_writes_the_page_and_ends_by_itself(tmp_path, capsys, without_pictures):
    make_run(tmp_path / "outputs/a")
    assert main([str(tmp_path / "outputs"), "--watch"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and said[0].startswith("report  ") and said[1].endswith("  1 finished")


@pytest.mark.program
def test_ctrl_c_ends_a_watch_with_one_line_and_a_page_that_is_not_loaded_again(tmp_path):
    run = make_run(tmp_path / "outputs/a", steps=2, finished=False)
    command = [sys.executable, "-m", "motif.report", str(tmp_path / "outputs"), "--watch", "1"]
    with Lock(Run(run).lock):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also where the tests were begun to ignore it
        program = subprocess.Popen(command, cwd=ROOT, preexec_fn=heeds, **pipes)
        said = [program.stdout.readline(), program.stdout.readline()]
        assert "1 running" in said[1] and "load this page again every 1 s" in panel(tmp_path / "outputs")
        program.send_signal(signal.SIGINT)
        rest = program.communicate(timeout=120)
    assert (program.returncode, rest) == (130, ("", "stopped\n"))
    assert " a running 2/3 " in panel(tmp_path / "outputs") and "load this page" not in panel(tmp_path / "outputs")


@pytest.mark.slow
def test_a_page_that_is_loaded_again_keeps_its_place_and_what_was_chosen_and_opened(tmp_path, without_pictures):
    home = tmp_path / "outputs"
    for name, algo in (("a", "grpo"), ("b", "motif")):
        run = make_run(home / name, algo, steps=2, finished=name == "a")
    looks = watched(home, seconds=600.0)
    with Lock(Run(run).lock):
        looks.look()
        with opened(home / "report" / "index.html", "#b/training") as browser:
            browser.run("""
                await until(() => page.querySelectorAll("#list button").length);
                $("verdicts").open = true;
                $("run-words").value = "motif";
                $("run-words").dispatchEvent(new Event("input"));
                page.querySelector("#run-table button.unfold").click();
                win.scrollTo(0, 300);
            """)
            make_run(home / "b", "motif", steps=3, finished=False)
            looks.look()
            browser.call("Page.reload")
            browser.wait_for_load()
            found = browser.run("""
                await until(() => page.querySelectorAll("#list button").length);
                return [$("now").textContent.includes("3/3"), $("verdicts").open, $("run-words").value,
                        page.querySelectorAll("#run-table tbody tr").length, win.scrollY, win.location.hash];
            """)
            assert found == [True, True, "motif", 2, 300, "#b/training"] and not browser.console
        looks.seconds = 1.0
        make_run(home / "b", "motif", steps=2, finished=False)
        looks.look()
        with opened(home / "report" / "index.html") as browser:
            browser.wait_for_load()  # nobody asks for it
            assert not browser.console
