"""Grading divided among processes."""

from motif.rounds.episode import Node, Tree, grade
from motif.rounds.marking import divided
from motif.system import processes
from tests.support.toys import Words, question, reply


def trees():
    words = Words()
    texts = ("\\boxed{2}", "\\boxed{3}", "none")
    return [Tree(question(), [Node(1, 1, reply(text, words), True, None) for text in texts]) for _ in range(2)]


def verdicts(found):
    return [(node.prediction, node.correct, node.events) for tree in found for node in tree.nodes()]


def test_a_process_alone_grades_as_it_is():
    assert divided(grade) is grade


def test_each_reply_is_graded_by_one_of_two_processes_and_both_know_all_verdicts(monkeypatch):
    graded, alone = [], trees()
    grade(alone)

    def both(work, items):
        return [*work(items[:3]), *work(items[3:])]

    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "divided", both)
    together = trees()
    divided(lambda parts: (graded.append(len(parts)), grade(parts)))(together)
    assert verdicts(together) == verdicts(alone) and graded == [3, 3]
    assert [correct for _, correct, _ in verdicts(together)] == [True, False, False] * 2
