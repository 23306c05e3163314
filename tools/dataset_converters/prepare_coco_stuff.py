"""Close the gaps in the maps of COCO-Stuff 164k: 171 labels from 0, void 255.

mim run mmodise prepare_coco_stuff data/coco

Reads stuffthingmaps/{train2017,val2017} and writes stuffthingmaps_detectron2/{train2017,val2017}
beside them. What is written and whole is not written again.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with train2017/, val2017/ and stuffthingmaps/')
    parser.add_argument('--out', type=Path, help='default: SOURCE')
    parser.add_argument('--split', choices=['train2017', 'val2017'], help='default: what is there')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.coco_stuff import prepare_coco_stuff
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_coco_stuff', prepare_coco_stuff, args)


if __name__ == '__main__':
    main()
