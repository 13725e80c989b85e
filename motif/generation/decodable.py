"""Can a model be decoded here? Asked of the model itself, with a prompt of eight tokens, before it writes any reply."""

from typing import Any

from motif.rounds.replies import Sampling
from motif.system import UserError, first_line
from motif.system.memory import OutOfMemory

FAR = 0.01  # nats a token between two ways to compute the same in float32
ROUNDED = 0.3  # the same in types of 16 bits, which make a tenth of it


def check_decodable(model: Any) -> None:
    """A `UserError` where steps over keys and values do not give what one pass over the whole text gives.

    So it is with architectures that keep a state in the place of keys and values, with those that follow another text,
    and with those whose positions do not begin at 0.
    """
    import torch

    from motif.generation.decoding import decode

    config = model.config.get_text_config()
    prompts = [[id % config.vocab_size for id in range(1, size + 1)] for size in (8, 3)]  # the second is padded
    was_training, apart = model.training, list[float]()
    try:
        written = decode(model, prompts, Sampling(4, temperature=0.0), [], 0, capture=False)
        model.eval()
        with torch.inference_mode():
            for prompt, (ids, scores, _) in zip(prompts, written, strict=True):
                text = torch.tensor([prompt + ids], device=model.device)
                chances = torch.log_softmax(model(input_ids=text, use_cache=False).logits[0].float(), -1)
                at_once = chances[len(prompt) - 1 : -1].gather(-1, text[0, len(prompt) :, None]).squeeze(1)
                apart += [abs(one - other) for one, other in zip(at_once.tolist(), scores, strict=True)]
        difference = sum(apart) / len(apart)
        if difference < (FAR if model.dtype == torch.float32 else ROUNDED):
            return
        why = f"its steps differ from one pass by {difference:.2g} nats a token"
    except (OutOfMemory, torch.OutOfMemoryError):
        raise
    except Exception as error:  # each architecture has its own
        why = f"it keeps another kind of cache: {first_line(error)}"
    finally:
        model.train(was_training)
    raise UserError(
        f"model: type {config.model_type} cannot be decoded over keys and values, as generation=transformers does "
        f"({why}); choose another model, or generation=vllm"
    )
