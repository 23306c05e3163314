"""Teach small frozen models the shapes world, from captioned pictures.

python tools/small_models/train_small_models.py clip
python tools/small_models/train_small_models.py vae
python tools/small_models/train_small_models.py unet
python tools/small_models/train_small_models.py unet-xl
python tools/small_models/train_small_models.py transformer
python tools/small_models/train_small_models.py vq
python tools/small_models/train_small_models.py tokens
python tools/small_models/train_small_models.py captioner
python tools/small_models/train_small_models.py clip-convnext
python tools/small_models/train_small_models.py clip-resnet

The first three are the trainings behind the weights that come with mmodise (their card, README.md
beside them, says what was done for these), in this order: the UNet reads CLIP's text tower and the
VAE's latents; the first two can run side by side. The others make generators of other families over
that CLIP: 'unet-xl' a Stable Diffusion XL; 'transformer' a Stable Diffusion 3; 'vq', then 'tokens'
an aMUSEd. 'captioner' makes a captioner, which sees as that CLIP does. 'clip-convnext' and
'clip-resnet' make CLIPs with other image towers and that CLIP's text tower, for FC-CLIP.

Each draws its pictures first, writes logs, checkpoints and training_curve.png into WORK_DIR/PART,
goes on from its last checkpoint when it was interrupted, and at the end writes its part of OUT_DIR,
half precision.
"""

import argparse
from pathlib import Path

_SHIPPED_PARTS = ('clip', 'vae', 'unet')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('part', choices=[
        *_SHIPPED_PARTS, 'unet-xl', 'transformer', 'vq', 'tokens', 'captioner',
        'clip-convnext', 'clip-resnet'])
    parser.add_argument('--out-dir', type=Path,
                        help='gets clip/ and stable_diffusion/ (default: mmodise/weights/shapes), '
                        'stable_diffusion_xl/, stable_diffusion_3/, amused/, captioner/, '
                        'clip_convnext/ or clip_resnet/ (default: data/small_models)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/small_models'))
    parser.add_argument('--num-pictures', type=int, default=20_000)
    parser.add_argument('--max-iters', type=int, help='iterations of training')
    args = parser.parse_args(argv)
    if args.out_dir is None:
        shipped = args.part in _SHIPPED_PARTS
        args.out_dir = Path('mmodise/weights/shapes' if shipped else 'data/small_models')
    return args


def main(argv: list[str] | None = None) -> None:
    """Train one part, and write it."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    from mmodise.benchmark.small_model_training import train_part
    train_part(args.part, args.out_dir, args.work_dir, args.num_pictures, args.max_iters)


if __name__ == '__main__':
    main()
