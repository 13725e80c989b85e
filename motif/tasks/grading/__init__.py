r"""Grading: whether an answer is right. What a right answer is worth is not decided here.

    grader       is_correct, verdict: the steps from two texts to a verdict; the strict grader; the grader's version
    answers      where the answer stands in a reply: boxes, tags, 'the answer is …'
    latex        one way of writing instead of many: fractions, fonts, spaces, thousands
    numbers      integers, decimals, fractions, percentages, digits in a base
    structure    what an answer consists of: tuples, sets, lists, intervals, unions, matrices, equations
    units        the unit after a quantity; units that differ
    words        answers that are words, and letters of a multiple choice
    rules        what is decided before structure: numbers, bases, choices, units, moduli, words
    equivalence  whether two answers are the same: the rules, then a table by kinds of structures
    tokens       the signs and names that a formula may have
    formulas     one formula as a sympy expression; refused where a sign is not known
    calculus     the integrals, sums, products and limits in it
    symbolic     whether two formulas, equations, inequalities, sets of numbers are the same: sympy
    algebra      the process with limits that asks `symbolic`
    judge        the client of that process

To mend a verdict, find the module whose line names what the two answers are.
"""

from motif.tasks.grading.answers import final_answer, flexible_answer
from motif.tasks.grading.grader import grader_id, is_correct, is_correct_strictly, verdict
from motif.tasks.grading.judge import NoJudge
from motif.tasks.grading.verdicts import Verdict

__all__ = [
    "NoJudge",
    "Verdict",
    "final_answer",
    "flexible_answer",
    "grader_id",
    "is_correct",
    "is_correct_strictly",
    "verdict",
]
