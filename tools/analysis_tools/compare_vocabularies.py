"""Evaluate one checkpoint under several vocabularies, and draw what it finds under each.

python tools/analysis_tools/compare_vocabularies.py

The same classes in words that were in no training, more classes than there are in the world, a
vocabulary for each image. Reads the embedded data set (make_shapes), writes a table and
OUT_DIR/vocabularies.png.
"""

import argparse
from pathlib import Path


def main(argv: list[str] | None = None) -> None:
    """Evaluate under all vocabularies, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', help='default: the recipe for the embedded data set')
    parser.add_argument('--checkpoint', help='default: mmodise://shapes/odise.pth')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/vocabularies'),
                        help='folder to write into (default: work_dirs/vocabularies)')
    parser.add_argument('--image', type=int, default=24, help='number of the image that is drawn')
    args = parser.parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.benchmark import vocabularies as compared
    runner = compared.load(args.config or compared.CONFIG, args.checkpoint or compared.CHECKPOINT)
    training = runner.model.panoptic_head.vocabulary
    results = {name: compared.evaluate(runner, vocabulary_of, name)
               for name, vocabulary_of in compared.variants(training).items()}
    compared.draw_picture(runner, args.image, args.out_dir / 'vocabularies.png')
    print(compared.format_table(results))
    print(f'Picture: {args.out_dir / "vocabularies.png"}')


if __name__ == '__main__':
    main()
