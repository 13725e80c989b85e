"""What tests share: toy models and questions, forked programs, a browser, servers that misbehave."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
