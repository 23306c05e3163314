"""Check Mapillary Vistas 1.2, and bring the packages 1.2 and 2.0 into one layout.

mim run mmodise prepare_mapillary data/mapillary_vistas

Maps that are in SPLIT/v1.2/, as in the package 2.0, are linked (or copied) to SPLIT/. What is there
already is left alone.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='folder with training/, validation/ and config_v1.2.json')
    parser.add_argument('--out', type=Path, help='default: SOURCE')
    parser.add_argument('--split', choices=['training', 'validation'],
                        help='default: what is there')
    parser.add_argument('--workers', type=int, default=2, help='processes, default: 2')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare, and tell what was done."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.datasets.converters.mapillary import prepare_mapillary
    from mmodise.datasets.converters.preparation import run_command
    run_command('prepare_mapillary', prepare_mapillary, args)


if __name__ == '__main__':
    main()
