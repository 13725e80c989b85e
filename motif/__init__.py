"""Experiments with language models that think in rounds. `train.py` and `conf/` are the way in."""

import os

os.environ.setdefault("USE_HUB_KERNELS", "NO")  # transformers would fetch code for attention where `kernels` is installed
