"""Compare the models with the official release, stage by stage, on a set of golden data.

python tests/parity/verify_parity.py GOLDEN_DIR

Builds the models that GOLDEN_DIR/meta.json describes from the recipes in configs/odise or
configs/fcclip, loads weights in the original formats (CompVis Stable Diffusion, open_clip, official
checkpoints of ODISE or FC-CLIP), runs the inputs, set up for speed as commands are, and prints the
largest error of every stage. Windows, layers and gradients of a kind share a line, which shows the
worst of them; --all shows each, --markdown writes a table in which inputs share a line, too. The
exit code is 1 if any stage fails, or if an array of the set is neither compared nor left out by
name.
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import trange

import mmodise  # noqa: F401  completes the installation, where needed, for the libraries below

# isort: split
from fcclip_model import fcclip_model
from fcclip_stages import fcclip_constants, fcclip_stages, fcclip_training_stages
from golden_layouts import read_golden_set
from golden_sets import Case, GoldenSet, TrainingStep
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from parity_checks import LEFT_OUT, compare_case, compare_step, left_out
from parity_results import matched_instances
from parity_rows import Row, Span, best, compare, may_jump, missing, spans_of
from parity_stages import ClassOrder, inference_stages
from parity_table import table, worst
from parity_training import training_stages
from torch import Tensor

from mmodise.checkpoints.fit import load_fitting
from mmodise.checkpoints.official import from_official, official_names, read_official
from mmodise.checkpoints.stable_diffusion.loading import load_text_encoder
from mmodise.engine import tune_process
from mmodise.models import ODISE
from mmodise.models.extractors.noise import scaled_linear_schedule

CONFIGS = Path(__file__).parents[2] / 'configs/odise'
#: Runs with moved weights, and how much each of them is moved: about as far as the rounding errors
#: of two implementations lie apart, so that what jumps jumps to both sides.
MOST_RUNS, MOVED = 24, 5e-6
RECIPES = dict(
    label='odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py',
    caption='odise-caption_sd-v1_32xb2-lsj-50e_coco-panoptic.py')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('golden_dir', type=Path, help='folder with a meta.json')
    parser.add_argument('--all', action='store_true', help='a line for each array')
    parser.add_argument('--markdown', type=Path, metavar='FILE', help='write the table there, too')
    return parser.parse_args(argv)


def build(golden: GoldenSet, kind: str) -> ODISE:
    """Build a model of a set from its recipe, and load its weights."""
    model = fcclip_model(golden) if kind == 'fcclip' else without_checkpoint(golden, kind)
    converted = from_official(read_official(golden.write(kind)))
    load_fitting(model, converted.checkpoint).check_complete(f'the {kind} checkpoint')
    return model


def without_checkpoint(golden: GoldenSet, kind: str) -> ODISE:
    """Build a model of a set from its recipe; frozen weights are loaded, those of ODISE are not."""
    config = Config.fromfile(CONFIGS / RECIPES[kind])
    order = ClassOrder(*golden.training_classes)
    options = {
        'backbone.extractor.pretrained': str(golden.write('sd')),
        'panoptic_head.vocabulary': order.metainfo,
        **golden.models[kind]}
    clip = dict(pretrained=str(golden.write('clip')))
    if isinstance(golden.meta['arch'], dict):  # else a text: full size
        clip = dict(model=clip['pretrained'], pretrained=None)
        clip['architecture'] = golden.meta['arch']['clip']
        options.update(_sizes(golden.meta['arch']))
    for part in ('backbone.captioner', 'panoptic_head', 'classifier'):
        options.update({f'{part}.clip.{name}': value for name, value in clip.items()})
    config.merge_from_dict({f'model.{name}': value for name, value in options.items()})
    model = MODELS.build(config.model)
    if isinstance(golden.meta['arch'], dict):  # windows are resized to their own largest size
        model.backbone.extractor.image_size = golden.meta['arch']['backbone']['backbone_in_size'][0]
    return model


def _sizes(arch: dict) -> dict:
    """Settings of a recipe for the sizes in a set's ``meta.json``."""
    head, backbone = arch['head'], arch['backbone']
    width = head['conv_dim']
    decoder = 'panoptic_head.transformer_decoder'
    encoder = 'panoptic_head.pixel_decoder.encoder'
    options = {
        'backbone.extractor.architecture': architecture(arch),
        'backbone.out_channels': backbone['projection_dim'],
        'backbone.window_size': backbone['backbone_in_size'][0],
        'panoptic_head.in_channels': [backbone['projection_dim']] * 4,
        'panoptic_head.feat_channels': width,
        'panoptic_head.out_channels': head['mask_dim'],
        'panoptic_head.num_queries': head['num_queries'],
        'panoptic_head.positional_encoding.num_feats': width // 2,
        'panoptic_head.pixel_decoder.positional_encoding.num_feats': width // 2,
        f'{encoder}.num_layers': head['enc_layers'],
        f'{encoder}.layer_cfg.ffn_cfg.feedforward_channels': head['enc_ffn'],
        f'{decoder}.num_layers': head['dec_layers'],
        f'{decoder}.layer_cfg.ffn_cfg.feedforward_channels': head['dec_ffn'],
    }
    places = dict(num_points='train_cfg.num_points', topk='test_cfg.max_per_image')
    options.update({place: arch[name] for name, place in places.items() if name in arch})
    attentions = {f'{encoder}.layer_cfg.self_attn_cfg': head['enc_heads'],
                  f'{decoder}.layer_cfg.self_attn_cfg': head['dec_heads'],
                  f'{decoder}.layer_cfg.cross_attn_cfg': head['dec_heads']}
    for name, num_heads in attentions.items():
        options.update({f'{name}.embed_dims': width, f'{name}.num_heads': num_heads})
    for name in (encoder, decoder):
        options[f'{name}.layer_cfg.ffn_cfg.embed_dims'] = width
    return options


