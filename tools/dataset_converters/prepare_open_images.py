"""Join masks, groups and labels of Open Images V6 into one file a split.

mim run mmodise prepare_open_images data/open_images

Reads the pictures (validation/ID.jpg), tables and masks, and writes annotations/SPLIT.json,
annotations/SPLIT_expanded.json (by the hierarchy) and classes.txt; of the pictures to train on also
annotations/regions_train.json, names of boxes as words.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with pictures, tables and masks')
    parser.add_argument('--out', type=Path, help='default: SOURCE')
    parser.add_argument('--split', choices=['train', 'validation', 'test'],
                        help='default: what is there')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.open_images import prepare_open_images
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_open_images', prepare_open_images, args)


if __name__ == '__main__':
    main()
