"""Prepare PASCAL VOC 2012 for semantic evaluation, with 20 and 21 classes, and its objects.

mim run mmodise prepare_pascal_voc data

Writes images/ and annotations_pascal{20,21}/, each {training,validation}/. 255 is what does not
count: borders, and with 20 classes the background too. Where SegmentationObject is there, also
pascal_voc_instance_{train,val}.json, COCO's instance annotations of its objects.

Reads what is below SOURCE as it is after download and unpacking. What is written and whole is not
written again; pictures are linked where the disk can.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path, help='folder with VOCdevkit/VOC2012')
    parser.add_argument('--out', type=Path, help='default: data/pascal_voc_d2')
    parser.add_argument('--split', choices=['train', 'val'], help='default: both')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    parser.add_argument('--augmented', action='store_true',
                        help='take SegmentationClassAug, which has more pictures and no borders')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.pascal_voc import prepare_pascal_voc
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_pascal_voc', prepare_pascal_voc, args)


if __name__ == '__main__':
    main()
