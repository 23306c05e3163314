"""Average a checkpoint of a fine-tuning with the checkpoint it started from.

python tools/model_converters/average_weights.py mmodise://shapes/odise.pth TUNED.pth OUT.pth

What fine-tuning on few classes makes a model forget comes back so, at little cost to what it has
learned, see docs/finetuning.md. OUT.pth is for testing and inference, with the config that
TUNED.pth was trained with.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('start', help='the checkpoint that the fine-tuning started from')
    parser.add_argument('tuned', help='the checkpoint that came out')
    parser.add_argument('out', type=Path, help='the new file, OUT.pth')
    parser.add_argument('--share', type=float, default=0.5,
                        help='of what was fine-tuned, 0 to 1 (default: 0.5)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the new file."""
    args = parse_args(argv)
    from mmodise.checkpoints.averaging import write_average
    try:
        count = write_average(args.start, args.tuned, args.out, args.share)
    except (OSError, ValueError) as error:
        raise SystemExit(f'average_weights.py: {error}') from error
    print(f'{args.out}: {count} weights, {args.share:g} of {args.tuned}, {1 - args.share:g} of '
          f'{args.start}')


if __name__ == '__main__':
    main()
