"""What the tests of the lab share: the algorithms of the suite alone, and one small run."""

import pytest

from motif.evaluation.credit.schemes import kinds


@pytest.fixture(autouse=True)
def only_the_suites_algorithms(monkeypatch):
    """Other tests define algorithms of their own, which would be among the schemes."""
    own = [kind for kind in kinds() if kind.__module__ == "motif.training.algorithms"]
    monkeypatch.setattr("motif.evaluation.credit.schemes.kinds", lambda: own)
    monkeypatch.setattr("motif.evaluation.credit.gradients.kinds", lambda: own)
