import pytest

from motif.checks import UserError
from motif.engines import Transformers


def test_the_cache_needs_room():
    with pytest.raises(UserError, match="generation.cache_gib"):
        Transformers(cache_gib=-1.0)
