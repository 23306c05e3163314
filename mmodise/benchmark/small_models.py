"""A small CLIP and a small Stable Diffusion, built of the same classes as the full-size models.

They are written in the formats that open_clip and diffusers read from a local folder. As in Stable
Diffusion 1.x, the text encoder is CLIP's own text tower.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import open_clip
import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from ..datasets.shapes_world import SHAPES, STUFF, THINGS, draw_picture
from ..datasets.shapes_world.captions import plural

TEXT_WIDTH = 64
CONTEXT_LENGTH = 77
START, END = '<|startoftext|>', '<|endoftext|>'
CLIP_CONFIG = dict(
    embed_dim=64,
    quick_gelu=True,
    vision_cfg=dict(image_size=128, patch_size=8, width=128, layers=4, head_width=64),
    text_cfg=dict(
        context_length=CONTEXT_LENGTH, width=TEXT_WIDTH, heads=2, layers=3,
        hf_tokenizer_name='.'))  # the tokenizer in the same folder
PREPROCESS_CONFIG = dict(
    mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD,
    interpolation='bicubic', resize_mode='shortest')

# Four levels each, as in Stable Diffusion 1.x, whose widths are 128, 256, 512, 512 (VAE) and
# 320, 640, 1280, 1280 (UNet).
VAE_CONFIG = dict(
    block_out_channels=(16, 32, 48, 48),
    down_block_types=('DownEncoderBlock2D', ) * 4,
    up_block_types=('UpDecoderBlock2D', ) * 4,
    layers_per_block=2,
    latent_channels=4,
    norm_num_groups=4,  # more would take the colours out of the narrow levels
    sample_size=128,
    scaling_factor=0.18215)
UNET_CONFIG = dict(
    sample_size=16,
    block_out_channels=(40, 40, 40, 40),
    down_block_types=('CrossAttnDownBlock2D', ) * 3 + ('DownBlock2D', ),
    up_block_types=('UpBlock2D', ) + ('CrossAttnUpBlock2D', ) * 3,
    layers_per_block=2,
    cross_attention_dim=TEXT_WIDTH,
    attention_head_dim=2,  # the number of heads, by its name in Stable Diffusion 1.x (there 8)
    norm_num_groups=8)
SCHEDULER_CONFIG = dict(
    beta_schedule='scaled_linear',
    beta_start=0.00085,
    beta_end=0.012,
    num_train_timesteps=1000,
    set_alpha_to_one=False,
    skip_prk_steps=True,
    steps_offset=1)
MODEL_INDEX = dict(
    _class_name='StableDiffusionPipeline',
    feature_extractor=[None, None],
    image_encoder=[None, None],
    requires_safety_checker=False,
    safety_checker=[None, None],
    scheduler=['diffusers', 'PNDMScheduler'],
    text_encoder=['transformers', 'CLIPTextModel'],
    tokenizer=['transformers', 'CLIPTokenizer'],
    unet=['diffusers', 'UNet2DConditionModel'],
    vae=['diffusers', 'AutoencoderKL'])


def build_clip(vision: Mapping | None = None, **more: object) -> open_clip.CLIP:
    """A small CLIP with random weights.

    Args:
        vision (Mapping, optional): open_clip's ``vision_cfg``. Defaults to that of the small CLIP.
        **more: Adds to it.
    """
    text = dict(CLIP_CONFIG['text_cfg'], vocab_size=len(vocabulary()[0]))
    vision = {**(vision or CLIP_CONFIG['vision_cfg']), **more}
    return open_clip.CLIP(**dict(CLIP_CONFIG, text_cfg=text, vision_cfg=vision))


def build_vae() -> AutoencoderKL:
    """A small VAE with random weights whose scaled latent has a standard deviation near 1."""
    vae = AutoencoderKL(**VAE_CONFIG)
    keep_scale(vae)
    with torch.no_grad():
        vae.quant_conv.weight.div_(VAE_CONFIG['scaling_factor'])
        vae.post_quant_conv.weight.mul_(VAE_CONFIG['scaling_factor'])
    return vae.eval()


def build_unet() -> UNet2DConditionModel:
    """A small UNet with random weights that keep the scale of its features near 1."""
    unet = UNet2DConditionModel(**UNET_CONFIG)
    keep_scale(unet)
    return unet.eval()


def keep_scale(model: nn.Module) -> None:
    """Draw all weights anew, such that a layer's outputs are as large as its inputs.

    Standard deviation 1 / sqrt(inputs of a unit), biases zero (LeCun et al., Efficient BackProp,
    1998), and half of that for the last layer of a residual branch, so that the sum of many
    branches does not grow; normalisation layers are left as they are, at 1 and 0.
    """
    for name, parameter in model.named_parameters():
        if name.endswith('bias'):
            nn.init.zeros_(parameter)
        elif parameter.ndim in (2, 4):
            gain = 0.5 if name.endswith(('conv2.weight', 'proj_out.weight')) else 1.0
            nn.init.normal_(parameter, std=gain * parameter[0].numel()**-0.5)


def build_text_encoder(
    clip: open_clip.CLIP, projection: bool = False
) -> CLIPTextModel | CLIPTextModelWithProjection:
    """CLIP's text tower as the text encoder that diffusers expects: the same weights, renamed.

    Args:
        clip (CLIP): Has the text tower.
        projection (bool): Whether it also gives the pooled text. Defaults to False.
    """
    text = CLIP_CONFIG['text_cfg']
    encoder = (CLIPTextModelWithProjection if projection else CLIPTextModel)(CLIPTextConfig(
        vocab_size=clip.vocab_size,
        hidden_size=text['width'],
        intermediate_size=4 * text['width'],
        projection_dim=CLIP_CONFIG['embed_dim'],
        num_hidden_layers=text['layers'],
        num_attention_heads=text['heads'],
        max_position_embeddings=text['context_length'],
        hidden_act='quick_gelu',
        **dict.fromkeys(('pad_token_id', 'eos_token_id'), clip.vocab_size - 1),
        bos_token_id=clip.vocab_size - 2))
    # Before transformers 5 all names began with `text_model.`.
    prefix = 'text_model.' if hasattr(encoder, 'text_model') else ''
    weights = {prefix + name: weight for name, weight in _text_weights(clip).items()}
    if projection:
        weights['text_projection.weight'] = clip.text_projection.detach().T.contiguous()
    encoder.load_state_dict(weights, strict=prefix == '')
    return encoder.to(clip.ln_final.weight.dtype).eval()


def _text_weights(clip: open_clip.CLIP) -> dict[str, Tensor]:
    """The weights of open_clip's text tower by the names that transformers gives them."""
    weights = {
        'embeddings.token_embedding.weight': clip.token_embedding.weight,
        'embeddings.position_embedding.weight': clip.positional_embedding,
        'final_layer_norm.weight': clip.ln_final.weight,
        'final_layer_norm.bias': clip.ln_final.bias,
        **transformer_weights(clip.transformer),
    }
    return {name: weight.detach().contiguous() for name, weight in weights.items()}


