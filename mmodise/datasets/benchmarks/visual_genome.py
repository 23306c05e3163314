"""Visual Genome's regions."""

from collections import defaultdict

from mmdet.registry import DATASETS

from ..caption_file import read_captions
from ..captioned_images import CaptionedImagesDataset


@DATASETS.register_module()
class VisualGenomeRegions(CaptionedImagesDataset):
    """Visual Genome's regions, as ``mim run mmodise prepare_visual_genome`` writes them.

    Samples have ``captions``, the phrases of an image, each once, with the noun phrases of each in
    ``phrases``; and ``regions``, each with a
    ``phrase`` and its ``bbox`` (left, top, right, bottom, in pixels of the original image), for
    losses that compare a phrase with what is in its box. Images without a phrase are left out.

    Args:
        **kwargs: As for :class:`CaptionedImagesDataset`.
    """

    METAINFO = dict(classes=('object', ), thing_classes=('object', ), stuff_classes=())

    def load_data_list(self) -> list[dict]:
        """One sample per image that has a phrase."""
        regions = defaultdict(list)
        for entry in read_captions(self.ann_file, self.backend_args)['annotations']:
            if 'bbox' in entry:
                left, top, width, height = entry['bbox']
                regions[entry['image_id']].append(dict(
                    phrase=entry['caption'], bbox=[left, top, left + width, top + height]))
        samples = super().load_data_list()
        for sample in samples:
            captions = dict(zip(sample['captions'], sample['phrases'], strict=True))
            sample.update(captions=list(captions), phrases=list(captions.values()))
            sample['regions'] = regions[sample['img_id']]
        return samples
