"""Compare mask classifiers on one trained model, and write the page with the tables.

python tools/analysis_tools/compare_classifiers.py
python tools/analysis_tools/compare_classifiers.py --tuned work_dirs/NAME/iter_150.pth

Nothing is trained: backbone and head run once per picture of the embedded data set (make_shapes),
each classifier once, and what the weights of the ensemble decide is done for each line. Writes
DOCS/classifiers.md. --tuned adds the classifier that
configs/classifiers/odise_sd-small-tuned-clip_shapes-panoptic.py has trained.
"""

import argparse
import sys
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', help='default: the recipe for the embedded data set')
    parser.add_argument('--checkpoint', help='default: mmodise://shapes/odise.pth')
    parser.add_argument('--tuned', help='checkpoint of a classifier that was trained')
    parser.add_argument('--lines', nargs='+', metavar='LINE',
                        help='such as plain or soft; an unknown one lists them (default: all)')
    parser.add_argument('--docs', type=Path, default=Path('docs'),
                        help='folder of the page (default: docs)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Evaluate all lines, and write the page."""
    args = parse_args(argv)
    from mmodise.benchmark import classifier_page  # after the options: --help answers quickly
    from mmodise.benchmark.classifier_lines import LINES
    from mmodise.benchmark.vocabularies import CHECKPOINT, CONFIG
    if unknown := set(args.lines or ()).difference(LINES):
        sys.exit(f'compare_classifiers.py: --lines {" ".join(sorted(unknown))}: expected some of '
                 f'{", ".join(LINES)}')
    chosen = {name: LINES[name] for name in args.lines or LINES
              if args.tuned or not LINES[name].is_tuned}
    page = classifier_page.write(
        args.config or CONFIG, args.checkpoint or CHECKPOINT, chosen, args.docs, args.tuned)
    print(f'{page} is written')


if __name__ == '__main__':
    main()
