"""The page about speed and quality: of made-up figures, and of a model."""

import json

import pytest

from mmodise.benchmark.charts import unbeaten
from mmodise.benchmark.speed import full_size, page
from mmodise.benchmark.speed.lines import FOUR, ONE, lines
from mmodise.models.extractors.token_merging import MergedAttention


def results(**values):
    return dict(date='2026-01-01', machine='a machine', results=values)


@pytest.fixture
def docs(tmp_path):
    def pq(base, novel):
        return dict(base=base, novel=novel, all=base)

    def spent(seconds):
        return dict(seconds=seconds, megabytes=9.6)

    def full(seconds, gigabytes=6.0):
        return dict(seconds=seconds, gigabytes=gigabytes)

    records = {
        'quality': results(one=pq(60, 40), int8=pq(58, 41), four=pq(50, 20), caption=pq(70, 60)),
        'times': results(one=spent(0.2), int8=spent(0.1), four=spent(0.8), caption=spent(1.1)),
        'full size, one': results(**{
            'one': full(10.0), 'one again': full(12.0), 'int8': full(5.5, 3.0)})}
    (tmp_path / 'speed').mkdir()
    (tmp_path / 'speed/records.json').write_text(json.dumps(records))
    (tmp_path / 'recipes').mkdir()
    runs = [dict(config='odise_r18_shapes-panoptic', iterations=1000, seed=seed, with_clip={
        group: dict(PQ=30.0 + seed) for group in ('base', 'novel', 'all')}) for seed in (0, 2)]
    (tmp_path / 'recipes/records.jsonl').write_text('\n'.join(map(json.dumps, runs)))
    return tmp_path


def test_the_page(docs):
    page.keep(docs, 'times', dict(
        r18=dict(seconds=0.05, megabytes=1),
        queries=dict(seconds=0.4, megabytes=2)), together=False)
    text = page.write(docs, lines()).read_text()
    assert '| float32 | 200 | 1.00 | 60.0 | 40.0 |  |  | 10 |' in text
    assert '| int8 | 100 | 2.00 | 58.0 | 41.0 | -2.0 | +1.0 | 10 |' in text
    assert '| four windows, one caption | 1100 | 0.73 | 70.0 | 60.0 | +20.0 | +40.0 | 10 |' in text
    assert "| ODISE's head, ResNet-18 | 50 | 4.00 | 31.0 ± 1.4 | 31.0 ± 1.4 |  |  | 1 |" in text
    assert '| half of the masks | 400 | 0.50 | - | - |  |  | 2 |' in text, 'time, and no PQ yet'
    assert '| int8 | 5.5 | 2.00 | 3.0 |' in text and '| float32 again | 12.0 | 0.92 |' in text
    answer = ' '.join(text.split('## Which model')[1].split())
    assert 'best in base classes is **float32** (200 ms; base 60.0, novel 40.0)' in answer
    assert 'in novel classes **int8** (100 ms' in answer
    assert 'ODISE, trained anew; FC-CLIP, ConvNeXt; FC-CLIP, ResNet' in answer, 'without records'
    assert 'nothing is fast enough: the fastest is *int8, 512 x 512*, 5.5 s' in answer
    assert (docs / 'images/speed.png').stat().st_size > 10_000


def test_points_that_none_beats():
    points = dict(a=(3.0, 50.0), b=(1.0, 40.0), c=(2.0, 39.0), d=(1.0, 30.0), e=(4.0, 50.0))
    assert unbeaten(points) == ['b', 'a']


def test_parts_that_are_measured_again(tmp_path):
    page.keep(tmp_path, 'quality', dict(one=1, int8=2), together=False, four='a.pth')
    page.keep(tmp_path, 'quality', dict(int8=3), together=False)
    page.keep(tmp_path, 'times', dict(one=1), together=True)
    page.keep(tmp_path, 'times', dict(int8=1), together=True)
    records = page.read_records(tmp_path)
    assert records['quality']['results'] == dict(one=1, int8=3)
    assert records['quality']['four'] == 'a.pth'
    assert records['times']['results'] == dict(int8=1)


def test_switches_at_full_size(small_models):
    """Each is what its config would make, and the next one is without it."""
    from mmengine.config import Config

    from mmodise.models import DiffusionBackbone
    from mmodise.utils.paths import configs_folder
    config = Config.fromfile(configs_folder() / '_base_/models/odise_small.py').model.backbone

    class Model:
        backbone = DiffusionBackbone(**{k: v for k, v in config.items() if k != 'type'})
        panoptic_head = backbone  # any part that has attributes

    def merged():
        return sum(isinstance(getattr(part, 'processor', None), MergedAttention)
                   for part in Model.backbone.extractor.frozen.unet.modules())

    counts = {}
    for name, line in lines().items():
        if line.full is None or line.full_config:
            continue
        full_size.switch(Model, line.full)
        counts[name] = merged()
        assert Model.backbone.caption_whole_images == (name in ('caption', 'four-together'))
        assert Model.backbone.window_size == (1024 if name in ('one-pass', 'shrunk') else 512)
        assert Model.backbone.extractor.image_size == (1024 if name == 'one-pass' else 512)
        assert (Model.panoptic_head.max_queries is None) == (
            name not in ('queries', 'queries-few', 'together'))
    assert counts['merge'] == counts['together'] > 0, 'in both halves of the largest level'
    assert counts['merge-more'] > 3 * counts['merge'], 'two levels are whole'
    assert not any(number for name, number in counts.items() if name not in (
        'merge', 'merge-more', 'together'))


def test_the_command(load_tool, demo_dir, monkeypatch, docs, capsys):
    monkeypatch.chdir(demo_dir)
    command = load_tool('compare_speed').main
    command(['--docs', str(docs), '--parts', 'quality', 'times', '--lines', ONE, 'int8', 'r18'])
    found = page.read_records(docs)
    one, int8 = (found['quality']['results'][name] for name in (ONE, 'int8'))
    assert one['all'] > 25 and one != int8
    assert found['quality']['results'][FOUR]['base'] == 50, 'as before'
    assert list(found['times']['results']) == [ONE, 'int8', 'r18']
    assert all(one['seconds'] > 0 for one in found['times']['results'].values())
    with pytest.raises(SystemExit, match='--lines int4: expected some of one'):
        command(['--docs', str(docs), '--lines', 'int4'])
