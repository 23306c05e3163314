"""Draw the embedded shapes data set into a folder, in COCO's layout.

python tools/dataset_converters/make_shapes.py data/shapes

Writes, for the splits train (base classes only) and val (all classes)::

    OUT_DIR/{train,val}/000001.jpg
    OUT_DIR/annotations/panoptic_{train,val}.json
    OUT_DIR/annotations/panoptic_{train,val}/000001.png
    OUT_DIR/annotations/captions_{train,val}.json

Equal seeds give equal files, with any number of workers. With --annotate "red box; snow" the
pictures are the same, and nothing else in them is annotated, as in data of one's own.
"""

import argparse
import os
import sys
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out_dir', type=Path, help='root folder of the data set, made if missing')
    parser.add_argument('--split', choices=['train', 'val', 'both'], default='both')
    parser.add_argument('--num-train', type=int, default=400, help='training images')
    parser.add_argument('--num-val', type=int, default=80, help='validation images')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--annotate', metavar='NAMES',
                        help='only these classes, with semicolons (default: all)')
    parser.add_argument('--workers', type=int, default=min(os.cpu_count() or 1, 8))
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Draw the splits that were asked for."""
    args = parse_args(argv)
    from mmodise.datasets.shapes_world.writer import CLASSES, SPLITS, make_split
    annotated = CLASSES
    if args.annotate is not None:
        annotated = tuple(name.strip() for name in args.annotate.split(';'))
        if unknown := set(annotated).difference(CLASSES):
            sys.exit(f'make_shapes.py: --annotate {"; ".join(sorted(unknown))}: expected some of '
                     f'{"; ".join(CLASSES)}')
    counts = {'train': args.num_train, 'val': args.num_val}
    for split in SPLITS if args.split == 'both' else [args.split]:
        make_split(
            split, counts[split], args.out_dir, args.seed, args.workers, annotated)


if __name__ == '__main__':
    main()
