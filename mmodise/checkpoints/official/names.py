"""Names of the trained weights: those of the official releases of ODISE and FC-CLIP, and ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: What the names of the frozen CLIP begin with, where a checkpoint of FC-CLIP's holds it.
CLIP_PREFIX = 'backbone.clip_model.'
#: What a kind of model is called.
TITLES = dict(label='ODISE label', caption='ODISE caption', fcclip='FC-CLIP')
# Names of a kind's own: of the official release, and ours. Some of FC-CLIP's begin as a caption
# model's do, so that it comes first.
_MARKS = dict(
    fcclip=('void_embedding.', 'sem_seg_head.predictor._mask_pooling_proj.',
            'panoptic_head.void_embedding.'),
    label=('category_head.', 'panoptic_head.no_object'),
    caption=('word_head.', 'sem_seg_head.predictor.class_embed.', 'panoptic_head.cls_embed.'))


class Section(NamedTuple):
    """Weights of a part of the model, in the order of the official files.

    ``official`` and ``ours`` are what the names begin with; with a ``#`` there is such a section
    for every number from 0. ``rows`` are pairs of endings, in which braces stand for alternatives,
    in the same order on both sides. None of ours: it is dropped.
    """

    part: str
    official: str
    ours: str | None
    rows: Sequence[tuple[str, str]]
    kinds: Sequence[str] = tuple(TITLES)  # which models have it
    at_least: int = 1  # such sections


class Pair(NamedTuple):
    """Two names of a weight. ``ours`` is None for one that our models do not have."""

    part: str
    official: str
    ours: str | None


_AFFINE = '.{weight,bias}'
_ATTENTION = '.{in_proj_weight,in_proj_bias,out_proj.weight,out_proj.bias}'
# convolution and norm: detectron2 nests them, ResNet numbers them, mmcv has a module of both
_NESTED = '{weight,norm.weight,norm.bias}'
_CONV_MODULE = '{conv.weight,gn.weight,gn.bias}'

CAPTIONER, PROJECTIONS, PIXELS = 'captioner', 'projections', 'pixel decoder'
DECODER, OBJECTNESS, TEXT = 'decoder with mask embedder', 'objectness', 'text projection'
_ODISE, _LABEL, _CAPTION, _FCCLIP = ('label', 'caption'), ('label', ), ('caption', ), ('fcclip', )

SECTIONS = (
    Section(CAPTIONER, 'backbone.feature_extractor.', 'backbone.captioner.', (
        ('alpha_cond', 'text_gate'),
        ('alpha_cond_time_embed', 'time_gate'),
        ('clip_project.positional_embedding', 'text_position'),
        ('clip_project.linear' + _AFFINE, 'text_proj' + _AFFINE),
        ('time_embed_project.positional_embedding', 'time_position'),
        ('time_embed_project.linear' + _AFFINE, 'time_proj' + _AFFINE)), _ODISE),
    Section(PROJECTIONS, 'backbone.feature_projections.#.0.', 'backbone.projections.#.', (
        ('shortcut.' + _NESTED, 'downsample.{0.weight,1.weight,1.bias}'),
        ('conv1.' + _NESTED, '{conv1.weight,gn1.weight,gn1.bias}'),
        ('conv2.' + _NESTED, '{conv2.weight,gn2.weight,gn2.bias}'),
        ('conv3.' + _NESTED, '{conv3.weight,gn3.weight,gn3.bias}')), _ODISE),
    Section(
        PIXELS, 'sem_seg_head.pixel_decoder.input_proj.#.',
        'panoptic_head.pixel_decoder.input_convs.#.', (  # both from coarse to fine
            ('{0,1}' + _AFFINE, '{conv,gn}' + _AFFINE), )),
    Section(
        PIXELS, 'sem_seg_head.pixel_decoder.transformer.', 'panoptic_head.pixel_decoder.', (
            ('level_embed', 'level_encoding.weight'), )),
    Section(
        PIXELS, 'sem_seg_head.pixel_decoder.transformer.encoder.layers.#.',
        'panoptic_head.pixel_decoder.encoder.layers.#.', (
            ('self_attn.sampling_offsets' + _AFFINE, 'self_attn.sampling_offsets' + _AFFINE),
            ('self_attn.attention_weights' + _AFFINE, 'self_attn.attention_weights' + _AFFINE),
            ('self_attn.value_proj' + _AFFINE, 'self_attn.value_proj' + _AFFINE),
            ('self_attn.output_proj' + _AFFINE, 'self_attn.output_proj' + _AFFINE),
            ('norm1' + _AFFINE, 'norms.0' + _AFFINE),
            ('linear1' + _AFFINE, 'ffn.layers.0.0' + _AFFINE),
            ('linear2' + _AFFINE, 'ffn.layers.1' + _AFFINE),
            ('norm2' + _AFFINE, 'norms.1' + _AFFINE))),
    Section(PIXELS, 'sem_seg_head.pixel_decoder.', 'panoptic_head.pixel_decoder.', (
        ('mask_features' + _AFFINE, 'mask_feature' + _AFFINE),
        ('adapter_1.' + _NESTED, 'lateral_convs.0.' + _CONV_MODULE),
        ('layer_1.' + _NESTED, 'output_convs.0.' + _CONV_MODULE))),
    Section(DECODER, 'sem_seg_head.predictor.', 'panoptic_head.mask_embedding.', (
        ('logit_scale', 'log_scale'), ), _FCCLIP),
    Section(
        DECODER, 'sem_seg_head.predictor.transformer_self_attention_layers.#.',
        'panoptic_head.transformer_decoder.layers.#.', (
            ('self_attn' + _ATTENTION, 'self_attn.attn' + _ATTENTION),
            ('norm' + _AFFINE, 'norms.1' + _AFFINE))),
    Section(
        DECODER, 'sem_seg_head.predictor.transformer_cross_attention_layers.#.',
        'panoptic_head.transformer_decoder.layers.#.', (
            ('multihead_attn' + _ATTENTION, 'cross_attn.attn' + _ATTENTION),
            ('norm' + _AFFINE, 'norms.0' + _AFFINE))),
    Section(
        DECODER, 'sem_seg_head.predictor.transformer_ffn_layers.#.',
        'panoptic_head.transformer_decoder.layers.#.', (
            ('linear1' + _AFFINE, 'ffn.layers.0.0' + _AFFINE),
            ('linear2' + _AFFINE, 'ffn.layers.1' + _AFFINE),
            ('norm' + _AFFINE, 'norms.2' + _AFFINE))),
    Section(DECODER, 'sem_seg_head.predictor.', 'panoptic_head.', (
        ('decoder_norm' + _AFFINE, 'transformer_decoder.post_norm' + _AFFINE),
        ('{query_feat,query_embed,level_embed}.weight',
         '{query_feat,query_embed,level_embed}.weight'))),
    Section(  # only where the pixel decoder's maps have another width than the queries
        DECODER, 'sem_seg_head.predictor.input_proj.#.', 'panoptic_head.decoder_input_projs.#.', (
            ('{weight,bias}', '{weight,bias}'), ), at_least=0),
    Section(OBJECTNESS, 'sem_seg_head.predictor.', 'panoptic_head.', (
        ('class_embed' + _AFFINE, 'cls_embed' + _AFFINE), ), _CAPTION),
    Section(DECODER, 'sem_seg_head.predictor.', 'panoptic_head.', (
        ('mask_embed.layers.{0,1,2}' + _AFFINE, 'mask_embed.{0,2,4}' + _AFFINE), )),
    Section(DECODER, 'sem_seg_head.predictor.post_mask_embed.', 'panoptic_head.mask_embedding.', (
        ('logit_scale', 'log_scale'),
        ('pool_proj.{0,1}' + _AFFINE, 'pool_proj.{0,1}' + _AFFINE),
        ('mask_embed.0' + _AFFINE, 'embed.0' + _AFFINE),
        ('mask_embed.1.layers.{0,1,2}' + _AFFINE, 'embed.{1,3,5}' + _AFFINE)), _ODISE),
    Section(DECODER, 'sem_seg_head.predictor.', 'panoptic_head.mask_embedding.', (
        ('_mask_pooling_proj.{0,1}' + _AFFINE, 'pool_proj.{0,1}' + _AFFINE),
        ('class_embed.layers.{0,1,2}' + _AFFINE, 'embed.{0,2,4}' + _AFFINE)), _FCCLIP),
    Section('class weights', 'criterion.', None, (('empty_weight', ''), )),
    Section('"no object"', 'category_head.', 'panoptic_head.', (
        ('null_embed', 'no_object'), ), _LABEL),
    Section('"no object"', 'void_embedding.', 'panoptic_head.void_embedding.', (
        ('weight', 'weight'), ), _FCCLIP),
    Section(TEXT, 'category_head.', 'panoptic_head.', (
        ('text_proj' + _AFFINE, 'text_proj' + _AFFINE), ), _LABEL),
    Section(TEXT, 'word_head.', 'panoptic_head.', (
        ('text_proj' + _AFFINE, 'text_proj' + _AFFINE), ), _CAPTION))


def kind_of(names: Iterable[str]) -> str | None:
    """The kind of model that weights are of, by their names of either side.

    Returns:
        str, optional: 'label', 'caption' or 'fcclip'; None if no name tells.
    """
    names = list(names)
    for kind, marks in _MARKS.items():
        if any(name.startswith(marks) for name in names):
            return kind
    return None


def name_pairs(kind: str, names: Iterable[str]) -> list[Pair]:
    """All weights of a model that has as many layers and projections as some names tell.

    Args:
        kind (str): 'label', 'caption' or 'fcclip'.
        names (Iterable[str]): Names of either side.

    Returns:
        list[Pair]: In the order of the official files.
    """
    names, pairs, counts = list(names), [], {}
    sections = [section for section in SECTIONS if kind in section.kinds]
    for section in sections:  # layers of attention and of feed-forward are one layer of ours
        counts[section.ours] = max(
            section.at_least, counts.get(section.ours, 0),
            _count(section.official, names), _count(section.ours or '', names))
    for section in sections:
        rows = [ends for row in section.rows for ends in zip(*map(_expand, row), strict=True)]
        for number in range(counts[section.ours]):
            official, ours = (
                start and start.replace('#', str(number))
                for start in (section.official, section.ours))
            pairs += [
                Pair(section.part, official + theirs, ours and ours + own) for theirs, own in rows]
    return pairs


def _count(start: str, names: list[str]) -> int:
    """How often a section is there: one more than the largest number in the place of its ``#``."""
    if '#' not in start:
        return 1
    pattern = re.compile(re.escape(start.partition('#')[0]) + r'(\d+)\.')
    found = [int(match[1]) for match in map(pattern.match, names) if match]
    return max(found, default=-1) + 1