def architecture(arch: dict) -> dict | None:
    """What the weights of a Stable Diffusion cannot tell of it, from a set's ``meta.json``."""
    if not isinstance(arch, dict):
        return None
    return dict(
        unet=dict(attention_head_dim=arch['unet']['num_heads'],
                  sample_size=arch['latent_size'][0]),
        text_encoder=dict(num_attention_heads=arch['ldm_text']['num_attention_heads']))


def compared_constants(golden: GoldenSet, model: ODISE) -> dict[str, Callable[[], Tensor]]:
    """What belongs to no image, and computes it: noise, tokens, texts."""
    extractor, clip = model.backbone.extractor, model.panoptic_head.clip
    alphas = scaled_linear_schedule()
    prompt, texts = 'a photo of a {}.', golden.texts

    def ldm_text_embed():
        tokens = torch.from_numpy(golden.constants['hf_tokens'].values).long()
        encoder = load_text_encoder(
            str(golden.write('sd')), architecture=architecture(golden.meta['arch']))
        return encoder(tokens).last_hidden_state

    constants = {
        'uncond_inputs': lambda: extractor.frozen.empty_text,
        'shared_noise': lambda: extractor.frozen.noise,
        'sqrt_alphas_cumprod': lambda: alphas.sqrt(),
        'sqrt_one_minus_alphas_cumprod': lambda: (1 - alphas).sqrt(),
        'tokens.raw': lambda: clip.frozen.tokenizer(texts),
        'tokens.photo': lambda: clip.frozen.tokenizer([prompt.format(text) for text in texts]),
        'open_clip_tokens': lambda: clip.frozen.tokenizer(texts),
        'open_clip_text_embed': lambda: clip.encode_texts(texts)}
    if 'hf_tokens' in golden.constants:
        constants['ldm_text_embed'] = ldm_text_embed
    return constants


@torch.no_grad()
def compare_constants(golden: GoldenSet, model: ODISE) -> list[Row]:
    """Compare what belongs to no image."""
    compared = fcclip_constants if 'fcclip' in golden.models else compared_constants
    ours = compared(golden, model)
    return [
        compare('', 'constants', name, array, Span.of(ours[name]())) if name in ours
        else missing('', 'constants', name)
        for name, array in golden.constants.items() if not left_out('', name)]


def compare_photos(golden: GoldenSet, kind: str) -> Iterator[Row]:
    """Compare what a recipe's test pipeline makes of photos."""
    if not golden.photos:
        return
    pipeline = Config.fromfile(CONFIGS / RECIPES[kind]).test_pipeline
    resize, = (step for step in pipeline if step['type'] == 'Resize')
    for photo in golden.photos:
        transform = TRANSFORMS.build({**resize, 'scale': photo.scale})
        resized = transform(dict(img=photo.image[..., ::-1]))['img'][..., ::-1]
        resized = torch.from_numpy(resized.transpose(2, 0, 1).copy())
        yield compare(kind, photo.name, 'image', photo.resized, Span.of(resized))


