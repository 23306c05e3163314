"""Saved predictions with known mistakes give the test's own figures, and those of each picture."""

import csv
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from PIL import Image

from mmodise.apis.panoptic_result import PanopticResult
from mmodise.benchmark.analysis.evaluated_sets import EvaluatedSet, evaluated_sets, find_predictions
from mmodise.benchmark.analysis.replay import Replay, ranked
from mmodise.benchmark.analysis.report import analyze
from mmodise.benchmark.analysis.worst_pictures import draw_row
from mmodise.evaluation import NOTHING, PredictionDump
from mmodise.vocabulary import Vocabulary

NAMES = ('ball', 'box', 'grass', 'sky')
PQ, MIOU = 'OpenVocabularyPanopticMetric', 'OpenVocabularySemanticMetric'


@pytest.fixture
def samples(small_set):
    """Perfect results, but for the first image: a ball is called box, and sky is not found."""
    small_set.save()
    samples = small_set.perfect()
    first = samples[0]['pred_panoptic_seg']['sem_seg'][0]
    first[0:8, 7:15] = 1 + 9000
    first[8:12] = 4
    samples[0]['pred_sem_seg']['sem_seg'][0, 0:8, 7:15] = 1
    return samples


@pytest.fixture
def dumped(samples, small_set, tmp_path):
    def dump(samples=samples, **meta):
        metric = PredictionDump(tmp_path / 'predictions')
        metric.dataset_meta = dict(small_set.metainfo, **meta)
        for sample in samples:
            metric.process({}, [sample])
            assert not (tmp_path / 'predictions/panoptic.json').exists()
        assert metric.evaluate(len(samples)) == {}
        return tmp_path / 'predictions'
    return dump


@pytest.fixture
def tested(small_set):
    def make(*kinds):
        files = dict(ann_file=str(small_set.ann_file), seg_prefix=str(small_set.root / 'maps'))
        keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'text', 'stuff_text')
        return EvaluatedSet('small', dict(
            batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='CheckedPanopticDataset', data_root=str(small_set.root), test_mode=True,
                metainfo=small_set.metainfo, ann_file='panoptic.json', return_classes=True,
                data_prefix=dict(img='images/', seg='maps/'),
                pipeline=[dict(type='LoadImageFromFile'),
                          dict(type='PackDetInputs', meta_keys=keys)])),
            [dict(type=kind, **files) for kind in kinds or (PQ, MIOU)])
    return make


def test_figures_are_those_of_the_test(dumped, tested, samples, small_set):
    replay = Replay(tested(), dumped(novel_classes=('box', )))
    figures = replay.run()
    assert figures['coco_panoptic/PQ'] == small_set.evaluate(PQ, samples) < 100
    assert figures['semantic/mIoU'] == small_set.evaluate(MIOU, samples) < 100
    assert {'coco_panoptic/novel_PQ', 'semantic/novel_mIoU'} <= set(figures)
    key, pictures = ranked(replay.pictures)
    # 2 of 5 are right, 1 is wrong, 2 are missed; all else is perfect
    assert key == 'PQ' and pictures[0].path.endswith('1.jpg')
    assert pictures[0].figures['PQ'] == pytest.approx(100 * 2 / (2 + 0.5 * 1 + 0.5 * 2))
    assert [pictures[0].figures[name] for name in ('right', 'wrong', 'missed')] == [2, 1, 2]
    # ball 48 of 48 + 64 pixels; the semantic map has the sky
    assert pictures[0].figures['mIoU'] == pytest.approx(100 * (48 / 112 + 1 + 1) / 3)
    assert [picture.figures['PQ'] for picture in pictures[1:]] == [100, 100]
    pairs = {pair[:2]: pair[2:] for pair in replay.confusion.pairs()}
    assert pairs == {
        ('ball', 'box'): (64, pytest.approx(100 * 64 / (48 + 64 + 80)), 1),
        ('sky', NOTHING): (56, pytest.approx(100 * 56 / (56 + 64 + 48)), 1)}


