"""motif: experiments with language models that think in rounds."""

import os

__version__ = "0.2.0"
os.environ.setdefault("DO_NOT_TRACK", "1")  # or TRL, at each training, and vLLM, at each start, would tell their makers
os.environ.setdefault("USE_HUB_KERNELS", "NO")  # or transformers would fetch code, where `kernels` is there
