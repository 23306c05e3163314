"""Take the noun phrases out of a captions file, once, instead of during each training.

python tools/extract_phrases.py captions_train2017.json phrases_train2017.json

What is written is the captions file with `phrases` beside each `caption`; it takes the place of the
captions file wherever one is named. The paper's recipe has NLTK find the phrases; the data that it
needs is never downloaded here.
"""

import argparse
import json
from itertools import chain
from multiprocessing import Pool
from pathlib import Path

from tqdm import tqdm

from mmodise.datasets.caption_file import has_phrases, read_captions
from mmodise.phrases import EXTRACTORS, PhraseExtractor
from mmodise.utils import WholeFileBackend

CHUNK = 500  # captions that a process takes at a time


def extract_phrases(captions: list[str], extractor: PhraseExtractor, workers: int = 1) -> list:
    """Noun phrases of captions, with a progress bar.

    Args:
        captions (list[str]): N captions.
        extractor (PhraseExtractor): What takes them.
        workers (int): Processes that share the work. Defaults to 1.

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


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('captions', metavar='CAPTIONS_JSON', help="captions in COCO's layout")
    parser.add_argument('out', metavar='OUT_JSON', type=Path, help='file to write')
    parser.add_argument(
        '--extractor', choices=EXTRACTORS, default='auto',
        help='auto: NLTK if it and its data are there, else the built-in one')
    parser.add_argument('--workers', type=int, default=None, help='default: one a core')
    return parser.parse_args(argv)


def main() -> None:
    """Read, extract, write, and tell what was found."""
    args = parse_args()
    extractor = PhraseExtractor(args.extractor)
    content = read_captions(args.captions)
    if has_phrases(content):
        raise ValueError(f'{args.captions} has phrases already: extract from the original file.')
    annotations = content['annotations']
    phrases = extract_phrases(
        [annotation['caption'] for annotation in annotations], extractor, args.workers)
    for annotation, found in zip(annotations, phrases, strict=True):
        annotation['phrases'] = found
    content['info'] = dict(content.get('info', {}), phrase_extractor=extractor.name)
    WholeFileBackend().put_text(json.dumps(content), args.out)
    print(f'{args.out}: {sum(map(len, phrases))} phrases of {len(phrases)} captions, of which '
          f'{phrases.count([])} have none, by {extractor.name}')


if __name__ == '__main__':
    main()
