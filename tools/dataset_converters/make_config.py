"""Make a config that trains on own data, of a folder with pictures and annotations.

python tools/dataset_converters/make_config.py data/warehouse --stuff "floor; wall"

Reads COCO's panoptic and instance annotations (also those that CVAT, Roboflow and Label Studio
export), LabelMe's, Cityscapes' and maps of classes, and tells them apart by what is in the files.
Writes, beside the folder::

    OUT_DIR/annotations/panoptic_{train,val}.json   COCO's panoptic layout
    OUT_DIR/annotations/panoptic_{train,val}/*.png  maps; existing ones are used where they are
    OUT_DIR/vocabulary.txt                          the classes; write synonyms into it
    OUT_DIR/odise_sd-small_NAME.py                  the config, which reads it

A pixel that several segments cover is of the later one in the file (--overlap); a crowd never
covers an object. A pixel that none covers is void. All segments of a class of stuff in a picture
are one. A box without a mask is left out and counted.

Nothing that is there is overwritten, nothing is left half written: run again, it goes on.
"""

import argparse
import os
from pathlib import Path

FORMATS = ('auto', 'coco_panoptic', 'coco', 'labelme', 'cityscapes', 'semantic')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='folder with pictures and annotations')
    parser.add_argument('--stuff', metavar='NAMES', help='classes that are stuff, with semicolons: '
                        "'floor; wall', or '' if none is; asked for if the annotations do not say")
    parser.add_argument('--void', metavar='NAMES', default='',
                        help='classes whose pixels become void')
    parser.add_argument('--overlap', choices=('later', 'earlier', 'smaller'), default='later',
                        help='which segment has a pixel that several cover')
    parser.add_argument('--crowds', choices=('auto', 'keep', 'objects'), default='auto',
                        help="what iscrowd 1 is in COCO's instances: a crowd, or an object (auto: "
                        'objects in exports of CVAT, which marks brush masks so)')
    parser.add_argument('--format', choices=FORMATS, default='auto')
    parser.add_argument('--annotations', type=Path, nargs='+', metavar='FILE',
                        help='only these annotation files')
    parser.add_argument('--images', type=Path, metavar='DIR', help='where pictures are')
    parser.add_argument('--maps', type=Path, metavar='DIR', help='where maps of classes are')
    parser.add_argument('--classes', metavar='TEXT_OR_FILE', help='of maps: what values mean, '
                        "'floor; wall' from 0 on, or '7: floor; 11: wall', or '128,0,0: floor'")
    parser.add_argument('--val-share', type=float, default=0.2,
                        help='share of pictures for validation, where there are no splits')
    parser.add_argument('--seed', type=int, default=0, help='of the pictures for validation')
    parser.add_argument('--full', action='store_true',
                        help="the paper's models; else small ones, for a CPU")
    parser.add_argument('--finetune', metavar='CHECKPOINT',
                        help='start from its weights; a config of its own, see docs/finetuning.md')
    parser.add_argument('--out-dir', type=Path, help='default: ROOT-panoptic')
    parser.add_argument('--workers', type=int, default=min(os.cpu_count() or 1, 8))
    args = parser.parse_args(argv)
    if not 0 < args.val_share < 1:
        parser.error(f'--val-share is {args.val_share}, expected between 0 and 1')
    return args


def main(argv: list[str] | None = None) -> None:
    """Find, convert, write, and say which command comes next."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.command import run
    run(args)


if __name__ == '__main__':
    main()
