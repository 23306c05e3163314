"""Pictures for training and for validation."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..panoptic import Findings
from .annotated import AnnotatedImage

SPLITS = ('train', 'val', 'test')


def split_images(
    images: Sequence[AnnotatedImage], val_share: float, findings: Findings, seed: int = 0
) -> dict[str, list[AnnotatedImage]]:
    """Keep splits that are there; draw a share for validation where there is no such split.

    Args:
        images (Sequence[AnnotatedImage]): All images, each with its split or ''.
        val_share (float): Share of the images for training that become 'val', one at least.
        findings (Findings): Gets what is told.
        seed (int): Of the draw, which does not depend on the order of the images. Defaults to 0.

    Returns:
        dict[str, list[AnnotatedImage]]: 'train' and 'val', perhaps 'test'.
    """
    splits = {split: [image for image in images if image.split == split] for split in SPLITS}
    unsplit = [image for image in images if image.split not in SPLITS]
    if not splits['train'] and not unsplit:
        findings.warning('splits, none of which is for training', ', '.join(
            split for split in SPLITS if splits[split]), 'All pictures are split anew.')
        splits, unsplit = {split: [] for split in SPLITS}, list(images)
    elif unsplit and any(splits.values()):
        findings.warning('pictures of no split, where others have one', unsplit[0].where,
                         'They are for training.', len(unsplit))
    splits['train'] += unsplit
    if not splits['val']:
        splits['train'], splits['val'] = _draw(splits['train'], val_share, seed)
        if not splits['train']:
            splits['train'] = splits['val']
            findings.warning('pictures, too few to split', splits['val'][0].where,
                             'Training and validation are of the same.')
    return {split: images for split, images in splits.items() if images}


def _draw(images: list[AnnotatedImage], share: float, seed: int) -> tuple[list, list]:
    names = sorted(str(image.path) for image in images)
    random.Random(seed).shuffle(names)
    chosen = set(names[:min(max(1, round(share * len(names))), max(1, len(names) - 1))])
    return ([image for image in images if str(image.path) not in chosen],
            [image for image in images if str(image.path) in chosen])
