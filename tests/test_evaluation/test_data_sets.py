"""One test on several data sets, which goes on where it was stopped."""

import csv
import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import PixelData
from PIL import Image

from mmodise.vocabulary import Vocabulary

SIZE = (4, 10)
# name: classes; of each picture the column where the second class begins
SETS = {'one': (('cat', 'grass'), (5, 4, 2)), 'two': (('owl', 'ant', 'sky'), (8, 6))}


class Known(BaseModel):
    """Predicts half a picture of each of the first two classes; stops when it is told to."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.asked, self.stop_after = [], stop_after
        self.panoptic_head = torch.nn.Module()
        self.panoptic_head.vocabulary = Vocabulary.from_lists(['cat', 'ant'], ['grass', 'sky'])

    def forward(self, inputs, data_samples=None, mode='predict'):
        for sample in data_samples:
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(sample.img_path.split('/')[-3] + str(sample.img_id))
            labels = torch.zeros(1, *SIZE, dtype=torch.long)
            labels[..., 5:] = 1
            sample.pred_sem_seg = PixelData(sem_seg=labels)
            sample.pred_panoptic_seg = PixelData(
                sem_seg=labels + INSTANCE_OFFSET, metainfo=dict(ignore_index=99))
        return data_samples


@pytest.fixture
def root(tmp_path):
    for name, (classes, columns) in SETS.items():
        folder, images, annotations = tmp_path / name, [], []
        for part in ('images', 'maps'):
            (folder / part).mkdir(parents=True)
        for number, column in enumerate(columns):
            ids = np.ones((*SIZE, 3), np.uint8) * [1, 0, 0]
            ids[:, column:, 0] = 2
            Image.fromarray(ids.astype(np.uint8)).save(folder / f'maps/{number}.png')
            Image.new('RGB', SIZE[::-1]).save(folder / f'images/{number}.jpg')
            images.append(dict(id=number, file_name=f'{number}.jpg', height=4, width=10))
            annotations.append(dict(image_id=number, file_name=f'{number}.png', segments_info=[
                dict(id=i, category_id=i, iscrowd=0) for i in (1, 2)]))
        (folder / 'panoptic.json').write_text(json.dumps(dict(
            images=images, annotations=annotations, categories=[
                dict(id=i, name=c, isthing=int(i == 1)) for i, c in enumerate(classes, 1)])))
    return tmp_path


def data_set(root, name, classes):
    files = dict(ann_file=str(root / name / 'panoptic.json'), seg_prefix=str(root / name / 'maps'))
    return dict(
        dataset=dict(
            type='CheckedPanopticDataset', ann_file=files['ann_file'], test_mode=True,
            metainfo=dict(classes=classes), data_prefix=dict(
                img=str(root / name / 'images'), seg=files['seg_prefix']),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='PackDetInputs', meta_keys=(
                'img_id', 'img_path', 'ori_shape', 'img_shape'))]),
        metrics=[dict(type='OpenVocabularyPanopticMetric', **files),
                 dict(type='OpenVocabularySemanticMetric', **files)])


def test_on(root, model=None, tables=None, **more):
    sets = {name: data_set(root, name, classes) for name, (classes, _) in SETS.items()}
    runner = Runner(
        model or Known(), default_scope='mmdet', work_dir=str(root / 'work'), log_level='ERROR',
        experiment_name='owl_watcher', cfg=Config(dict(model=dict(type='Known'))),
        test_dataloader=dict(batch_size=2, num_workers=0, dataset={}, sampler={}),
        test_evaluator={},
        test_cfg=dict(type='DataSetsTestLoop', data_sets={**sets, **more}, tables=tables))
    return runner.test(), runner.model


test_on.__test__ = False
# cat: 5 of 5, 4 of 5, 2 of 5 columns; grass: 5 of 5, 5 of 6, 5 of 8; and of the sums
ONE = dict(PQ=100 * ((1 + 4/5) / 3 + (1 + 5/6 + 5/8) / 3) / 2, mIoU=100 * (11/15 + 15/19) / 2)
TWO = dict(PQ=100 * ((5/8 + 5/6) / 2 + 4/5 / 2) / 2, mIoU=100 * (10/14 + 6/10) / 2)


@pytest.fixture
def written(root):
    def read(name):
        return (root / 'work/data_sets' / name).read_text()
    return read


def test_each_has_its_classes_and_metrics(root, written):
    figures, model = test_on(root)
    assert model.asked == ['one0', 'one1', 'one2', 'two0', 'two1']
    # an overlap of 2/5 is none: cat misses one and has found a wrong one, each half an error
    assert figures['one/coco_panoptic/PQ'] == pytest.approx(ONE['PQ'])
    assert figures['one/semantic/mIoU'] == pytest.approx(ONE['mIoU'], abs=0.01)
    assert figures['two/semantic/mIoU'] == pytest.approx(TWO['mIoU'], abs=0.01)
    # of two the model has learned ant, and not owl
    assert figures['two/semantic/base_mIoU'] == pytest.approx(60, abs=0.01)
    assert figures['two/semantic/novel_mIoU'] == pytest.approx(1000 / 14, abs=0.01)
    assert 'one/semantic/novel_mIoU' not in figures
    assert f'| owl_watcher | {ONE["PQ"]:.1f} | {ONE["mIoU"]:.1f} |' in written('tables.md')
    rows = list(csv.reader(written('two/classes.csv').splitlines()))
    assert rows[0][:3] == ['class', 'seen in training', 'PQ']
    assert [row[:2] for row in rows[1:]] == [['owl', 'no'], ['ant', 'yes']]
    assert float(rows[1][rows[0].index('IoU')]) == pytest.approx(1000 / 14, abs=1e-3)
    assert ['two', 'semantic/mIoU'] in [
        row[:2] for row in csv.reader(written('figures.csv').splitlines())]
    with Image.open(root / 'work/data_sets/two/classes_IoU.png') as chart:
        assert chart.width > 300


@pytest.mark.parametrize('stop_after', [1, 2, 3, 4])
def test_it_goes_on_with_the_next_picture(root, stop_after):
    expected, _ = test_on(root)
    for path in (root / 'work/data_sets').glob('*/records_0.pkl'):
        path.unlink()
    stopped = Known(stop_after)
    with pytest.raises(KeyboardInterrupt):
        test_on(root, stopped)
    # a batch of two whose second picture stops has given nothing yet
    kept = {1: 0, 2: 2, 3: 3, 4: 3}[stop_after]
    figures, model = test_on(root)
    assert model.asked == ['one0', 'one1', 'one2', 'two0', 'two1'][kept:]
    assert figures == expected
    again, model = test_on(root)
    assert model.asked == []
    assert again == expected


def test_a_record_that_was_cut_short_is_made_anew(root):
    expected, _ = test_on(root)
    path = root / 'work/data_sets/one/records_0.pkl'
    path.write_bytes(path.read_bytes()[:-7])
    figures, model = test_on(root)
    assert model.asked == ['one2']
    assert figures == expected


def test_records_of_other_metrics_are_not_used(root):
    test_on(root)
    other = data_set(root, 'one', SETS['one'][0])
    other['metrics'] = other['metrics'][1:]
    figures, model = test_on(root, one=other)
    assert model.asked == ['one0', 'one1', 'one2']
    assert 'one/coco_panoptic/PQ' not in figures


def test_data_that_are_not_there_are_left_out(root, written):
    tables = {'Table 1': {'one': ['PQ', 'mIoU'], 'three': ['PQ']}, 'Table 2': {'two': ['mIoU']}}
    figures, _ = test_on(root, tables=tables, three=data_set(root, 'three', ('cat', )))
    assert {key.split('/')[0] for key in figures} == {'one', 'two'}
    text = written('tables.md')
    table = f'|  | two mIoU |\n| --- | --- |\n| owl_watcher | {TWO["mIoU"]:.1f} |'
    assert f'**Table 2**\n\n{table}' in text
    assert f'| {ONE["mIoU"]:.1f} | - |' in text
    assert 'three was left out' in text
    (root / 'one/panoptic.json').unlink()
    (root / 'two/panoptic.json').unlink()
    with pytest.raises(ValueError, match='None of the data sets one, two is there'):
        test_on(root)


def test_mistakes_are_told_before_the_first_picture(root):
    model = Known()
    with pytest.raises(ValueError, match=r"asks for the data set 'tow'\. There are"):
        test_on(root, model, tables={'Table 1': {'tow': ['PQ']}})
    with pytest.raises(ValueError, match=r"asks for \{'PO'\} of two"):
        test_on(root, model, tables={'Table 1': {'two': ['PO']}})
    with pytest.raises(ValueError, match="What of 'Sky' is a thing"):
        test_on(root, model, two=data_set(root, 'two', ('owl', 'ant', 'Sky')))
    assert model.asked == []
