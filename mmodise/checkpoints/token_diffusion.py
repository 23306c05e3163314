"""Loading aMUSEd."""

from __future__ import annotations

from typing import NamedTuple

from diffusers import AmusedScheduler, UVit2DModel, VQModel
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from ..weights import locate
from .generator_folder import opened_folder

_TEXT = dict(text_encoder=CLIPTextModelWithProjection, tokenizer=CLIPTokenizer)
_CONTENTS = (
    'vqvae/ (makes tokens of images; its inner maps are features), transformer/ (features), '
    'text_encoder/ with tokenizer/ (the condition of the empty caption) and scheduler/ (which '
    'token is the mask)')


class Amused(NamedTuple):
    """What :func:`load_amused` gives; all but the VQ model is None if not needed.

    Attributes:
        vqvae (VQModel): Makes tokens.
        transformer (UVit2DModel): Finds masked ones.
        empty_text (Tensor): For "", what enters the last layer of the CLIP, (1, 77, C).
        empty_pooled (Tensor): The CLIP's embedding of "", (1, P).
        mask_token (int): Stands for a masked token.
    """

    vqvae: VQModel
    transformer: UVit2DModel | None = None
    empty_text: Tensor | None = None
    empty_pooled: Tensor | None = None
    mask_token: int | None = None


def load_amused(pretrained: str, with_transformer: bool = True) -> Amused:
    """Load aMUSEd's networks, and its text condition of the empty caption.

    The text encoder is run once, for "", as diffusers' pipeline runs it, and not kept. All is in
    float32.

    Args:
        pretrained (str): A local folder in diffusers' layout, a hub id, or ``mmodise://`` weights.
        with_transformer (bool): Whether more than the VQ model is needed. Defaults to True.

    Raises:
        FileNotFoundError: If a part is missing or cannot be read; names it, and says what is
            accepted.
        ValueError: If it is of another family; or weights do not fit together, or hold nan or
            infinity.
    """
    classes = dict(vqvae=VQModel)
    if with_transformer:
        classes.update(transformer=UVit2DModel, **_TEXT)
    with opened_folder(pretrained, 'aMUSEd', classes, _CONTENTS) as folder:
        vqvae = folder.load('vqvae')
        if not with_transformer:
            return Amused(vqvae)
        transformer = folder.load('transformer')
        text = folder.encode_empty_caption('text_encoder')
        loaded = Amused(vqvae, transformer, text.hidden_states[-2], text.text_embeds,
                        _mask_token(locate(pretrained)))
        _check_fit(loaded)
        return loaded


def load_text_encoder_amused(pretrained: str) -> CLIPTextModelWithProjection:
    """Load aMUSEd's text encoder alone.

    Args:
        pretrained (str): As in :func:`load_amused`.

    Raises:
        FileNotFoundError: As in :func:`load_amused`.
        ValueError: Likewise.
    """
    with opened_folder(pretrained, 'aMUSEd', _TEXT, _CONTENTS) as folder:
        return folder.load('text_encoder')


def _mask_token(source: str) -> int:
    try:
        return AmusedScheduler.from_pretrained(source, subfolder='scheduler').config.mask_token_id
    except Exception as error:  # of the hub, of the network, of broken files
        raise FileNotFoundError(
            f'which token is the mask cannot be read from scheduler/scheduler_config.json: {error}'
        ) from error


def _check_fit(loaded: Amused) -> None:
    """Refuse networks that are not of one model."""
    config, codes = loaded.transformer.config, loaded.vqvae.config.num_vq_embeddings
    if not codes == config.codebook_size <= loaded.mask_token < config.vocab_size:
        raise ValueError(
            f'the VQ model has {codes} codes, the transformer knows {config.codebook_size} and '
            f'{config.vocab_size} tokens, and the scheduler masks by token {loaded.mask_token}; '
            'they are not of the same model')
    text, pooled = loaded.empty_text.shape[2], loaded.empty_pooled.shape[1]
    if (text, pooled) != (config.encoder_hidden_size, config.cond_embed_dim):
        raise ValueError(
            f'the transformer takes text of width {config.encoder_hidden_size} and pooled text of '
            f'width {config.cond_embed_dim}; the text encoder makes {text} and {pooled}; they are '
            'not of the same model')
