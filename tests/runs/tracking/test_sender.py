"""Errands: in their order, without a wait, and without an exception for the sender."""

import threading

from motif.runs.tracking import sender
from motif.runs.tracking.sender import Sender


def fails(error):
    def errand():
        raise error

    return errand


def test_the_sender_goes_on_while_an_errand_is_stuck_and_what_can_wait_comes_last():
    release, done, failures = threading.Event(), [], []
    sent = Sender(failures.append)
    sent.send(release.wait)
    sent.send(lambda: done.append("table"), can_wait=True)
    for place in range(100):
        sent.send(lambda place=place: done.append(place))
    assert not done  # and yet the sender is here
    release.set()
    assert sent.close(lambda: done.append("last"), patience=60, grace=60)
    assert done == [*range(100), "table", "last"] and not failures


def test_the_first_exception_alone_is_reported_and_later_errands_run_still():
    done, failures = [], []
    sent = Sender(failures.append)
    for errand in (fails(OSError("one")), fails(ValueError("two")), lambda: done.append("three")):
        sent.send(errand)
    assert sent.close(fails(RuntimeError("last")), patience=60, grace=60)
    assert [str(error) for error in failures] == ["one"] and done == ["three"]


def test_closing_gives_up_on_an_errand_that_does_not_end():
    release, failures = threading.Event(), []
    sent = Sender(failures.append)
    sent.send(release.wait)
    assert not sent.close(lambda: None, patience=0, grace=0.1)
    release.set()
    assert sent.join(60)


def test_what_could_wait_is_left_behind_when_patience_is_over_but_the_last_errand_runs():
    release, done, failures = threading.Event(), [], []
    sent = Sender(failures.append)
    sent.send(release.wait)
    sent.send(lambda: done.append("table"), can_wait=True)
    closing = threading.Thread(target=sent.close, args=(lambda: done.append("last"), -1, 60))
    closing.start()
    while sent._errands.qsize() < 3:  # until it is closed
        pass
    release.set()
    closing.join(60)
    assert done == ["last"] and "left behind" in str(failures[0])


def test_errands_beyond_what_may_wait_are_dropped_and_said(monkeypatch):
    monkeypatch.setattr(sender, "MOST", 5)
    release, done, failures = threading.Event(), [], []
    sent = Sender(failures.append)
    sent.send(release.wait)
    while sent._errands.qsize():
        pass
    for place in range(20):
        sent.send(lambda place=place: done.append(place))
    release.set()
    assert sent.close(lambda: None, patience=60, grace=60)
    assert done == [0, 1, 2, 3, 4] and "keep up" in str(failures[0])
