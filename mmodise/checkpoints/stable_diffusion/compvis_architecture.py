"""What the weights of CompVis' Stable Diffusion tell about its architecture.

Each function takes the names of a part, without the part's prefix, with their shapes, and returns
settings in diffusers' or transformers' names. What shapes do not tell is as in Stable Diffusion
1.x, or 2.x, whose UNet has linear layers around its transformers, and whose text encoder has the
names of open_clip; or XL. A name that is looked for and not there is a KeyError.
"""

import re
from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]


def unet_settings(shapes: Shapes) -> dict:
    """Settings of :class:`diffusers.UNet2DConditionModel`."""
    levels = [[]]  # the blocks of each
    for i in range(1, _count(shapes, 'input_blocks.')):
        if f'input_blocks.{i}.0.op.weight' in shapes:
            levels.append([])
        else:
            levels[-1].append(i)
    widths = [shapes[f'input_blocks.{blocks[-1]}.0.out_layers.3.weight'][0] for blocks in levels]
    depths = [
        _count(shapes, f'input_blocks.{blocks[0]}.1.transformer_blocks.') for blocks in levels]
    transformer = 'middle_block.1.'
    linear = len(shapes[f'{transformer}proj_in.weight']) == 2
    return dict(
        sample_size=64,
        in_channels=shapes['input_blocks.0.0.weight'][1],
        out_channels=shapes['out.2.weight'][0],
        block_out_channels=widths,
        layers_per_block=len(levels[0]),
        down_block_types=[
            'CrossAttnDownBlock2D' if depth else 'DownBlock2D' for depth in depths],
        up_block_types=[
            'CrossAttnUpBlock2D' if depth else 'UpBlock2D' for depth in reversed(depths)],
        # the last one also counts for the middle, which has transformers where no level has
        transformer_layers_per_block=[
            depth or _count(shapes, f'{transformer}transformer_blocks.') for depth in depths],
        cross_attention_dim=shapes[f'{transformer}transformer_blocks.0.attn2.to_k.weight'][1],
        use_linear_projection=linear,
        # the number of heads, by diffusers' old misnomer: 8 in 1.x, heads of width 64 in 2.x
        attention_head_dim=[_heads(width) for width in widths] if linear else 8,
    )


def unet_settings_xl(shapes: Shapes) -> dict:
    """The same of Stable Diffusion XL: it is told pooled text and sizes, too."""
    return dict(
        unet_settings(shapes),
        sample_size=128,
        addition_embed_type='text_time',
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=shapes['label_emb.0.0.weight'][1])


def vae_settings(shapes: Shapes) -> dict:
    """Settings of :class:`diffusers.AutoencoderKL`."""
    levels = range(_count(shapes, 'encoder.down.'))
    blocks = _count(shapes, 'encoder.down.0.block.')
    return dict(
        in_channels=shapes['encoder.conv_in.weight'][1],
        out_channels=shapes['decoder.conv_out.weight'][0],
        block_out_channels=[
            shapes[f'encoder.down.{level}.block.{blocks - 1}.conv2.weight'][0] for level in levels],
        layers_per_block=blocks,
        down_block_types=['DownEncoderBlock2D' for _ in levels],
        up_block_types=['UpDecoderBlock2D' for _ in levels],
        latent_channels=shapes['decoder.conv_in.weight'][1],
        sample_size=512,
        scaling_factor=0.18215,
    )


def vae_settings_xl(shapes: Shapes) -> dict:
    """The same of Stable Diffusion XL."""
    return dict(vae_settings(shapes), scaling_factor=0.13025, sample_size=1024)


def text_encoder_settings(shapes: Shapes) -> dict:
    """Settings of :class:`transformers.CLIPTextModel`."""
    if any(name.startswith('model.') for name in shapes):
        return _penultimate(_open_clip_settings(shapes))
    model = 'transformer.text_model.'
    vocab_size, width = shapes[f'{model}embeddings.token_embedding.weight']
    return dict(
        hidden_size=width,
        intermediate_size=shapes[f'{model}encoder.layers.0.mlp.fc1.weight'][0],
        num_hidden_layers=_count(shapes, f'{model}encoder.layers.'),
        num_attention_heads=_heads(width),
        max_position_embeddings=shapes[f'{model}embeddings.position_embedding.weight'][0],
        hidden_act='quick_gelu',
        **_tokens(vocab_size, pad=vocab_size - 1),
    )


def text_encoder_2_settings(shapes: Shapes) -> dict:
    """Settings of :class:`transformers.CLIPTextModelWithProjection`, XL's second."""
    return dict(_open_clip_settings(shapes), projection_dim=shapes['model.text_projection'][1])


def _open_clip_settings(shapes: Shapes) -> dict:
    vocab_size, width = shapes['model.token_embedding.weight']
    return dict(
        hidden_size=width,
        intermediate_size=shapes['model.transformer.resblocks.0.mlp.c_fc.weight'][0],
        num_hidden_layers=_count(shapes, 'model.transformer.resblocks.'),
        num_attention_heads=_heads(width),
        max_position_embeddings=shapes['model.positional_embedding'][0],
        hidden_act='gelu',
        **_tokens(vocab_size, pad=0),
    )


def _penultimate(settings: dict) -> dict:
    """Of 2.x: what the last but one layer makes is the condition, after the final norm."""
    layers, width = settings['num_hidden_layers'], settings['hidden_size']
    if (layers, width) != (23, 1024):  # 2.x, of which somebody has taken the last layer away
        layers -= 1
    return dict(settings, num_hidden_layers=layers)


def _tokens(vocab_size: int, pad: int) -> dict:
    """CLIP's vocabulary ends with the marks of begin and end of a text."""
    return dict(
        vocab_size=vocab_size, bos_token_id=vocab_size - 2, eos_token_id=vocab_size - 1,
        pad_token_id=pad)


def _heads(width: int) -> int | None:
    """How many heads of width 64 there are; None where they do not come out even."""
    return None if width % 64 else width // 64


def _count(shapes: Shapes, prefix: str) -> int:
    """How many numbered modules of a name there are, counted from 0."""
    found = re.findall(rf'^{re.escape(prefix)}(\d+)\.', '\n'.join(shapes), re.MULTILINE)
    return 1 + max(map(int, found), default=-1)
