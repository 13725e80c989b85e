"""The room of policies: causal language models with their tokenizers.

policy           a policy, and how a conversation becomes tokens
pretrained       policies to train (`Pretrained`) and policies to evaluate (`open_policy`)
weights          files found in a folder or on the hub, weighed and loaded
gguf             GGUF files, made into such folders once
tiny             the embedded policy of one million parameters, and its warm start
tiny_tokenizer   its tokenizer
"""

from motif.policies.policy import Policy
from motif.policies.pretrained import Pretrained, open_policy

__all__ = ["Policy", "Pretrained", "open_policy"]
