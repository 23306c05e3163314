"""Run FC-CLIP on the inputs of a golden set, and note what comes out of every stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from golden_sets import Case, GoldenSet, TrainingStep
from mmdet.structures import DetDataSample
from parity_stages import (
    ClassOrder,
    Stages,
    bgr,
    instances,
    maps,
    panoptic_map,
    panoptic_maps,
    pixel_stages,
)
from parity_training import matching_of, run_step
from torch import Tensor

from mmodise.benchmark.recording import Call, recorded
from mmodise.models import ODISE
from mmodise.models.clip import fill_prompt
from mmodise.models.clip.towers import ConvNeXtTower
from mmodise.models.heads.layer_output import LayerOutput
from mmodise.models.results.banded_results import semantic_scores
from mmodise.models.results.full_size_masks import FullSizeMasks
from mmodise.vocabulary import Vocabulary

_METHODS = (
    'backbone.forward', 'backbone.clip._normalize', 'panoptic_head.pixel_decoder.forward',
    'panoptic_head._forward_head', 'panoptic_head.mask_embed.forward')
_TESTING = (
    'panoptic_head.class_logits', 'classifier.cells', 'classifier.clip.embed_cells',
    'classifier.classify', 'ensemble.log_mean', 'ensemble.forward')
_TRUNK = 'backbone.clip.frozen.model.visual.'


def fcclip_stages(model: ODISE, case: Case) -> Stages:
    """Label the images of a case; as :func:`inference_stages`."""
    order = ClassOrder(case.classes, case.things)
    samples = [
        DetDataSample(metainfo=dict(
            img_shape=image.shape[1:], ori_shape=size, text=order.thing_classes,
            stuff_text=order.stuff_classes))
        for image, size in zip(case.images, case.sizes, strict=True)]
    model.eval()
    with torch.no_grad(), _changed(model, case.run), recorded(
            model, *_methods(model), *_TESTING) as calls:
        data = model.data_preprocessor(
            dict(inputs=[bgr(image) for image in case.images], data_samples=samples),
            training=False)
        samples = data['data_samples']
        scores = model.predict_scores(data['inputs'], samples)
        results = model.make_results(scores, samples)
        stages = {**_class_stages(calls, order), **_tower_stages(model, calls)}
        stages.update(_layer_stages(model, calls, order, model.vocabulary_of(samples[0])))
        stages['valid.mask_is_visible'] = stages['clip.mask_visible'].flatten(2).any(-1)
        if len(results) > 1:
            stages.update({f'out.panoptic.img{i}': panoptic_map(result, order)
                           for i, result in enumerate(results)})
            return stages
        stages.update(maps(
            scores.predictions.masks[0], stages['final.prob'][0], results[0], order))
        if case.run == 'semantic_only':
            stages['out.sem_seg'] = _semantic_at_input(
                scores.predictions.masks[0], stages['final.prob'][0], samples[0].metainfo)
        else:
            stages.update(instances(results[0].pred_instances, order))
            stages.update(panoptic_maps(model, scores, samples, case, order))
    return stages


def fcclip_training_stages(
    model: ODISE, step: TrainingStep, order: ClassOrder
) -> tuple[Stages, Stages, list]:
    """Do a step of training; as :func:`training_stages`."""
    calls, _, losses = run_step(model, step, order, _methods(model))
    with torch.no_grad():
        stages = {
            **_tower_stages(model, calls),
            **_layer_stages(model, calls, order, model.panoptic_head.vocabulary)}
    stages['head.logits'] = stages['pred.pred_logits']
    return stages, losses, matching_of(calls, len(step.images))


def fcclip_constants(golden: GoldenSet, model: ODISE) -> dict[str, Callable[[], Tensor]]:
    """What belongs to no image, and computes it: tokens, texts, which classes count as seen."""
    clip, prompt = model.panoptic_head.clip, model.panoptic_head.prompt
    training, _ = golden.training_classes
    names = [name for group in training for name in group]
    known = Vocabulary.from_lists(training, [])

    templates = (prompt, ) if isinstance(prompt, str) else prompt

    def sentences(texts: list[str]) -> list[str]:
        return [fill_prompt(template, text) for text in texts for template in templates]

    def averages(texts: list[str]) -> Tensor:  # of one template, not normalised
        return F.normalize(
            clip.encode_texts([fill_prompt(prompt, text) for text in texts]), dim=-1)

    return {
        'text.classifier': lambda: averages(golden.texts),
        'text.train_classifier': lambda: averages(names),
        'text.tokens': lambda: clip.frozen.tokenizer(sentences(golden.texts)),
        'text.train.tokens': lambda: clip.frozen.tokenizer(sentences(names)),
        'text.template_features': lambda: clip.encode_texts(sentences(golden.texts)),
        'text.seen': lambda: torch.tensor(
            Vocabulary.from_lists(golden.meta['vocab'], []).seen_in(known)).long(),
        'text.void': lambda: F.normalize(model.panoptic_head.null_embedding, dim=-1)}


def _semantic_at_input(masks: Tensor, prob: Tensor, meta: dict) -> Tensor:
    """Semantic scores of the input's size, resized."""
    full = FullSizeMasks(masks, meta, rescale=False)
    logits = full.rows(slice(0, full.size[0]), torch.arange(len(masks)))
    scores = semantic_scores(prob[:, :-1], logits.sigmoid())
    return F.interpolate(scores[None], meta['ori_shape'], mode='bilinear', align_corners=False)[0]


