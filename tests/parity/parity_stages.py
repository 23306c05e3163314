"""Run a model on the inputs of a golden set, and note what comes out of every stage."""

from __future__ import annotations

import re

import numpy as np
import torch
import torch.nn.functional as F
from golden_sets import Case, Classes
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmodise.benchmark.recording import Call, recorded
from mmodise.models import ODISE
from mmodise.models.odise import Scores
from mmodise.models.results.banded_results import semantic_scores
from mmodise.models.results.full_size_masks import FullSizeMasks

Stages = dict[str, Tensor]


class ClassOrder:
    """The order of a golden set's classes, and ours: things first.

    Args:
        classes (list[list[str]]): Names of each class, in the set's order.
        things (list[int]): Which of them are things.
    """

    def __init__(self, classes: Classes, things: list[int]) -> None:
        order = sorted(range(len(classes)), key=lambda i: i not in things)
        #: Our index of each class of the set.
        self.ours = np.argsort(order).tolist()
        #: The set's index of each class of ours; last, that of void.
        self.theirs = torch.tensor([*order, len(order)])
        self.thing_classes = [tuple(classes[i]) for i in order[:len(things)]]
        self.stuff_classes = [tuple(classes[i]) for i in order[len(things):]]
        starts = np.cumsum([0] + [len(classes[i]) for i in order])
        #: Our index of each name of the set.
        self.names = [int(starts[place]) + k for place, names in
                      zip(self.ours, classes, strict=True) for k in range(len(names))]

    @property
    def metainfo(self) -> dict:
        """A vocabulary for a config."""
        return dict(thing_classes=self.thing_classes, stuff_classes=self.stuff_classes)

    def columns(self, logits: Tensor) -> Tensor:
        """Class logits (..., K) or, with "no object", (..., K + 1) of ours in the set's order."""
        rest = range(len(self.ours), logits.shape[-1])
        return logits[..., [*self.ours, *rest]]


#: What training and testing both call.
HEAD_METHODS = (
    'backbone.forward', 'panoptic_head.pixel_decoder.forward', 'panoptic_head._forward_head',
    'panoptic_head.cls_embed.forward', 'panoptic_head.mask_embedding.forward',
    'panoptic_head.mask_embedding.embed.forward', 'panoptic_head.text_proj.forward',
    'panoptic_head.class_logits')
_TESTING = (
    'backbone._fitting', 'backbone._forward_windows', 'backbone.extractor.forward',
    'backbone.extractor.frozen.vae.encoder.forward', 'backbone.extractor.add_noise',
    'backbone.extractor.frozen.unet.forward',
    'backbone.captioner.clip._normalize', 'backbone.captioner.clip.encode_images',
    'classifier._resize', 'classifier.clip.encode_masks', 'classifier.clip.encode_texts',
    'classifier.classify', 'ensemble.log_mean', 'ensemble.forward')


def inference_stages(model: ODISE, case: Case) -> Stages:
    """Label an image, with both thresholds that the golden sets have results for.

    Returns:
        dict[str, Tensor]: All stages by their names in the golden sets, classes in the set's
        order; instances and panoptic maps as in :func:`instances` and :func:`panoptic_maps`.
    """
    order = ClassOrder(case.classes, case.things)
    sample = DetDataSample(metainfo=dict(
        img_shape=case.image.shape[1:], ori_shape=case.size, text=order.thing_classes,
        stuff_text=order.stuff_classes))
    model.eval()
    with torch.no_grad(), recorded(model, *HEAD_METHODS, *_TESTING) as calls:
        data = model.data_preprocessor(
            dict(inputs=[bgr(case.image)], data_samples=[sample]), training=False)
        scores = model.predict_scores(data['inputs'], data['data_samples'])
        result, = model.make_results(scores, data['data_samples'])
    with torch.no_grad():
        stages = {**_window_stages(model, calls), **head_stages(model, calls)}
        stages.update(_class_stages(calls, order))
        stages.update(maps(scores.predictions.masks[0], stages['final.prob'], result, order))
        stages.update(instances(result.pred_instances, order))
        stages.update(panoptic_maps(model, scores, data['data_samples'], case, order))
    return stages


