"""The caption that a generator is given with an image."""

from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmodise.datasets.transforms.draw_words import sample_generator


@TRANSFORMS.register_module()
class DrawCaption(BaseTransform):
    """Choose one caption of an image, for :class:`DataSetCaption`.

    Required key: ``captions`` (list[str]), as a data set with a ``caption_file`` gives them.

    Added key: ``caption``, a string; none if the image has no caption. ``PackDetInputs`` must list
    it in ``meta_keys``.

    Args:
        random (bool): Whether any of them is drawn, as in training, or the first is taken.
            Defaults to True.
    """

    def __init__(self, random: bool = True) -> None:
        self.random = random

    def transform(self, results: dict) -> dict:
        """Add ``caption``.

        Raises:
            KeyError: If the data set gives no captions.
        """
        if 'captions' not in results:
            raise KeyError(
                "DrawCaption finds no 'captions' in the sample: give the data set a caption_file.")
        captions = results['captions']
        drawn = sample_generator().integers(len(captions)) if self.random and captions else 0
        results['caption'] = captions[drawn] if captions else None
        return results

    def __repr__(self) -> str:
        return f'DrawCaption(random={self.random})'
