"""Backbones and classifiers of ODISE and FC-CLIP, each with each, on the embedded data set."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ...evaluation import Spread, Weights
from ..charts import unbeaten
from ..comparison import BASELINE, FIGURES, RECIPE, Claim, Comparison, Records, table
from ..cross_classifiers import NONE, Classifier

_FCCLIP = 'fcclip/fcclip_{}-small_shapes-panoptic.py'
#: The lines of the table: config and what it is.
LINES = {
    BASELINE: (RECIPE[0], 'ODISE: diffusion (recipe)'),
    'r18': ('odise/odise_r18_shapes-panoptic.py', "ODISE's head: ResNet-18, trained"),
    'convnext': (_FCCLIP.format('convnext'), 'FC-CLIP: ConvNeXt CLIP'),
    'resnet': (_FCCLIP.format('resnet'), 'FC-CLIP: ResNet CLIP'),
}
_PROMPT = 'a photo of a {}.'


def _tokens(**kwargs) -> dict:
    clip = dict(type='FrozenCLIP', model='mmodise://shapes/clip')
    return dict(type='CLIPClassifier', clip=clip, prompt=_PROMPT, **kwargs)


def _pooled(tower: str, **kwargs) -> dict:
    clip = dict(type='FrozenCLIP', model=f'data/small_models/clip_{tower}')
    return dict(type='PooledCLIPClassifier', clip=clip, prompt=_PROMPT, **kwargs)


#: What each is tested with.
CLASSIFIERS = {
    'tokens': Classifier('mask tokens', _tokens(), Weights(0.4, 0.6)),
    'covered': Classifier(
        'mask tokens of covered patches', _tokens(align_masks=True, min_coverage=0.75),
        Weights(0.4, 0.8)),
    'convnext': Classifier('pooled ConvNeXt', _pooled('convnext'), Weights(0.4, 0.8)),
    'resnet': Classifier(
        'pooled ResNet', _pooled('resnet', valid_only=True), Weights(0.4, 0.8)),
}
_GROUPS = 'base', 'novel', 'all'
CLAIMS = (
    Claim('Against the recipe', '', ('r18', 'convnext', 'resnet'),
          'Each with its own classifier. Frozen networks of about the same size that have seen the '
          'same pictures, apart from the ResNet-18, which starts from nothing.', reverse=True),
)

INTRODUCTION = """# Recipes on the embedded data set

*Written by `python tools/analysis_tools/compare_claims.py --table recipes`; not by hand.*

ODISE and FC-CLIP take their masks from different backbones, and ask different CLIPs what is in
them. Each line of the first table is one config, trained on the embedded data set from {seeds}
random seeds and evaluated on its validation images; *recipe* is
`configs/odise/odise_sd-small_shapes-panoptic.py`, the lines of FC-CLIP are in
[configs/fcclip](../configs/fcclip). Classifiers take no part in the training: the second table
tests each of these models with each of them. *Base* classes are annotated in the training, *novel*
ones never.

""" + FIGURES.replace(' without `CLIPClassifier`', ' without its classifier')


def cross_section(records: Records, docs: Path) -> str:
    """Each backbone with each classifier, and the costs of an image."""
    results, costs, tested = [], [], []
    for line, runs in records.items():
        title = LINES[line][1]
        tests = [run['classifiers'] for run in runs.values() if 'classifiers' in run]
        if not tests:
            continue
        alone = [run['without_clip'] for run in runs.values()]
        results.append([title, 'none', *_quality(alone), '-', *['-'] * 3])
        costs.append([title, 'none', *_cost([test[NONE] for test in tests])])
        for name, classifier in CLASSIFIERS.items():
            ours = [test[name] for test in tests]
            quality = _quality([one['result'] for one in ours])
            results.append([title, classifier.title, *quality, *_best(ours)])
            costs.append([title, classifier.title, *_cost(ours)])
            tested.append(_Tested(
                f'{title}, with {classifier.title}', dict(zip(_GROUPS, quality, strict=True)),
                _least(ours, 'seconds')))
    best = [f'{group}, best' for group in _GROUPS]
    return f"""## Backbones and classifiers

*None* is the head alone, with in-vocabulary scores. *Mask tokens* are ODISE's `CLIPClassifier`,
over the CLIP that comes with mmodise; of *covered patches* with `min_coverage` 0.75. *Pooled* are
FC-CLIP's `PooledCLIPClassifier`, over the two small CLIPs of `train_small_models.py`, which see
pictures of 256 pixels. Shares of the classifier: alpha 0.4 and beta 0.8, the recipe's own 0.4 and
0.6 for its mask tokens. *Best* is over a grid of shares, those with the largest PQ of all classes
in the mean over seeds; chosen on the images it is measured on, it is an upper bound.

{table(['backbone', 'classifier', *_GROUPS, 'best alpha, beta', *best], results)}

What an image takes in testing, alone in its batch: seconds (median, of the fastest seed), GFLOPs of
convolutions, matrix products and attention, the most memory held beside the weights, and all
parameters, frozen ones too, in millions.

{table(['backbone', 'classifier', 's / image', 'GFLOPs', 'MB', 'parameters, M'], costs)}

## What is best

{_answer(tested)}"""


class _Tested(NamedTuple):
    """A backbone with a classifier: its PQ by group, and seconds an image."""

    title: str
    quality: dict[str, Spread]
    seconds: float


def _answer(tested: list[_Tested]) -> str:
    lines = []
    for group in _GROUPS:
        best = max(tested, key=lambda one: one.quality[group].mean)
        lines.append(f'- For {group} classes: {best.title}, {best.quality[group]}.')
    named = {one.title: one for one in tested}
    points = {title: (one.seconds, one.quality['all'].mean) for title, one in named.items()}
    front = [f'{title}, {named[title].quality["all"]} in {named[title].seconds:.3f} s'
             for title in reversed(unbeaten(points))]
    lines.append('- Per second, those than which none is faster and better in all classes: '
                 + '; '.join(front) + '.')
    return '\n'.join(lines)


def _quality(results: list[dict]) -> list[Spread]:
    return [Spread.of(one[group]['PQ'] for one in results) for group in _GROUPS]


def _best(tests: list[dict]) -> list[object]:
    """Shares with the largest PQ of all classes, and what they give."""
    points = [*zip(*(test['grid'] for test in tests), strict=True)]  # a tuple of seeds per pair
    if not points:
        return ['-'] * 4
    best = max(points, key=lambda seeds: Spread.of(one['all'] for one in seeds).mean)
    return [f'{best[0]["alpha"]:.1f}, {best[0]["beta"]:.1f}',
            *(Spread.of(one[group] for one in best) for group in _GROUPS)]


def _cost(tests: list[dict]) -> list[str]:
    return [f'{_least(tests, "seconds"):.3f}', f'{_least(tests, "gflops"):.1f}',
            f'{_least(tests, "megabytes"):.0f}', f'{_least(tests, "parameters") / 1e6:.2f}']


def _least(tests: list[dict], key: str) -> float:
    return min(test['cost'][key] for test in tests)


COMPARISON = Comparison(
    'recipes', LINES, CLAIMS, INTRODUCTION, a_claim='A gain', extra=cross_section,
    classifiers=CLASSIFIERS)
