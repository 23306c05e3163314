"""Prepare ADE20K's full set for semantic evaluation with 847 classes.

mim run mmodise prepare_ade20k_full data

Writes images_detectron2/ and annotations_detectron2/ (16 bits, 65535 does not count), each
{training,validation}/, whose shorter sides have at most 512 pixels. --instances also writes
ade20k_full_{instance,part}_{train,val}.json, COCO's instance annotations of all whole objects and
parts of objects, at the size of the pictures.

Reads what is below SOURCE as it is after download and unpacking. What is written and whole is not
written again; pictures are linked where the disk can.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path, help='folder with ADE20K_2021_17_01')
    parser.add_argument('--out', type=Path, help='default: SOURCE/ADE20K_2021_17_01')
    parser.add_argument('--split', choices=['train', 'val'], help='default: both')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    parser.add_argument('--instances', action='store_true',
                        help='write objects and their parts too, which takes longer')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.ade20k_full import prepare_ade20k_full
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_ade20k_full', prepare_ade20k_full, args)


if __name__ == '__main__':
    main()
