import io
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from motif.system import console


@pytest.fixture
def terminal(monkeypatch):
    def made(interactive):
        out = io.StringIO()
        monkeypatch.setattr(console, "console", Console(file=out, force_terminal=interactive, width=100))
        return out

    return made


def test_a_log_gets_a_line_now_and_then_and_no_bar(terminal):
    out = terminal(False)
    with console.progress("training", 500) as report:
        for step in range(1, 501):
            report(step, 500, {"reward": step / 500})
    assert out.getvalue() == "training: 500/500  reward 1\n"


def test_a_terminal_gets_a_bar_with_metrics(terminal):
    out = terminal(True)
    with console.progress("training", 5) as report:
        report(5, 5, {"reward": 0.5})
    assert "training" in out.getvalue() and "5/5" in out.getvalue() and "reward 0.5" in out.getvalue()


def test_what_never_reports_shows_no_bar(terminal):
    out = terminal(True)
    with console.progress("warm start"):
        pass
    assert "warm start" not in out.getvalue()


def test_markup_in_a_line_has_no_effect(terminal):
    out = terminal(False)
    console.say("outputs/[red]x[/red] [link=http://a]b[/link]")
    assert out.getvalue() == "outputs/[red]x[/red] [link=http://a]b[/link]\n"


class Cell:
    """A notebook's cell: what `display` shows, and what takes its place."""

    def __init__(self):
        self.states = []

    def display(self, shown, raw, display_id):
        assert raw and display_id
        self.states.append(shown["text/plain"])
        return SimpleNamespace(update=lambda shown, raw: self.states.append(shown["text/plain"]))


@pytest.fixture
def cell(monkeypatch):
    made = Cell()
    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=made.display))
    return made


def test_a_notebook_gets_one_line_that_is_renewed_now_and_then(cell, terminal):
    out = terminal(False)
    with console.progress("training", 500) as report:
        for step in range(1, 501):
            report(step, 500, {"reward": step / 500})
    assert cell.states[0].startswith("training: 1/500  reward 0.002  (0 s, ")
    assert cell.states[-1] == "training: 500/500  reward 1  (0 s)"
    assert len(cell.states) == 2 and not out.getvalue()


def test_what_never_reports_shows_no_line_in_a_notebook(cell):
    with console.progress("warm start"):
        pass
    assert not cell.states


def test_a_terminal_with_ipython_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    assert not console.in_notebook()