def transformer_weights(transformer: open_clip.transformer.Transformer) -> dict[str, Tensor]:
    """The weights of open_clip's transformer by the names that transformers gives them."""
    weights = {}
    renamed = {'ln_1': 'layer_norm1', 'ln_2': 'layer_norm2', 'attn.out_proj': 'self_attn.out_proj',
               'mlp.c_fc': 'mlp.fc1', 'mlp.c_proj': 'mlp.fc2'}
    for index, block in enumerate(transformer.resblocks):
        layer = f'encoder.layers.{index}.'
        for kind in ('weight', 'bias'):
            together = getattr(block.attn, f'in_proj_{kind}')
            for letter, part in zip('qkv', together.chunk(3), strict=True):
                weights[f'{layer}self_attn.{letter}_proj.{kind}'] = part
            for ours, theirs in renamed.items():
                weights[f'{layer}{theirs}.{kind}'] = block.get_parameter(f'{ours}.{kind}')
    return weights


def save_clip(clip: open_clip.CLIP, folder: Path, vision: Mapping | None = None) -> None:
    """Write a CLIP so that ``open_clip.create_model('local-dir:FOLDER')`` reads it.

    Args:
        clip (CLIP): As :func:`build_clip` builds it.
        folder (Path): Gets its files.
        vision (Mapping, optional): Its ``vision_cfg``. Defaults to that of the small CLIP.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in clip.state_dict().items()}
    save_file(weights, folder / 'open_clip_model.safetensors')
    text = dict(CLIP_CONFIG['text_cfg'], vocab_size=clip.vocab_size)
    _write_json(folder / 'open_clip_config.json',
                dict(model_cfg=dict(CLIP_CONFIG, text_cfg=text,
                                    vision_cfg=vision or CLIP_CONFIG['vision_cfg']),
                     preprocess_cfg=PREPROCESS_CONFIG))
    save_tokenizer(folder)


def save_stable_diffusion(
        folder: Path, vae: AutoencoderKL | None = None, unet: UNet2DConditionModel | None = None,
        clip: open_clip.CLIP | None = None) -> None:
    """Write parts of a Stable Diffusion 1.x into one folder each, as diffusers does.

    Args:
        folder (Path): Gets the parts, and what they need to be loaded as a whole.
        vae (AutoencoderKL, optional): The VAE.
        unet (UNet2DConditionModel, optional): The UNet.
        clip (open_clip.CLIP, optional): Its text tower is the text encoder.
    """
    text_encoder = build_text_encoder(clip) if clip else None
    for name, part in dict(vae=vae, unet=unet, text_encoder=text_encoder).items():
        if part is not None:
            part.save_pretrained(folder / name)
    PNDMScheduler(**SCHEDULER_CONFIG).save_pretrained(folder / 'scheduler')
    save_tokenizer(folder / 'tokenizer')
    _write_json(folder / 'model_index.json', MODEL_INDEX)


@cache
def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The tokens of CLIP's tokenizer that the words of the shapes world are made of.

    Byte-pair merges are kept whose result occurs in such a word, in their order, so that these
    words become the same tokens as ever; any other text is spelt in smaller pieces.

    Returns:
        tuple: Ids of tokens (256 bytes, the same at the end of a word, merges, start, end), and
        merges.
    """
    tokenizer, world = SimpleTokenizer(), f'{_world_words()} '.replace(' ', '</w>')
    merges = [pair for pair in tokenizer.bpe_ranks if ''.join(pair) in world]
    tokens = [*list(tokenizer.encoder)[:512], *(''.join(pair) for pair in merges), START, END]
    return {token: index for index, token in enumerate(tokens)}, merges


