import io

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