def test_everything_is_written(dumped, tested, tmp_path):
    folder = dumped()
    told = analyze(tested(), folder, tmp_path / 'out', num_worst=2)
    assert 'PQ 57.1' in told and 'ball is taken for box: 33 %' in told
    written = {path.relative_to(tmp_path / 'out').as_posix()
               for path in (tmp_path / 'out').rglob('*') if path.is_file()}
    assert written == {
        'classes.csv', 'classes_PQ.png', 'classes_IoU.png', 'pictures.csv', 'confusion.csv',
        'confusion.png', 'confused_pixels.png', 'confused_segments.png',
        'worst/01_1.png', 'worst/02_2.png', 'worst/page.png'}
    with (tmp_path / 'out/pictures.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['PQ'] for row in rows] == ['57.1429', '100.0000', '100.0000']
    with (tmp_path / 'out/confusion.csv').open() as file:
        assert next(csv.reader(list(file)[1:])) == ['ball', 'box', '64', '33.3333', '1']
    analyze(tested(), folder, tmp_path / 'out', num_worst=1)
    assert sorted(path.name for path in (tmp_path / 'out/worst').iterdir()) == [
        '01_1.png', 'page.png'], 'those of an earlier analysis are gone'


def test_truth_and_prediction_are_side_by_side(dumped, tested):
    for kinds in ((PQ, ), (MIOU, )):
        replay = Replay(tested(*kinds), dumped())
        replay.run()
        key, pictures = ranked(replay.pictures)
        assert key == {PQ: 'PQ', MIOU: 'mIoU'}[kinds[0]]
        for picture in pictures:
            row = draw_row(replay, picture, key)
            width = (row.shape[1] - 4 * 12) // 3
            panels = [row[:-60, 12 + i * (width + 12):][:, :width] for i in range(3)]
            middle = slice(80, 400)  # without the titles
            if key == 'PQ':  # what is predicted where the truth is void does not count
                is_equal = np.array_equal(panels[1][middle], panels[2][middle])
                assert is_equal == (picture.figures[key] == 100)
            assert not np.array_equal(panels[0][middle], panels[1][middle])


def test_results_of_predict(samples, tested, tmp_path, small_set):
    """Another order, other names of the classes, and a class that the data set does not have."""
    vocabulary = Vocabulary.from_lists(['cube', 'ball', 'dog'], ['lawn', 'sky'])
    save_results(samples, tmp_path / 'out', lambda _: vocabulary, [1, 0, 3, 4])
    replay = Replay(tested(PQ), tmp_path / 'out')
    assert replay.run()['coco_panoptic/PQ'] == small_set.evaluate(PQ, samples)
    (tmp_path / 'out/2_panoptic.json').unlink()
    with pytest.raises(FileNotFoundError, match='lacks predictions of 1 of 3 pictures, such as'):
        Replay(tested(PQ), tmp_path / 'out')
    replay = Replay(tested(PQ), tmp_path / 'out', skip_missing=True)
    replay.run()
    assert [picture.place for picture in replay.pictures] == [0, 2]


def save_results(samples, folder, vocabulary_of, labels):
    """Save results as predict does; labels are places of the data set's classes in vocabularies."""
    for sample in samples:
        vocabulary = vocabulary_of(sample)
        ids = sample['pred_panoptic_seg']['sem_seg'].numpy()
        places = labels if isinstance(labels, list) else labels(vocabulary)
        table = np.array([*places, len(vocabulary)])
        result = PanopticResult.from_panoptic_seg(PixelData(sem_seg=torch.from_numpy(
            table[ids % 1000] + ids // 1000 * 1000)), vocabulary)
        folder.mkdir(exist_ok=True)
        name = sample['img_path'].rsplit('/', 1)[1]
        object.__setattr__(result, 'path', sample['img_path'])
        result.save(folder / name.replace('.jpg', '_panoptic.json'), 'coco-panoptic')


def test_oracle_vocabularies_stay_known(dumped, tested, small_set, tmp_path):
    """Those of saved results of a test, and of predict."""
    small_set.save()
    present = {1: ('ball', 'grass', 'sky'), 2: ('box', 'sky'), 3: NAMES}

    def vocabulary_of(sample):
        names = present[sample['img_id']]
        return Vocabulary.from_lists(*([name for name in names if (name in NAMES[:2]) == is_thing]
                                       for is_thing in (True, False)))

    def labels(vocabulary):
        names = vocabulary.class_names
        return [names.index(name) if name in names else len(names) for name in NAMES]

    perfect = small_set.perfect()
    save_results(perfect, tmp_path / 'out', vocabulary_of, labels)
    figures = Replay(tested(PQ), tmp_path / 'out').run()
    assert figures['coco_panoptic/oracle_PQ'] == 100
    for sample in perfect:
        vocabulary = vocabulary_of(sample)
        table = torch.tensor([*labels(vocabulary), len(vocabulary)])
        ids = sample['pred_panoptic_seg']['sem_seg']
        sample.update(
            vocabulary=vocabulary,
            pred_sem_seg=dict(sem_seg=table[sample['pred_sem_seg']['sem_seg']]),
            pred_panoptic_seg=dict(sem_seg=table[ids % 1000] + ids // 1000 * 1000))
    replay = Replay(tested(), dumped(perfect))
    assert replay.run()['coco_panoptic/oracle_PQ'] == 100
    assert replay.called('PQ') == 'oracle PQ'


def test_what_does_not_go_together_is_named(dumped, tested, tmp_path, samples):
    folder = dumped()
    content = json.loads((folder / 'panoptic.json').read_text())
    content['categories'][0]['name'] = 'Ball'
    (folder / 'panoptic.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"of another vocabulary .* 'ball' is 'Ball'"):
        Replay(tested(), folder)
    dumped()
    Image.new('RGB', (5, 5)).save(folder / 'panoptic/2.png')
    with pytest.raises(ValueError, match=r'2\.png'):
        Replay(tested(), folder).run()
    with pytest.raises(ValueError, match='none of its metrics'):
        Replay(tested('OpenVocabularyInstanceMetric'), dumped())
    with pytest.raises(FileNotFoundError, match='has no predictions of small'):
        find_predictions([tested()], tmp_path / 'nothing')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'neither panoptic\.json'):
        Replay(tested(), find_predictions([tested()], tmp_path / 'empty')['small'])


def test_sets_of_a_config(small_set, tested, dumped, tmp_path):
    one = dict(dataset=dict(type='A'), metrics=[dict(type='B')])
    cfg = Config(dict(test_dataloader=dict(num_workers=3, dataset=dict(type='C')),
                      test_evaluator=dict(type='D'), test_cfg=dict(data_sets=dict(x=one, y=one))))
    assert [each.name for each in evaluated_sets(cfg)] == ['x', 'y']
    chosen, = evaluated_sets(cfg, 'y')
    assert chosen.loader['num_workers'] == 3 and chosen.loader['dataset'] == dict(type='A')
    with pytest.raises(ValueError, match="does not test on 'z', but on x, y"):
        evaluated_sets(cfg, 'z')
    cfg.test_cfg = dict()
    single, = evaluated_sets(cfg)
    assert single.metrics == [dict(type='D')] and single.loader['dataset'] == dict(type='C')
    folder = dumped()
    for place in (folder, tmp_path):
        assert find_predictions([single], place) == {single.name: folder}
