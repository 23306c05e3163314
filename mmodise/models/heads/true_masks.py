"""True masks of samples, things and stuff in one."""

import torch
from mmdet.models.utils import preprocess_panoptic_gt, unpack_gt_instances
from mmdet.structures import SampleList
from mmdet.utils import InstanceList
from mmengine.structures import InstanceData

from ...vocabulary import Vocabulary


def true_masks(batch_data_samples: SampleList, vocabulary: Vocabulary) -> InstanceList:
    """The true masks of samples, as mmdet's heads make them.

    Args:
        batch_data_samples (SampleList): With ``gt_instances``, of stuff also ``gt_sem_seg``.
        vocabulary (Vocabulary): What labels count in.

    Returns:
        InstanceList: Per image masks (N, H, W), 0 or 1, and labels (N,).

    Raises:
        ValueError: If a label is not one of the vocabulary's.
    """
    instances, _, _ = unpack_gt_instances(batch_data_samples)
    truths = []
    for things, sample in zip(instances, batch_data_samples, strict=True):
        semantic = sample.get('gt_sem_seg')
        labels, masks = preprocess_panoptic_gt(
            things.labels, things.masks, None if semantic is None else semantic.sem_seg,
            vocabulary.num_things, vocabulary.num_stuff)
        truths.append(InstanceData(labels=labels, masks=masks))
    check_labels(truths, vocabulary, 'The classifier')
    return truths


def check_labels(instances: InstanceList, vocabulary: Vocabulary, who: str) -> None:
    """Refuse labels that are not of the training vocabulary.

    Args:
        instances (InstanceList): With ``labels``.
        vocabulary (Vocabulary): The training vocabulary.
        who (str): What is trained.

    Raises:
        ValueError: If there is one.
    """
    labels = torch.cat([gt.labels for gt in instances])  # a GPU is waited for once a batch
    largest = int(labels.max()) if len(labels) else -1
    if largest >= len(vocabulary):
        raise ValueError(
            f'{who}: the data set has a label {largest}, the training vocabulary '
            f'{len(vocabulary)} classes (labels 0 to {len(vocabulary) - 1}). Give '
            "panoptic_head.vocabulary the data set's thing_classes and stuff_classes, in the order "
            'of its labels.')
