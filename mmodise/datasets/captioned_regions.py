"""Images with phrases that belong to boxes, and without masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from mmdet.registry import DATASETS

from .captioned_images import CaptionedImagesDataset


@DATASETS.register_module()
class CaptionedRegionsDataset(CaptionedImagesDataset):
    """Images of whose regions it is said what they are, in the layout of COCO's captions.

    A caption that has a ``bbox`` (left, top, width, height, in pixels of the original image)
    describes what is in it, and one that has none the image. Samples have

    - ``regions``, for :class:`DrawRegionWords`: of each its ``phrase``, its ``bbox`` (left, top,
      right, bottom) or None, and if the file brings them, its noun phrases, ``phrases``.
    - ``captions``, the same phrases, each once; and ``phrases`` of each, for :class:`DrawWords`.

    Args:
        **kwargs: As for :class:`CaptionedImagesDataset`.
    """

    def describe(self, content: dict) -> dict[Hashable, dict]:
        """What samples get from a captions file, by the image's id."""
        regions = defaultdict(list)
        for entry in content['annotations']:
            if entry['caption'].strip():
                regions[entry['image_id']].append(_region(entry))
        return {key: dict(_captions(found), regions=found) for key, found in regions.items()}


def _region(entry: dict) -> dict:
    region = dict(phrase=entry['caption'], bbox=None)
    if entry.get('bbox') is not None:
        left, top, width, height = entry['bbox']
        region['bbox'] = [left, top, left + width, top + height]
    if 'phrases' in entry:
        region['phrases'] = entry['phrases']
    return region


def _captions(regions: list[dict]) -> dict[str, list]:
    captions = {region['phrase']: region.get('phrases') for region in regions}
    if None in captions.values():
        return dict(captions=[*captions])
    return dict(captions=[*captions], phrases=[*captions.values()])
