"""CLIP's text tower, given no more positions than a text has tokens."""

import copy

import torch
from torch import Tensor, nn

# sentences of about one length that are embedded at once
_AT_ONCE = 64
# Weights times sentences below which a tower takes no time worth saving: 12 sentences of a large
# CLIP. Embeddings then are open_clip's to the last bit.
_LITTLE = 1e9


def encode_tokens(model: nn.Module, tokens: Tensor, device: torch.device) -> Tensor:
    """Embed texts as ``model.encode_text`` does, in a part of its time.

    A causal tower that reads the embedding at the end token sees nothing of what follows it: 'a
    photo of a cat.' needs 8 of 77 positions. Texts are put in order of length, and each batch is
    cut behind its longest. Other towers are given all positions, and so are a few texts of a small
    one.

    Args:
        model (nn.Module): open_clip's ``CLIP`` or ``CustomTextCLIP``.
        tokens (Tensor): On the CPU, int64, (N, context length).
        device (torch.device): Of the model.

    Returns:
        Tensor: (N, D), not normalised.
    """
    if _is_quick(model, len(tokens)) or not _ends_at_end_token(model):
        return model.encode_text(tokens.to(device, non_blocking=True))
    lengths, order = (tokens.argmax(dim=-1) + 1).sort()
    longest = lengths.tolist()[_AT_ONCE - 1::_AT_ONCE] + lengths[-1:].tolist()
    parts = []
    for rows, length in zip(order.split(_AT_ONCE), longest, strict=False):
        short = tokens[rows, :length].to(device, non_blocking=True)
        parts.append(_shortened(model, length).encode_text(short))
    return torch.cat(parts)[order.argsort().to(device, non_blocking=True)]


def _is_quick(model: nn.Module, sentences: int) -> bool:
    tower = getattr(_text_part(model), 'transformer', None)
    return tower is None or sentences * sum(p.numel() for p in tower.parameters()) < _LITTLE


def _text_part(model: nn.Module) -> nn.Module:
    """What holds the positions: a tower of its own, or the model itself."""
    return getattr(model, 'text', model)


def _ends_at_end_token(model: nn.Module) -> bool:
    """Whether a text's embedding depends on nothing behind its end token, its largest one."""
    text = _text_part(model)
    pool = getattr(text, 'text_pool_type', getattr(text, 'pool_type', None))
    is_causal = getattr(text, 'attn_mask', None) is not None
    return is_causal and pool == 'argmax' and getattr(text, 'cls_emb', None) is None


def _shortened(model: nn.Module, length: int) -> nn.Module:
    """The same model, for texts of that many tokens; shares all weights."""
    text = _text_part(model)
    short = copy.copy(text)
    short._parameters = {
        **text._parameters, 'positional_embedding': text.positional_embedding[:length]}
    short._buffers = {**text._buffers, 'attn_mask': text.attn_mask[:length, :length]}
    if text is model:
        return short
    whole = copy.copy(model)
    whole._modules = {**model._modules, 'text': short}
    return whole