@contextmanager
def moved_weights(model: ODISE, seed: int) -> Iterator[None]:
    """Move the trained weights a little, and every other time take other kernels."""
    generator = torch.Generator().manual_seed(seed)
    kept = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for weight in model.parameters():
        weight.data *= 1 + MOVED * torch.randn(weight.shape, generator=generator)
    try:
        with torch.backends.mkldnn.flags(enabled=seed % 2 == 1):
            yield
    finally:
        for name, weight in model.named_parameters():
            weight.data.copy_(kept[name])


def runs(model: ODISE) -> Iterator[None]:
    """A run of the model as it is, then as many with moved weights as are asked for."""
    yield
    for seed in trange(MOST_RUNS, desc='runs with moved weights', leave=False):
        with moved_weights(model, seed):
            yield


def verify_case(model: ODISE, case: Case) -> list[Row]:
    """Label an image and compare all stages."""
    spans = rows = None
    for _ in runs(model):
        label = fcclip_stages if case.model == 'fcclip' else inference_stages
        stages = label(model, case)
        stages.update(matched_instances(case, stages))
        spans = spans_of(stages, spans)
        rows = best(list(compare_case(case, spans, stages)), rows)
        if not any(may_jump(row) for row in rows):
            break
    return rows


def gradients_of(model: ODISE, kind: str) -> dict[str, Tensor]:
    """Gradients of all weights by their official names; zeros where there is none."""
    names = official_names([name for name, _ in model.named_parameters()], kind)
    return {names[name]: torch.zeros_like(weight) if weight.grad is None else weight.grad
            for name, weight in model.named_parameters()}


def verify_step(model: ODISE, step: TrainingStep, order: ClassOrder) -> list[Row]:
    """Do a step of training and compare stages, losses and gradients."""
    spans = losses = gradients = matching = None
    for _ in runs(model):
        train = fcclip_training_stages if step.model == 'fcclip' else training_stages
        stages, values, pairs = train(model, step, order)
        matching = matching or pairs
        found = gradients_of(model, step.model)
        found.update({f'norm of {name}': grad.norm() for name, grad in [*found.items()]})
        spans, losses = spans_of(stages, spans), spans_of(values, losses)
        gradients = spans_of(found, gradients)
        rows = list(compare_step(step, spans, losses, matching, gradients))
        if not any(may_jump(row) for row in rows):
            break
    return rows


def verify(golden: GoldenSet) -> Iterator[Row]:
    """Compare all that a set holds."""
    yield from (Row(*what, ()) for what in golden.unread)
    for i, kind in enumerate(golden.models):
        print(f'{kind} model: loading weights', file=sys.stderr)
        model = build(golden, kind)
        if i == 0:
            yield from compare_constants(golden, model)
        yield from compare_photos(golden, kind)
        for case in golden.cases:
            if case.model == kind:
                print(f'{kind} model: {case.name}', file=sys.stderr)
                yield from verify_case(model, case)
        for step in golden.steps:
            if step.model == kind:
                print(f'{kind} model: a step of training', file=sys.stderr)
                yield from verify_step(model, step, ClassOrder(*golden.training_classes))
        del model
        gc.collect()


def main(argv: list[str] | None = None) -> None:
    """Compare and print."""
    args = parse_args(argv)
    tune_process()
    init_default_scope('mmdet')
    with tempfile.TemporaryDirectory() as work_dir:
        golden = read_golden_set(args.golden_dir, Path(work_dir))
        rows = list(verify(golden))
    lines = table([(row, 1) for row in rows] if args.all else worst(rows))
    failed = [row for row in rows if not row.passed]
    names = {*golden.constants, *(
        full for case in golden.cases for name in case.arrays
        for full in (name, f'{case.model}: {name}'))}
    unused = [f'{pattern}: {reason}' for pattern, reason in LEFT_OUT.items()
              if any(re.fullmatch(pattern, name) for name in names)]
    jumps = sum(row.jumps for row in rows)
    summary = [
        f'{len(rows)} comparisons, {len(failed)} failed.',
        *([f'{jumps} jump: over up to {MOST_RUNS} runs whose trained weights are moved by '
           f'{MOVED:.0e} of themselves they take a range of values, because a ReLU, a mask at its '
           'threshold or a sampled cell switches, and the official value is in that range.']
          if jumps else ()),
        *(f'Left out: {line}' for line in unused)]
    print('\n'.join([*lines, '', *summary]))
    if args.markdown:
        lines = table(worst(rows, by_input=False))
        args.markdown.write_text('\n'.join([*lines, '', *summary]) + '\n', encoding='utf-8')
    sys.exit(bool(failed))


if __name__ == '__main__':
    main()
