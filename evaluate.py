"""Evaluate a policy: `python evaluate.py policy=outputs/RUN dataset=math500 rounds=3`.

Several data sets and numbers of rounds load the policy once: `-m dataset=math500,aime24 rounds=1,2,3,6`.
"""

from motif.programs import evaluate

if __name__ == "__main__":
    evaluate()
