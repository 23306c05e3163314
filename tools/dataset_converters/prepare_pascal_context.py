"""Prepare PASCAL Context for semantic evaluation, with 59 and 459 classes.

mim run mmodise prepare_pascal_context data

Writes images/, annotations_ctx59/ (8 bits, 255 does not count) and annotations_ctx459/ (16 bits,
65535), each {training,validation}/; the first from trainval_merged.json, the second from
trainval/*.mat, as far as they are there.

Reads what is below SOURCE as it is after download and unpacking. What is written and whole is not
written again; pictures are linked where the disk can.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path, help='folder with VOCdevkit/VOC2010')
    parser.add_argument('--out', type=Path, help='default: data/pascal_ctx_d2')
    parser.add_argument('--split', choices=['train', 'val'], help='default: both')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.pascal_context import prepare_pascal_context
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_pascal_context', prepare_pascal_context, args)


if __name__ == '__main__':
    main()
