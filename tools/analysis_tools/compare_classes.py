"""Compare two tests of one data set class by class.

python tools/analysis_tools/compare_classes.py FIRST SECOND

Each is the work folder of a test, or a folder that analyze_predictions has written, or a file
classes.csv. Prints the largest losses and gains, classes apart that were not seen in training;
writes all of them, sorted by the difference, into comparison.csv, and a chart of PQ, AP and IoU.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('first', type=Path, help='a test')
    parser.add_argument('second', type=Path, help='another test')
    parser.add_argument('--data-set', metavar='NAME', help='of several, the one (default: all)')
    parser.add_argument('--labels', nargs=2, metavar=('FIRST', 'SECOND'),
                        help='what the tests are called (default: where their folders differ)')
    parser.add_argument('--count', type=int, default=15, metavar='N',
                        help='losses and gains that are shown (default: 15 of each)')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/comparison'),
                        help='folder to write into (default: work_dirs/comparison)')
    args = parser.parse_args(argv)
    if args.count < 1:
        parser.error('--count: at least 1')
    return args


def main(argv: list[str] | None = None) -> None:
    """Compare, write and print."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmodise.benchmark.analysis.class_comparison import (
        find_pairs,
        labels_of,
        write_comparison,
    )
    labels = tuple(args.labels or labels_of(args.first, args.second))
    try:
        for name, pair in find_pairs(args.first, args.second, args.data_set).items():
            folder = args.out_dir / name
            print(write_comparison(*pair, labels, folder, args.count))
            print(f'All classes and charts are in {folder}')
    except (OSError, ValueError) as error:
        sys.exit(f'compare_classes.py: {error}')


if __name__ == '__main__':
    main()
