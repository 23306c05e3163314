"""Make Cityscapes' panoptic annotations and maps of train ids, as cityscapesScripts does.

mim run mmodise prepare_cityscapes data/cityscapes

Reads leftImg8bit/ and gtFine/, and writes gtFine/cityscapes_panoptic_{train,val}{.json,/} and
gtFine/{train,val}/CITY/*_labelTrainIds.png. What is written and whole is not written again.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with leftImg8bit/ and gtFine/')
    parser.add_argument('--out', type=Path, help='default: SOURCE')
    parser.add_argument('--split', choices=['train', 'val'], help='default: what is there')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.cityscapes_benchmark import prepare_cityscapes
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_cityscapes', prepare_cityscapes, args)


if __name__ == '__main__':
    main()
