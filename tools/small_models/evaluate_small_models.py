"""Measure what the small CLIP and the small Stable Diffusion know, and write their card.

python tools/small_models/evaluate_small_models.py

Reads WEIGHTS/clip and WEIGHTS/stable_diffusion, and writes WEIGHTS/README.md and
WEIGHTS/samples.jpg, from pictures that were not used in the training.
"""

import argparse
import json
from pathlib import Path


def main(argv: list[str] | None = None) -> None:
    """Measure, and write the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', type=Path, default=Path('mmodise/weights/shapes'))
    parser.add_argument('--count', type=int, default=400, help='pictures to measure on')
    args = parser.parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.benchmark.small_model_card import measure, write_card
    figures = measure(args.weights, args.count)
    write_card(figures, args.weights / 'README.md')
    print(json.dumps(figures, indent=2))


if __name__ == '__main__':
    main()
