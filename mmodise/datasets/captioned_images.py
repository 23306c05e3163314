"""Images with captions and without masks."""

import logging
from collections.abc import Hashable

from mmdet.registry import DATASETS
from mmengine.logging import print_log

from mmodise.datasets.caption_file import captions_by_image, read_captions
from mmodise.datasets.checked_panoptic import CheckedPanopticDataset


@DATASETS.register_module()
class CaptionedImagesDataset(CheckedPanopticDataset):
    """Images that have captions and no masks, in the layout of COCO's captions.

    Only caption supervision learns from them, by themselves or beside images with masks: mmengine's
    ``ConcatDataset`` of this and of a panoptic data set with a ``caption_file``, both of the same
    ``metainfo``. Both pipelines then start with :class:`LoadPanopticIfAny`.

    Args:
        ann_file (str): The captions file, see :func:`read_captions`; its images have a
            ``file_name``.
        **kwargs: As for :class:`CheckedPanopticDataset`.

    Raises:
        FileNotFoundError: When built, if the captions file or images are missing.
        ValueError: When built, if the captions file is not valid, or has no caption of its images.
    """

    def load_data_list(self) -> list[dict]:
        """One sample an image that has a caption; those without are told in the log."""
        content = read_captions(self.ann_file, self.backend_args)
        captions = self.describe(content)
        nameless = [image for image in content['images'] if 'file_name' not in image]
        if nameless:
            raise ValueError(
                f"{self.ann_file} has {len(nameless)} images without 'file_name', such as "
                f'{nameless[0]}. Only as the caption_file of images with masks it needs none.')
        samples = [
            dict(
                img_id=image['id'], img_path=self._locate('img', image['file_name']),
                height=image.get('height'), width=image.get('width'),
                seg_map_path=None, instances=[], segments_info=[], **captions[image['id']])
            for image in content['images'] if image['id'] in captions
        ]
        if not samples:
            raise ValueError(f'{self.ann_file} has no caption of any of its images.')
        if left := len(content['images']) - len(samples):
            print_log(f'{left} of {len(content["images"])} images of {self.ann_file} have no '
                      'caption and are left out.', 'current', logging.WARNING)
        return samples

    def describe(self, content: dict) -> dict[Hashable, dict]:
        """What samples get from a captions file, by the image's id, see `captions_by_image`."""
        return captions_by_image(content)
