"""Teach the small CLIP and the small Stable Diffusion the shapes world, from captioned pictures.

python tools/small_models/train_small_models.py clip
python tools/small_models/train_small_models.py vae
python tools/small_models/train_small_models.py unet
python tools/small_models/train_small_models.py captioner --out-dir data/small_models

The three trainings behind the weights that come with mmodise (their card, README.md beside them,
says what was done for these), in this order: the UNet reads CLIP's text tower and the VAE's
latents; the first two can run side by side. Each draws its pictures first,
writes logs, checkpoints and training_curve.png into WORK_DIR/PART, goes on from its last
checkpoint when it was interrupted, and at the end writes its part of OUT_DIR, half precision.

The captioner, which does not come with mmodise, is for the comparison of captioners; it sees as the
small CLIP that does.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('part', choices=['clip', 'vae', 'unet', 'captioner'])
    parser.add_argument('--out-dir', type=Path, default=Path('mmodise/weights/shapes'),
                        help='gets clip/ and stable_diffusion/ (default: mmodise/weights/shapes)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/small_models'))
    parser.add_argument('--num-pictures', type=int, default=20_000)
    parser.add_argument('--max-iters', type=int, help='iterations of training')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train one part, and write it."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    if args.part == 'captioner':
        from mmodise.benchmark.small_captioner_training import train_captioner
        train_captioner(args.out_dir, args.work_dir, args.num_pictures, args.max_iters)
        return
    from mmodise.benchmark.small_model_training import train_part
    train_part(args.part, args.out_dir, args.work_dir, args.num_pictures, args.max_iters)


if __name__ == '__main__':
    main()
