"""Prepare ADE20K's benchmark of 150 classes for panoptic and instance evaluation.

mim run mmodise prepare_ade20k_150 data

Writes ade20k_panoptic_{train,val}{.json,/} and ade20k_instance_{train,val}.json from annotations/
and annotations_instance/, as detectron2's scripts do: area and box of stuff are from before
instances were pasted over it. Annotations that another tool made are left as they are.

Reads what is below SOURCE as it is after download and unpacking. What is written and whole is not
written again.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with ADEChallengeData2016')
    parser.add_argument('--out', type=Path, help='default: SOURCE/ADEChallengeData2016')
    parser.add_argument('--split', choices=['train', 'val'], help='default: both')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.ade20k_150 import prepare_ade20k_150
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_ade20k_150', prepare_ade20k_150, args)


if __name__ == '__main__':
    main()
