"""What tests share: toy models and questions, forked programs, a browser, servers that misbehave."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
FEW = ("dataset.train_size=64", "dataset.validation_size=32", "dataset.test_size=32")  # chains are soon made
