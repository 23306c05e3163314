"""The words that an image is learned from."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.dist import get_rank
from torch.utils.data import get_worker_info

from mmodise.phrases import PhraseExtractor


@TRANSFORMS.register_module()
class DrawWords(BaseTransform):
    """Draw one caption of an image, and some of its noun phrases, with replacement (paper).

    Required keys: ``captions`` (list[str]), or with prepared phrases ``phrases`` (list[list[str]],
    of each caption its own), as a data set with a ``caption_file`` gives them.

    Added key: ``words``, a tuple of ``num_words`` strings; an empty one if the image has no
    caption, or that caption no noun phrase. ``PackDetInputs`` must list it in ``meta_keys``.

    Args:
        num_words (int): Defaults to 8 (official release).
        extractor (str): As in :class:`PhraseExtractor`; not used where phrases are prepared.
            Defaults to 'auto'.

    Raises:
        ValueError: If ``num_words`` is less than 1, or the extractor unknown.
    """

    def __init__(self, num_words: int = 8, extractor: str = 'auto') -> None:
        if num_words < 1:
            raise ValueError(f'DrawWords: num_words={num_words}, expected at least 1.')
        self.num_words = num_words
        self.extract = PhraseExtractor(extractor)

    def transform(self, results: dict) -> dict:
        """Add ``words``.

        Raises:
            KeyError: If the data set gives neither captions nor phrases.
        """
        if 'captions' not in results:
            raise KeyError(
                "DrawWords finds no 'captions' in the sample: give the data set a caption_file.")
        captions = results.get('phrases', results['captions'])
        results['words'] = ()
        if captions:
            generator = sample_generator()
            caption = captions[generator.integers(len(captions))]
            phrases = self.extract(caption) if isinstance(caption, str) else caption
            if phrases:
                drawn = generator.integers(len(phrases), size=self.num_words)
                results['words'] = tuple(phrases[i] for i in drawn)
        return results

    def __repr__(self) -> str:
        return f'DrawWords(num_words={self.num_words}, extractor={self.extract.name!r})'


def sample_generator() -> np.random.Generator:
    """A generator that follows mmengine's seed, and is another one for each sample of each epoch.

    mmengine seeds numpy in the workers of each epoch alike; torch's own seed of a worker is a new
    one each time. Without workers all ranks have the same state of numpy.
    """
    worker = get_worker_info()
    return np.random.default_rng(
        (np.random.randint(2**31), get_rank(), worker.seed if worker else 0))
