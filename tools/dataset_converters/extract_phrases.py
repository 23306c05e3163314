"""Take the noun phrases out of a captions file, once, instead of during each training.

python tools/dataset_converters/extract_phrases.py captions_train2017.json phrases_train2017.json

What is written is the captions file with `phrases` beside each `caption`; it takes the place of the
captions file wherever one is named. The paper's recipe has NLTK find the phrases; the data that it
needs is never downloaded here.
"""

import argparse
import json
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('captions', metavar='CAPTIONS_JSON', help="captions in COCO's layout")
    parser.add_argument('out', metavar='OUT_JSON', type=Path, help='file to write')
    parser.add_argument(
        '--extractor', choices=['auto', 'nltk', 'builtin'], default='auto',
        help='auto: NLTK if it and its data are there, else the built-in one')
    parser.add_argument('--workers', type=int, default=None, help='default: one a core')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Read, extract, write, and tell what was found."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.caption_file import has_phrases, read_captions
    from mmodise.phrases import PhraseExtractor, extract_phrases
    from mmodise.utils import WholeFileBackend
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
