"""The room of generation: what makes replies of a policy's weights.

engines         Transformers and VLLM, the two choices of the config group `generation`
decoding        batched decoding with transformers
decodable       whether a model can be decoded so
kv_cache        its key-value cache, and steps as CUDA graphs
vllm_requests   requests to vLLM and its replies
vllm_retry      retries where a vLLM server does not answer
private         all private parts of TRL and transformers that the package touches
"""

from motif.generation.engines import VLLM, Transformers

__all__ = ["VLLM", "Transformers"]
