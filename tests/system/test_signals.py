"""Signals that ask for a stop."""

import os
import signal
import threading

import pytest

from motif.system import signals
from motif.system.signals import SIGNALS, Stopped, at_once, handled


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_stops_with_its_number_and_the_second_at_once(number, monkeypatch):
    monkeypatch.setattr(signals, "ECHO", 0)
    former = signal.getsignal(number)
    with at_once():
        with pytest.raises(Stopped) as stop:
            os.kill(os.getpid(), number)
        assert stop.value.signal == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == former


def test_an_inner_handler_goes_first_and_the_outer_one_comes_back():
    seen = []
    with at_once():
        with handled(lambda number, frame: seen.append(number)):
            os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [signal.SIGTERM]
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_that_comes_twice_within_a_moment_is_one(number, monkeypatch):
    monkeypatch.setattr(signals, "ECHO", 60)
    with at_once():
        with pytest.raises(Stopped):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        monkeypatch.setattr(signals, "ECHO", 0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_outside_of_the_main_thread_signals_are_left_alone():
    done = []

    def work():
        with at_once():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done
