"""Does round t matter? `python -m motif.probe policy=outputs/<run>`; `--help` says what can be chosen.

The program alone: what is done to episodes is `interventions`, what came of it `effects`, and `prober` has both. The
probes of `motif.probes` are another thing, replies that a reward is asked about before training.
"""

from motif import entry, launching

if __name__ == "__main__":
    launching.program("probe", lambda config: entry.for_policy(config).run())
