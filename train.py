"""Train and evaluate: `python train.py rounds=3 algo=motif`. `python train.py --help` says what can be chosen."""

from motif.programs import train

if __name__ == "__main__":
    train()
