r"""Clean Visual Genome's regions, and leave out the pictures that are evaluated on as COCO's.

mim run mmodise prepare_visual_genome data/visual_genome \
    --exclude data/coco/annotations/panoptic_val2017.json

Writes annotations/regions_train.json, annotations/regions_not_coco.json (to evaluate on) and
classes.txt, the most frequent names.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with VG_100K/, VG_100K_2/ and the JSON files')
    parser.add_argument('--exclude', metavar='JSON', type=Path, nargs='+', default=[],
                        help='annotation files whose pictures are left out of training')
    parser.add_argument('--out', type=Path, help='default: SOURCE')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.preparation import run_command
    from mmodise.datasets.converters.visual_genome import prepare_visual_genome
    run_command('prepare_visual_genome', prepare_visual_genome, args)


if __name__ == '__main__':
    main()
