"""Imitation of worked solutions, cut into rounds: `python -m motif.warm_start model=... dataset=gsm8k`."""

from motif.programs import warm_start

if __name__ == "__main__":
    warm_start()