def _expand(ending: str) -> list[str]:
    """``a{1,2}.{b,c}`` -> ``a1.b, a1.c, a2.b, a2.c``."""
    match = re.search(r'\{(.*?)\}', ending)
    if match is None:
        return [ending]
    choices = match[1].split(',')
    start, end = ending[: match.start()], ending[match.end() :]
    return [name for choice in choices for name in _expand(start + choice + end)]


def official_names(names: Iterable[str], kind: str | None = None) -> dict[str, str]:
    """The official names of weights of ours, all or some, in the order given.

    The tensors themselves are the same, of the same shapes; so are their gradients.

    Args:
        names (Iterable[str]): Names of ours.
        kind (str, optional): 'label', 'caption' or 'fcclip'. None: as the names tell. Defaults to
            None.

    Returns:
        dict[str, str]: Official names by ours.

    Raises:
        ValueError: If a name has no official counterpart, or the names do not tell the kind.
    """
    names = list(names)
    kind = kind or kind_of(names)
    if kind is None:
        raise ValueError(
            'These names do not tell whether they are of a label or a caption model, or of '
            "FC-CLIP's: there is neither 'panoptic_head.no_object' nor "
            "'panoptic_head.cls_embed.weight' nor 'panoptic_head.void_embedding.weight'. Give "
            '`kind`.')
    table = {pair.ours: pair.official for pair in name_pairs(kind, names)}
    if unknown := [name for name in names if name not in table]:
        raise ValueError(
            f'The official {TITLES[kind]} model has no counterpart of: {", ".join(unknown)}.')
    return {name: table[name] for name in names}