@contextmanager
def _changed(model: ODISE, run: str) -> Iterator[None]:
    """The model with what another run changes of its settings."""
    classifier, test_cfg = model.classifier, model.panoptic_fusion_head.test_cfg
    kept = classifier.valid_only, dict(test_cfg)
    classifier.valid_only = classifier.valid_only or run == 'valid'
    if run == 'semantic_only':
        test_cfg.update(panoptic_on=False, instance_on=False, semantic_at_input=True)
    try:
        yield
    finally:
        classifier.valid_only = kept[0]
        test_cfg.clear()
        test_cfg.update(kept[1])


def _is_convnext(model: ODISE) -> bool:
    return isinstance(model.backbone.clip.tower, ConvNeXtTower)


def _methods(model: ODISE) -> list[str]:
    """What training and testing both call."""
    tower = ('trunk.stem.forward', 'trunk.forward_head') if _is_convnext(model) else (
        'avgpool.forward', )
    layers = range(model.panoptic_head.num_transformer_decoder_layers)
    return [*_METHODS, *(_TRUNK + name for name in tower),
            *(f'panoptic_head.transformer_decoder.layers.{i}.forward' for i in layers)]


def _tower_stages(model: ODISE, calls: dict[str, list[Call]]) -> Stages:
    """What the frozen tower and the pixel decoder make of the images."""
    stages = pixel_stages(calls)
    stages['input.normalized'] = calls['backbone.clip._normalize'][0].output
    if _is_convnext(model):
        stages['backbone.stem'] = calls[_TRUNK + 'trunk.stem.forward'][0].output
        if pooled := calls[_TRUNK + 'trunk.forward_head']:
            stages['clip.pooled'] = torch.stack([call.args[0].flatten(1) for call in pooled])
    else:
        stages['backbone.stem'] = calls[_TRUNK + 'avgpool.forward'][0].args[0]
    return stages


def _layer_stages(
    model: ODISE, calls: dict[str, list[Call]], order: ClassOrder, vocabulary: Vocabulary
) -> Stages:
    """What the decoder predicts with the initial queries and after every layer."""
    head, stages = model.panoptic_head, {}
    layers: list[LayerOutput] = [call.output[0] for call in calls['panoptic_head._forward_head']]
    for i, layer in enumerate(layers):
        # testing embeds the masks of the last layer only
        with recorded(head.mask_embedding, 'pool_proj.forward') as embedding:
            embeddings = head.mask_embedding(layer.queries, layer.masks, layer.mask_features)
        of_layer = dict(
            query=layer.queries, mask_kernel=calls['panoptic_head.mask_embed.forward'][i].output,
            mask_pooled=embedding['pool_proj.forward'][0].args[0], class_embed=embeddings,
            pred_masks=layer.masks,
            pred_logits=order.columns(head.classify(embeddings, vocabulary)))
        prefix = f'pred.aux{i}.' if i < len(layers) - 1 else 'pred.'
        stages.update({prefix + name: values for name, values in of_layer.items()})
    stages['pred.pred_masks_positive'] = layers[-1].masks > 0
    for i in range(len(layers) - 1):
        call, = calls[f'panoptic_head.transformer_decoder.layers.{i}.forward']
        stages[f'dec.layer{i}.attn_mask'] = call.kwargs['cross_attn_mask'][::head.num_heads]
    return stages


def _class_stages(calls: dict[str, list[Call]], order: ClassOrder) -> Stages:
    """What the head, CLIP and the ensemble make of a vocabulary."""

    def outputs(name: str) -> Tensor:
        return torch.stack([call.output for call in calls[name]])

    logits, fused = (order.columns(outputs(name)) for name in (
        'panoptic_head.class_logits', 'ensemble.forward'))
    of_clip = order.columns(outputs('classifier.classify'))
    return {
        'head.logits': logits,
        'clip.mask_visible': outputs('classifier.cells'),
        'clip.mask_embed': torch.cat([
            call.output for call in calls['classifier.clip.embed_cells']]),
        'clip.mask_logits': of_clip,
        'clip.fused_open_logits': order.columns(outputs('ensemble.log_mean')),
        'fuse.head_probs': F.softmax(logits[..., :-1], dim=-1),
        'fuse.clip_probs': F.softmax(of_clip, dim=-1),
        'fuse.void_prob': F.softmax(logits, dim=-1)[..., -1:],
        'final.mask_cls': fused,
        'final.prob': F.softmax(fused, dim=-1)}
