"""Time the start: seconds from the command to the first result, and where they go.

python tools/analysis_tools/benchmark_startup.py [--runs 5] [-- PREDICT-OPTIONS ...]
python tools/analysis_tools/benchmark_startup.py --random FOLDER

Runs the command predict for one picture, in processes of their own, alternately as it is and with a
stopwatch in it; tells medians, the memory, the packages whose imports take longest, and how long it
takes to read the same files of weights and do nothing with them. After -- come options of predict,
such as the model; without a picture it is one of noise. --random takes the full-size ODISE with
weights of random numbers, which are written into FOLDER, 5.7 GiB, unless they are there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('options', nargs='*', metavar='PREDICT-OPTION', help='after --')
    parser.add_argument('--runs', type=int, default=5, help='of each kind (default: 5)')
    parser.add_argument('--random', type=Path, metavar='FOLDER', help='full size, random weights')
    parser.add_argument(
        '--size', default='128', metavar='SIDE|HEIGHTxWIDTH', help='of the noise (default: 128)')
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON to write')
    args = parser.parse_args(argv)
    if args.runs < 1:
        parser.error('--runs: at least 1')
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from PIL import Image

    from mmodise.benchmark.machine import machine
    from mmodise.benchmark.questions import random_picture
    from mmodise.benchmark.random_files import full_size_options
    from mmodise.benchmark.startup import time_start_up
    from mmodise.benchmark.subject import read_size
    try:
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder, 'noise.png')
            Image.fromarray(random_picture(read_size(args.size))).save(picture)
            options = full_size_options(args.random) if args.random else []
            found = time_start_up([str(picture), *options, *args.options], args.runs)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'benchmark_startup.py: {error}')
    print(found.table())
    print('Imports, s: ' + ', '.join(
        f'{name} {seconds:.2f}' for name, seconds in list(found.modules.items())[:12]))
    print('All runs, s: ' + ', '.join(f'{seconds:.2f}' for seconds in found.whole))
    print(machine())
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(dict(
            options=args.options, machine=machine(), **vars(found)), indent=1) + '\n',
            encoding='utf-8')


if __name__ == '__main__':
    main()