def bgr(image: np.ndarray) -> Tensor:
    """As images come from a file."""
    return torch.from_numpy(image[::-1].copy())


def _window_stages(model: ODISE, calls: dict[str, list[Call]]) -> Stages:
    """What happens window by window; all windows are one batch, some networks see it in parts.

    What depends on the timestep is there as 'step0.unet0', 'step1.unet0' and so on, and that of the
    first timestep as 'unet0' as well.
    """
    fit, = calls['backbone._fitting']
    project, = calls['backbone._forward_windows']
    extract, = calls['backbone.extractor.forward']
    add_noise, = calls['backbone.extractor.add_noise']
    encoder, unet_maps, decoder = extract.output[:2], extract.output[2:-2], extract.output[-2:]
    batch = {
        'crop': fit.args[0],
        'extractor_img': extract.args[0],
        'clip_input': _joined(calls['backbone.captioner.clip._normalize']),
        'prefix': _joined(calls['backbone.captioner.clip.encode_images']),
        'vae_h': _joined(calls['backbone.extractor.frozen.vae.encoder.forward']),
        'latent': add_noise.args[0],
        **{f'enc{i}': values for i, values in enumerate(encoder)},
        **{f'dec{i}': values for i, values in enumerate(decoder)},
        **{f'proj_s{i}': project.output[2**i] for i in range(2, 6)},
    }
    unet, = calls['backbone.extractor.frozen.unet.forward']  # all timesteps at once
    inputs = dict(
        noisy_latent=unet.args[0], timesteps=unet.args[1],
        cond_inputs=unet.kwargs['encoder_hidden_states'], cond_emb=unet.kwargs['class_labels'])
    num_steps = len(model.backbone.extractor.timesteps)
    for step in range(num_steps):
        maps = unet_maps[step * len(unet_maps) // num_steps :][: len(unet_maps) // num_steps]
        of_step = {name: values.chunk(num_steps)[step] for name, values in inputs.items()}
        of_step |= {f'unet{i}': values for i, values in enumerate(maps)}
        batch |= {f'step{step}.{name}': values for name, values in of_step.items()}
        batch |= of_step if step == 0 else {}
    return {f'win{i}.{name}': values[i : i + 1] for name, values in batch.items()
            for i in range(len(values))}


def _joined(calls: list[Call]) -> Tensor:
    """What a network that sees a batch in parts makes of it."""
    return torch.cat([call.output for call in calls])


def head_stages(model: ODISE, calls: dict[str, list[Call]]) -> Stages:
    """Features of whole images, masks and their embeddings after every layer."""
    stages = pixel_stages(calls)
    predictions = [call.output for call in calls['panoptic_head._forward_head']]
    embeddings = [call.output for call in calls['panoptic_head.mask_embedding.forward']]
    objectness = [call.output for call in calls['panoptic_head.cls_embed.forward']]
    for i, (layer, masks, _) in enumerate(predictions):
        prefix = f'pred.aux{i}.' if i < len(predictions) - 1 else 'pred.'
        stages[f'{prefix}pred_masks'] = masks
        # testing embeds the masks of the last layer only
        trained = len(embeddings) == len(predictions)
        stages[f'{prefix}mask_embed'] = embeddings[i] if trained else layer.embeddings
        stages[f'{prefix}pred_logits'] = objectness[i]
    stages['pred.pred_masks_positive'] = masks > 0
    last = calls['panoptic_head.mask_embedding.embed.forward'][len(embeddings) - 1]
    stages['pred.mask_pooled_features'] = last.args[0]
    stages['pred.logit_scale'] = model.panoptic_head.mask_embedding.scale
    return stages


def pixel_stages(calls: dict[str, list[Call]]) -> Stages:
    """Features of whole images, of the backbone and of the pixel decoder."""
    backbone, = calls['backbone.forward']
    stages = {f'backbone.s{i}': feature for i, feature in enumerate(backbone.output, start=2)}
    pixel_decoder, = calls['panoptic_head.pixel_decoder.forward']
    stages['pixel.mask_features'], scales = pixel_decoder.output
    stages.update({f'pixel.ms{i}': feature for i, feature in enumerate(scales)})
    return stages


def _class_stages(calls: dict[str, list[Call]], order: ClassOrder) -> Stages:
    """What the head and CLIP make of a vocabulary, one image at a time."""
    encode_masks, = calls['classifier.clip.encode_masks']
    ensemble, = calls['ensemble.forward']
    resize_image, resize_masks = calls['classifier._resize'][:2]
    logits = order.columns(calls['panoptic_head.class_logits'][0].output)
    prob = order.columns(F.softmax(ensemble.output, dim=-1))
    *null, texts = [call.output for call in calls['panoptic_head.text_proj.forward']]
    return {
        'head.text_embed': texts[order.names],
        'head.null_embed': null[0] if null else None,
        'head.logits': logits[None],
        'clip.in_open_logits': logits[None, :, :len(order.ours)],
        'clip.image_resized': resize_image.output[None],
        'clip.mask_resized_shape': torch.tensor([1, *resize_masks.output.shape]),
        'clip.patch_masked_out': ~encode_masks.args[1],
        'clip.text_embed': calls['classifier.clip.encode_texts'][0].output[order.names],
        'clip.mask_embed': encode_masks.output,
        'clip.mask_logits': order.columns(calls['classifier.classify'][0].output)[None],
        'clip.fused_open_logits': order.columns(calls['ensemble.log_mean'][0].output)[None],
        'final.mask_cls': order.columns(ensemble.output),
        'final.prob': prob,
    }


def maps(masks: Tensor, prob: Tensor, result: DetDataSample, order: ClassOrder) -> Stages:
    """Masks and scores at full size, which are otherwise never there as a whole; and the map."""
    full = FullSizeMasks(masks, result.metainfo)
    logits = full.rows(slice(0, full.size[0]), torch.arange(len(masks)))
    labels = order.theirs[result.pred_sem_seg.sem_seg[0]]
    return {
        'final.mask_pred': logits,
        'out.sem_seg': semantic_scores(prob[:, :-1], logits.sigmoid()),
        'out.sem_argmax': labels,
        'out.sem_seg_argmax': labels,
    }


def instances(instances: InstanceData, order: ClassOrder) -> Stages:
    """Instances, classes numbered as in the set; in no order."""
    return {
        'out.inst.scores': instances.scores,
        'out.inst.classes': order.theirs[instances.labels],
        'out.inst.masks': instances.masks,
        'out.inst.mask_areas': instances.masks.sum((1, 2)),
    }


def panoptic_maps(
    model: ODISE, scores: Scores, samples: list, case: Case, order: ClassOrder
) -> Stages:
    """Panoptic maps at each threshold: class x 1000 + instance in the set's classes, void -1."""
    stages, test_cfg = {}, model.panoptic_fusion_head.test_cfg
    for name in case.arrays:
        if threshold := re.fullmatch(r'out\.panoptic\.thr([\d.]+)', name):
            kept = test_cfg['iou_thr']
            test_cfg['iou_thr'] = float(threshold[1])
            result, = model.make_results(scores, [samples[0].new()])
            test_cfg['iou_thr'] = kept
            stages[name] = panoptic_map(result, order)
    return stages


def panoptic_map(result: DetDataSample, order: ClassOrder) -> Tensor:
    """A panoptic map: class x 1000 + instance in the set's classes, void -1."""
    labels = result.pred_panoptic_seg.sem_seg[0]
    classes = order.theirs[labels % INSTANCE_OFFSET]
    return torch.where(
        classes == len(order.ours), -1, classes * INSTANCE_OFFSET + labels // INSTANCE_OFFSET)
