"""Watch a policy think in rounds about one question: `python solve.py policy=outputs/RUN "What is 7 times 8?"`."""

from motif.programs import solve

if __name__ == "__main__":
    solve()