def _world_words() -> str:
    """Every word that a caption of the shapes world can have, in one line."""
    texts = [name for names in (THINGS | STUFF).values() for name in names]
    for index in range(100):
        texts += draw_picture(0, index).captions
    texts += [plural(noun) for nouns in SHAPES.values() for noun in nouns]
    words = {word.strip('.,') for text in texts for word in text.split()}
    return ' '.join(sorted(words))


def save_tokenizer(folder: Path, pad: str = END, whole: bool = False) -> None:
    """Write the tokenizer in the format of ``CLIPTokenizer``.

    Args:
        folder (Path): Gets its files.
        pad (str): The token that fills texts up. Defaults to the one that ends them.
        whole (bool): Whether it has all of CLIP's tokens, not those of :func:`vocabulary` alone.
            Defaults to False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens, merges = vocabulary()
    if whole:
        clip = SimpleTokenizer()
        words = [*list(clip.encoder)[:-2], START, END]
        tokens, merges = {word: i for i, word in enumerate(words)}, list(clip.bpe_ranks)
    _write_json(folder / 'vocab.json', tokens)
    lines = ['#version: 0.2', *(' '.join(pair) for pair in merges), '']
    (folder / 'merges.txt').write_text('\n'.join(lines), encoding='utf-8')
    special = dict(bos_token=START, eos_token=END, pad_token=pad, unk_token=END)
    _write_json(folder / 'special_tokens_map.json', special)
    _write_json(folder / 'tokenizer_config.json',
                dict(tokenizer_class='CLIPTokenizer', model_max_length=CONTEXT_LENGTH,
                     do_lower_case=True, **special))


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding='utf-8')


def make_small_models(out_dir: Path, seed: int = 0) -> None:
    """Write both models.

    Args:
        out_dir (Path): Gets the folders ``clip`` and ``stable_diffusion``.
        seed (int): Equal seeds give equal files. Defaults to 0.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        clip, vae, unet = build_clip(), build_vae(), build_unet()
        save_clip(clip, out_dir / 'clip')
        save_stable_diffusion(out_dir / 'stable_diffusion', vae, unet, clip)
