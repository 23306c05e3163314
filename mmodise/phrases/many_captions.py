"""Noun phrases of many captions, by several processes."""

from itertools import chain
from multiprocessing import Pool

from tqdm import tqdm

from .extractor import PhraseExtractor

CHUNK = 500  # captions that a process takes at a time


def extract_phrases(
    captions: list[str], extractor: PhraseExtractor, workers: int | None = 1
) -> list[list[str]]:
    """Noun phrases of captions, with a progress bar.

    Args:
        captions (list[str]): N captions.
        extractor (PhraseExtractor): What takes them.
        workers (int, optional): Processes that share the work; None, one a core. Defaults to 1.

    Returns:
        list[list[str]]: N lists; an empty one for a caption without any.
    """
    chunks = [captions[i:i + CHUNK] for i in range(0, len(captions), CHUNK)]
    with Pool(workers, _keep, (extractor, )) as pool, tqdm(
            desc='Captions', total=len(captions), unit='') as bar:
        found = []
        for phrases in pool.imap(_extract, chunks):
            found.append(phrases)
            bar.update(len(phrases))
    return list(chain.from_iterable(found))


def _keep(extractor: PhraseExtractor) -> None:
    global _extractor
    _extractor = extractor


def _extract(captions: list[str]) -> list[list[str]]:
    return [_extractor(caption) for caption in captions]
