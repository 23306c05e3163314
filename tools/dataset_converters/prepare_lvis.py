"""Check LVIS v1 and its pictures, and write its classes with all synonyms.

mim run mmodise prepare_lvis data

Reads lvis/lvis_v1_{train,val}.json and coco/{train2017,val2017}/, and writes lvis/classes.txt, a
vocabulary file.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with lvis/ and coco/')
    parser.add_argument('--out', type=Path, help='default: SOURCE/lvis')
    parser.add_argument('--split', choices=['train', 'val'], help='default: what is there')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.lvis import prepare_lvis
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_lvis', prepare_lvis, args)


if __name__ == '__main__':
    main()
