"""Tasks: questions with gold answers, and whether an answer is right.

    questions  what a question and a data set are, and when two questions are the same
    corpus     data sets of rows, from the hub or from files
    tables     finds rows: files, folders, the hub
    solutions  worked solutions as steps
    generated  what tasks share whose questions are made from a seed
    stories    word problems in plain English, with worked solutions
    puzzles    words and numbers to count and sort, likewise
    chain      the embedded task, arithmetic that does not fit into one reply
    grading/   whether an answer is right

A new data set is a YAML in conf/dataset; a new kind of task is an object with the methods of `Dataset`.
"""

from motif.tasks.corpus import Corpus
from motif.tasks.questions import Dataset, Question

__all__ = ["Corpus", "Dataset", "Question"]
