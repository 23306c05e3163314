"""Measure what the small CLIP and the small Stable Diffusion know, and write their card.

python tools/small_models/evaluate_small_models.py

Reads WEIGHTS/clip and WEIGHTS/stable_diffusion, and writes WEIGHTS/README.md and
WEIGHTS/samples.jpg, from pictures that were not used in the training.

python tools/small_models/evaluate_small_models.py --tower data/small_models/clip_convnext

Measures a CLIP of a ConvNeXt or ResNet instead: how well it names portraits, and true masks in
pictures that are enlarged so many times.
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
    parser.add_argument('--tower', type=Path, metavar='FOLDER',
                        help='a CLIP that is measured instead')
    args = parser.parse_args(argv)
    # After the options, so that --help answers quickly.
    if args.tower:
        from mmodise.benchmark.small_model_quality import tower_accuracies
        figures = tower_accuracies(args.tower, args.count)
    else:
        from mmodise.benchmark.small_model_card import measure, write_card
        figures = measure(args.weights, args.count)
        write_card(figures, args.weights / 'README.md')
    print(json.dumps(figures, indent=2))


if __name__ == '__main__':
    main()
