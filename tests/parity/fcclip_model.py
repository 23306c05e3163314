"""Build the FC-CLIP that a golden set is of, from its recipe."""

from __future__ import annotations

import json
from pathlib import Path

from golden_sets import GoldenSet
from mmdet.registry import MODELS
from mmengine.config import Config
from parity_stages import ClassOrder

from mmodise.checkpoints.convnext import convnext_name
from mmodise.models import ODISE

CONFIGS = Path(__file__).parents[2] / 'configs/fcclip'


def fcclip_model(golden: GoldenSet) -> ODISE:
    """Build the model of a set; its CLIP is loaded, its other weights are not."""
    arch = golden.meta['arch']
    is_resnet = _is_resnet(arch['clip'])
    config = Config.fromfile(
        CONFIGS / f'fcclip_{"r50" if is_resnet else "convnext-l"}_8xb2-lsj-50e_coco-panoptic.py')
    clip = dict(type='FrozenCLIP', **_clip(golden, is_resnet))
    loaded = MODELS.build(clip)  # in use until the model has it
    options = {
        'panoptic_head.in_channels': list(loaded.stage_widths),
        'panoptic_head.vocabulary': ClassOrder(*golden.training_classes).metainfo,
        **{f'{part}.clip': clip for part in ('backbone', 'panoptic_head', 'classifier')},
        **_sizes(arch), **next(iter(golden.models.values()))}
    config.merge_from_dict({f'model.{name}': value for name, value in options.items()})
    for part in (config.model.backbone, config.model.panoptic_head, config.model.classifier):
        part.clip = clip  # in place of what a merge would leave of the recipe's
    return MODELS.build(config.model)


def _is_resnet(clip: dict | str) -> bool:
    return clip.upper().startswith('RN') if isinstance(clip, str) else clip.get('resnet', False)


def _clip(golden: GoldenSet, is_resnet: bool) -> dict:
    """What is said of the CLIP beside its type."""
    clip, file = golden.meta['arch']['clip'], str(golden.write('clip'))
    if isinstance(clip, str):
        name = f'{clip}-quickgelu' if is_resnet and not clip.endswith('quickgelu') else clip
        return dict(model=name, pretrained=file)
    return dict(model=file, architecture=clip_architecture(clip, _projection(golden.folder)))


def clip_architecture(clip: dict, projection: str = 'mlp') -> dict:
    """open_clip's model config of a CLIP in a set's ``meta.json``.

    Args:
        clip (dict): As it is there.
        projection (str): The kind of a ConvNeXt's head, 'mlp' or 'linear'.
    """
    return dict(
        embed_dim=clip['embed_dim'], quick_gelu=clip.get('quick_gelu', False),
        text_cfg=clip['text_cfg'], vision_cfg=clip.get('vision_cfg') or dict(
            timm_model_name=convnext_name(clip['depths'], clip['dims']), timm_pool='',
            timm_proj=projection, image_size=clip['image_size']))


def _projection(folder: Path) -> str:
    """The kind of CLIP's own head, which only the weights tell."""
    keys = json.loads((folder / 'keys_clip.json').read_text(encoding='utf-8'))
    return 'mlp' if 'visual.head.mlp.fc1.weight' in keys else 'linear'


def _sizes(arch: dict) -> dict:
    """Settings of the recipe for the sizes in a set's ``meta.json``."""
    head = arch['head']
    width, decoder = head['dim'], 'panoptic_head.transformer_decoder'
    encoder = 'panoptic_head.pixel_decoder.encoder'
    options = {
        'panoptic_head.feat_channels': width,
        'panoptic_head.out_channels': width,
        'panoptic_head.num_queries': head['queries'],
        'panoptic_head.positional_encoding.num_feats': width // 2,
        'panoptic_head.pixel_decoder.positional_encoding.num_feats': width // 2,
        f'{encoder}.num_layers': head['enc_layers'],
        f'{encoder}.layer_cfg.ffn_cfg.feedforward_channels': arch.get('encoder_ffn', 1024),
        f'{decoder}.num_layers': head['dec_layers'],
        f'{decoder}.layer_cfg.ffn_cfg.feedforward_channels': head['dec_ffn'],
        'train_cfg.num_points': head['points']}
    for name in (encoder, decoder):
        options[f'{name}.layer_cfg.ffn_cfg.embed_dims'] = width
    for name in (f'{encoder}.layer_cfg.self_attn_cfg', f'{decoder}.layer_cfg.self_attn_cfg',
                 f'{decoder}.layer_cfg.cross_attn_cfg'):
        options.update({f'{name}.embed_dims': width, f'{name}.num_heads': head['heads']})
    return options
