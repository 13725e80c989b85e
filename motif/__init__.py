"""motif: experiments with language models that think in rounds."""

__version__ = "0.1.0"
