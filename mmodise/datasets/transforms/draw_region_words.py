"""Words that an image is learned from, each with the box of what it names."""

import numpy as np
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from .draw_words import DrawWords, sample_generator


@TRANSFORMS.register_module()
class DrawRegionWords(DrawWords):
    """Draw words of the regions of an image, with replacement, and keep their boxes.

    It stands after the steps that resize, mirror and crop, and follows them by mmdet's
    ``homography_matrix``. A region of whose box less than ``min_visible`` is left drops out. Each
    word is one of the noun phrases of a region, both drawn at random. An image without ``regions``
    has words of a caption, as :class:`DrawWords` draws them, without boxes.

    Required keys: ``regions`` (list[dict]), of each a ``phrase``, its ``bbox`` (left, top, right,
    bottom in the original image; or None, where it is of the whole image), and perhaps the
    prepared ``phrases``; or what :class:`DrawWords` requires; ``img_shape``.

    Added keys: ``words``, as :class:`DrawWords` does, and ``word_boxes``, a tuple of as many boxes
    in the image as it is now, each a tuple of four numbers, or None. ``PackDetInputs`` must list
    both in ``meta_keys``.

    Args:
        num_words (int): Defaults to 8.
        extractor (str): As in :class:`DrawWords`.
        min_visible (float): Share of its area. Defaults to 0.5.

    Raises:
        ValueError: If ``num_words`` is less than 1, or the extractor unknown.
    """

    def __init__(
        self, num_words: int = 8, extractor: str = 'auto', min_visible: float = 0.5
    ) -> None:
        super().__init__(num_words, extractor)
        self.min_visible = min_visible

    def transform(self, results: dict) -> dict:
        """Add ``words`` and ``word_boxes``."""
        if 'regions' not in results:
            results = super().transform(results)
            results['word_boxes'] = (None, ) * len(results['words'])
            return results
        found = [(self._phrases(region), box) for region, box in self._visible(results)]
        found = [(phrases, box) for phrases, box in found if phrases]
        results['words'] = results['word_boxes'] = ()
        if found:
            generator = sample_generator()
            drawn = [found[i] for i in generator.integers(len(found), size=self.num_words)]
            results['words'] = tuple(
                phrases[generator.integers(len(phrases))] for phrases, _ in drawn)
            results['word_boxes'] = tuple(box for _, box in drawn)
        return results

    def _phrases(self, region: dict) -> list[str]:
        phrases = region.get('phrases')
        return self.extract(region['phrase']) if phrases is None else phrases

    def _visible(self, results: dict) -> list[tuple[dict, tuple | None]]:
        """The regions that are still to be seen, with their boxes in the image as it is now."""
        boxed = [region for region in results['regions'] if region['bbox'] is not None]
        visible = [(region, None) for region in results['regions'] if region['bbox'] is None]
        if not boxed:
            return visible
        boxes = HorizontalBoxes(np.array([region['bbox'] for region in boxed], np.float32))
        boxes.project_(results.get('homography_matrix', np.eye(3, dtype=np.float32)))
        whole = boxes.areas.clone()
        boxes.clip_(results['img_shape'][:2])
        kept = (boxes.areas >= self.min_visible * whole) & (boxes.areas > 0)
        return visible + [(region, tuple(box)) for region, box, keep in zip(
            boxed, boxes.tensor.tolist(), kept.tolist(), strict=True) if keep]

    def __repr__(self) -> str:
        return (f'DrawRegionWords(num_words={self.num_words}, extractor={self.extract.name!r}, '
                f'min_visible={self.min_visible})')
