"""Check COCO's panoptic maps, instances and captions, and have the maps where they are looked for.

mim run mmodise prepare_coco data/coco

Maps in panoptic_{train,val}2017/, where detectron2 has them, are linked (or copied) to
annotations/panoptic_{train,val}2017/. What is there already is left alone.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with train2017/, val2017/ and annotations/')
    parser.add_argument('--out', type=Path, help='default: SOURCE')
    parser.add_argument('--split', choices=['train2017', 'val2017'], help='default: what is there')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.coco_benchmark import prepare_coco
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_coco', prepare_coco, args)


if __name__ == '__main__':
    main()
