"""Words that an image is learned from, each with the boxes of what it names."""

import numpy as np
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from .draw_words import DrawWords, sample_generator


@TRANSFORMS.register_module()
class DrawRegionWords(DrawWords):
    """Draw words of the regions of an image, with replacement, and keep their boxes.

    It stands after the steps that resize, mirror and crop, and follows them by mmdet's
    ``homography_matrix``. A region of whose box less than ``min_visible`` is left drops out. Each
    word is one of the noun phrases of a region, both drawn at random; its boxes are those of all
    regions that have this phrase, or what is left of them. An image without ``regions`` has words
    of a caption, as :class:`DrawWords` draws them, without boxes.

    Required keys: ``regions`` (list[dict]), of each a ``phrase``, its ``bbox`` (left, top, right,
    bottom in the original image; or None, where it is of the whole image), and perhaps the
    prepared ``phrases``; or what :class:`DrawWords` requires; ``img_shape``.

    Added keys: ``words``, as :class:`DrawWords` does, and ``word_boxes``, of each a tuple of boxes
    in the image as it is now, each of four numbers; none where a region of the phrase is of the
    whole image. ``PackDetInputs`` must list both in ``meta_keys``.

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
            results['word_boxes'] = ((), ) * len(results['words'])
            return results
        found = [(self._phrases(region), *rest) for region, *rest in self._visible(results)]
        named = [phrases for phrases, _, share in found if phrases and share >= self.min_visible]
        results['words'] = results['word_boxes'] = ()
        if named:
            generator = sample_generator()
            drawn = [named[i] for i in generator.integers(len(named), size=self.num_words)]
            results['words'] = tuple(
                phrases[generator.integers(len(phrases))] for phrases in drawn)
            results['word_boxes'] = tuple(_boxes_of(word, found) for word in results['words'])
        return results

    def _phrases(self, region: dict) -> list[str]:
        phrases = region.get('phrases')
        return self.extract(region['phrase']) if phrases is None else phrases

    def _visible(self, results: dict) -> list[tuple[dict, tuple | None, float]]:
        """Regions of which something is left, their boxes in the image as it is now, how much."""
        boxed = [region for region in results['regions'] if region['bbox'] is not None]
        visible = [(region, None, 1.0) for region in results['regions'] if region['bbox'] is None]
        if not boxed:
            return visible
        boxes = HorizontalBoxes(np.array([region['bbox'] for region in boxed], np.float32))
        boxes.project_(results.get('homography_matrix', np.eye(3, dtype=np.float32)))
        whole = boxes.areas.clone()
        boxes.clip_(results['img_shape'][:2])
        shares = (boxes.areas / whole).nan_to_num().tolist()
        return visible + [(region, tuple(box), share) for region, box, share in zip(
            boxed, boxes.tensor.tolist(), shares, strict=True) if share > 0]

    def __repr__(self) -> str:
        return (f'DrawRegionWords(num_words={self.num_words}, extractor={self.extract.name!r}, '
                f'min_visible={self.min_visible})')


def _boxes_of(word: str, regions: list[tuple]) -> tuple[tuple, ...]:
    """All boxes of a word; none if one of its regions has none."""
    boxes = [box for phrases, box, _ in regions if word in phrases]
    return () if None in boxes else tuple(boxes)
