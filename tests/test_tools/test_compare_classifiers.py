"""The table of mask classifiers: of made-up figures, and of the model that comes with mmodise."""

import pytest
import torch

from mmodise.benchmark import classifier_comparison, classifier_page
from mmodise.benchmark.classifier_comparison import ACCURACY
from mmodise.benchmark.classifier_lines import LINES
from mmodise.evaluation import Figures, Weights

METAINFO = dict(
    classes=('ball', 'star', 'sand', 'snow'), thing_classes=('ball', 'star'),
    stuff_classes=('sand', 'snow'), novel_classes=('star', 'snow'))
FACTS = dict(checkpoint='odise.pth', alpha=0.4, beta=0.6, blocks=4, machine='a machine', pictures=3)


def figures(ball, star, sand, snow, more=0.0):
    """PQ of classes; AP of things is half, IoU more by 1; nothing is annotated of the snow."""
    per_class = {name: dict(PQ=pq + more, AP=pq / 2, IoU=pq + 1, **{ACCURACY: 100 - pq})
                 for name, pq in zip(METAINFO['classes'], (ball, star, sand, snow), strict=True)}
    for name in ('sand', 'snow'):
        del per_class[name]['AP']
    del per_class['snow']['IoU']
    return Figures({}, per_class)


def test_the_page():
    lines = {name: LINES[name] for name in ('head', 'plain', 'plain-coat')}
    plain = figures(80, 40, 60, 20)
    swept = {'plain': {
        Weights(0.2, 0.4): figures(66, 50, 66, 30), Weights(0.4, 0.8): figures(60, 70, 60, 70),
        Weights(0.6, 0.8, 0.5): figures(70, 40, 62, 20)}}
    page = classifier_page.make_page(
        lines, dict.fromkeys(('head', 'plain'), plain) | {
            'plain-coat': figures(80, 40, 60, 20, more=2)},
        dict(head=1.0, plain=2.25, **{'plain-coat': 2.25}), swept, METAINFO, **FACTS)
    everything, base, novel, trust, weights = page.split('\n## ')[1:]
    # PQ, of things, of stuff, AP, mIoU, true masks, GFLOPs
    assert '| head alone | 50.0 | 60.0 | 40.0 | 30.0 | 61.0 | 50.0 |  |' in everything
    assert '| 50.0 | 60.0 | 40.0 | 30.0 | 61.0 | 50.0 | 2.25 |' in everything
    assert '| head alone | 70.0 | 80.0 | 60.0 | 40.0 | 71.0 | 30.0 |' in base
    assert '| head alone | 30.0 | 40.0 | 20.0 | 20.0 | 41.0 | 70.0 |' in novel
    assert '| +2.0 | +2.0 | +2.0 | +0.0 | +0.0 | +2.0 | +2.0 | +2.0 | +0.0 | +0.0 |' in trust
    # novel PQ is 70 elsewhere, but base PQ is 60 there
    assert '| 0.2 | 0.4 | 0.0 | 66.0 | 40.0 | 53.0 |' in weights


@pytest.fixture
def compare(load_tool, demo_dir, monkeypatch, tmp_path):
    """Give a function that runs the command on the demo's pictures, and returns the page."""
    monkeypatch.chdir(demo_dir)

    def compare(*options):
        load_tool('compare_classifiers').main(['--docs', str(tmp_path), *options])
        return (tmp_path / 'classifiers.md').read_text()

    return compare


def test_the_model_that_comes_with_mmodise(compare, tmp_path, monkeypatch):
    """Lines of equal settings share a classifier; a tuned one is read from its checkpoint."""
    trained = classifier_comparison.MODELS.build(
        classifier_comparison.load_config(classifier_comparison.TUNED_CONFIG).model.classifier)
    with torch.no_grad():
        trained.similarity.weight.zero_()  # all names alike
    weights = {f'classifier.{name}': value for name, value in trained.state_dict().items()}
    torch.save(dict(state_dict={**weights, 'other': torch.ones(1)}), tmp_path / 'tuned.pth')
    built = []
    build = classifier_comparison.build_classifiers
    monkeypatch.setattr(classifier_page, 'build_classifiers',
                        lambda *args: built.append(build(*args)) or built[-1])
    monkeypatch.setattr(classifier_page, 'SWEPT', ())
    page = compare('--lines', 'head', 'plain-coat', 'soft-last-3', 'tuned-coat',
                   '--tuned', str(tmp_path / 'tuned.pth'))
    head, plain, soft, tuned = built[0].values()
    assert head is plain and soft.last_blocks == 3
    assert not tuned.similarity.weight.any()
    rows = {kind: [line.split(' | ') for line in page.splitlines() if line.startswith(f'| {kind}')]
            for kind in ('head', '`soft_masks`')}
    assert [len(of_kind) for of_kind in rows.values()] == [3, 3]
    assert rows['head'][0][6] == '' and float(rows['`soft_masks`'][0][6]) > 25, 'true masks'
    assert float(rows['`soft_masks`'][1][1]) > 25, 'PQ of base classes'


def test_an_unknown_line(compare):
    with pytest.raises(SystemExit, match='--lines sofft: expected some of head, plain'):
        compare('--lines', 'sofft')
