"""One test on several data sets, which goes on where it was stopped."""

import csv
import json
import multiprocessing
import pickle
import shutil

import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmengine.visualization import Visualizer
from PIL import Image

from mmodise.engine import EvaluationRunner
from mmodise.evaluation.class_chart import draw_classes
from mmodise.vocabulary import Vocabulary

SIZE = (4, 10)
# name: classes; of each picture the column where the second class begins
SETS = {'one': (('cat', 'grass'), (5, 4, 2)), 'two': (('owl', 'ant', 'sky'), (8, 6))}


class Known(BaseModel):
    """Predicts half a picture of each of the first two classes; stops when it is told to."""

    def __init__(self, stop_after=None, weight=1.0):
        super().__init__()
        self.register_buffer('weight', torch.tensor(weight))
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


class Loaded(EvaluationRunner):
    """The model has its weights; and in several processes it is not wrapped."""

    def load_or_resume(self):
        pass


def data_set(root, name, classes):
    """Metrics have the files of the data set."""
    return dict(
        dataset=dict(
            type='CheckedPanopticDataset', data_root=str(root / name), ann_file='panoptic.json',
            test_mode=True, metainfo=dict(classes=classes), serialize_data=False,
            data_prefix=dict(img='images/', seg='maps/'),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='PackDetInputs', meta_keys=(
                'img_id', 'img_path', 'ori_shape', 'img_shape'))]),
        metrics=[dict(type='OpenVocabularyPanopticMetric'),
                 dict(type='OpenVocabularySemanticMetric')])


def test_on(root, model=None, out_file=None, settings=None, **more):
    sets = {name: data_set(root, name, classes) for name, (classes, _) in SETS.items()}
    Visualizer._instance_dict.clear()  # one of another test may have been made in this second
    runner = Loaded(
        model or Known(), default_scope='mmdet', work_dir=str(root / 'work'), log_level='ERROR',
        experiment_name='owl_watcher', cfg=Config(dict(model=dict(type='Known'))),
        test_dataloader=dict(batch_size=2, num_workers=0, dataset={}, sampler={}),
        test_evaluator={}, test_cfg=dict(
            type='DataSetsTestLoop', data_sets={**sets, **more}, **(settings or {})))
    runner.test_loop.out_file = out_file
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


@pytest.fixture(autouse=True)
def charts(monkeypatch):
    """What is drawn, by the names of files; drawing takes longer than all else here."""
    drawn = {}
    monkeypatch.setattr('mmengine.runner.Runner._log_env', lambda *args: None)  # runs compilers
    monkeypatch.setattr(
        'mmodise.evaluation.class_figures.draw_classes',
        lambda values, path, title, novel: drawn.update({
            f'{path.parent.name}/{path.name}': (values, title, novel)}))
    return drawn


def test_each_has_its_classes_and_metrics(root, written, charts):
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
    assert {name: set(values) for name, (values, *_) in charts.items()} == {
        f'{name}/classes_{key}.png': set(classes[:2])
        for name, (classes, _) in SETS.items() for key in ('PQ', 'IoU')}
    values, title, novel = charts['two/classes_IoU.png']
    assert (title, novel) == ('two: IoU in percent', {'owl'})
    assert values['ant'] == pytest.approx(60)


@pytest.mark.parametrize('number', [1, 160])
def test_a_chart_has_names_that_can_be_read(tmp_path, number):
    values = {f'a class with the long name number {i}': 100 * i / number for i in range(number)}
    with pytest.MonkeyPatch.context() as patch:
        shown = []
        patch.setattr('matplotlib.axes.Axes.set_xticks', lambda axes, places, names, **_: (
            shown.append(names)))
        draw_classes(values, tmp_path / 'chart.png', 'owls', novel=list(values)[:1])
    assert sum(map(len, shown)) == number and max(map(len, shown)) <= 75
    assert max(len(name) for row in shown for name in row) <= 24
    with Image.open(tmp_path / 'chart.png') as chart:
        assert chart.height > 300 * len(shown)


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


def test_records_of_other_metrics_weights_or_truth_are_not_used(root):
    test_on(root)
    other = data_set(root, 'one', SETS['one'][0])
    other['metrics'] = other['metrics'][1:]
    figures, model = test_on(root, one=other)
    assert model.asked == ['one0', 'one1', 'one2']
    assert 'one/coco_panoptic/PQ' not in figures
    _, model = test_on(root, Known(weight=2.0), one=other)
    assert len(model.asked) == 5
    content = (root / 'two/panoptic.json').read_text()
    (root / 'two/panoptic.json').write_text(content + ' ')
    _, model = test_on(root, Known(weight=2.0), one=other)
    assert model.asked == ['two0', 'two1']


def run_two(root, folder):
    """Test in two processes, which meet in a folder; return what each was asked, and figures."""
    def work(rank, queue):
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2)
        figures, model = test_on(root)
        queue.put((rank, figures, model.asked))
        torch.distributed.barrier()

    context = multiprocessing.get_context('fork')  # one that is spawned imports everything
    queue = context.Queue()
    processes = [context.Process(target=work, args=(rank, queue), daemon=True) for rank in (0, 1)]
    for process in processes:
        process.start()
    found = sorted(queue.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    return found


def test_two_processes_find_what_one_does_and_go_on_with_its_records(root, tmp_path_factory):
    expected, _ = test_on(root)
    shutil.rmtree(root / 'work/data_sets')
    found = run_two(root, tmp_path_factory.mktemp('first'))
    assert [asked for *_, asked in found] == [['one0', 'one2', 'two0'], ['one1', 'two1']]
    assert found[0][1] == found[1][1] == expected
    second = root / 'work/data_sets/one/records_1.pkl'
    second.write_bytes(second.read_bytes()[:-1])  # killed while it wrote
    figures, model = test_on(root)
    assert (figures, model.asked) == (expected, ['one1'])
    shutil.rmtree(root / 'work/data_sets')
    with pytest.raises(KeyboardInterrupt):
        test_on(root, Known(stop_after=2))
    found = run_two(root, tmp_path_factory.mktemp('second'))
    assert [asked for *_, asked in found] == [['one2', 'two0'], ['two1']]
    assert found[0][1] == found[1][1] == expected


def test_data_that_are_not_there_are_left_out(root, written):
    tables = {'Table 1': {'one': ['PQ', 'mIoU'], 'three': ['PQ']}, 'Table 2': {'two': ['mIoU']}}
    references = {'owl paper': {'two': dict(mIoU=12.34)}}
    figures, _ = test_on(root, settings=dict(tables=tables, references=references),
                         three=data_set(root, 'three', ('cat', )), four=None)
    assert {key.split('/')[0] for key in figures} == {'one', 'two'}
    text = written('tables.md')
    table = (f'|  | two mIoU |\n| --- | ---: |\n| owl paper | 12.3 |\n'
             f'| owl_watcher | {TWO["mIoU"]:.1f} |')
    assert f'**Table 2**\n\n{table}' in text
    assert f'| {ONE["mIoU"]:.1f} | - |' in text
    assert text.count('owl paper') == 1
    assert 'Table 2,owl paper,two,mIoU,12.3400' in written('tables.csv')
    assert 'three was left out' in text
    _, model = test_on(root, settings=dict(only='two'))
    assert model.asked == []
    for name in SETS:
        shutil.rmtree(root / name)
    with pytest.raises(ValueError, match='None of the data sets one, two is there'):
        test_on(root)


@pytest.mark.parametrize(('gone', 'message'), [
    ('two/maps/1.png', r'1 of 2 annotation maps .*two/maps/1\.png'),
    ('two/images/0.jpg', r'1 of 2 images .*two/images/0\.jpg'),
    ('two/panoptic.json', r'panoptic\.json is not there')])
def test_data_that_are_there_in_part_are_an_error(root, gone, message):
    model = Known()
    (root / gone).unlink()
    told = rf'two is there in part.*{message}.*sets\.two=None'
    with pytest.raises(FileNotFoundError, match=told):
        test_on(root, model)
    assert model.asked == []


def test_truth_of_other_images_is_told_before_the_first(root):
    model, two = Known(), data_set(root, 'two', SETS['two'][0])
    two['metrics'][0].update(
        ann_file=str(root / 'one/panoptic.json'), seg_prefix=str(root / 'one/maps'))
    content = json.loads((root / 'one/panoptic.json').read_text())
    content['categories'] = [dict(id=i, name=n) for i, n in enumerate(SETS['two'][0], 1)]
    content['images'], content['annotations'] = (
        content[key][1:] for key in ('images', 'annotations'))
    (root / 'one/panoptic.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'1 of 2 images that are to be tested are not listed in'):
        test_on(root, model, two=two, settings=dict(only='two'))
    assert model.asked == []


def test_predictions_are_written_for_each_data_set(root):
    with pytest.raises(KeyboardInterrupt):
        test_on(root, Known(stop_after=4), out_file=str(root / 'out.pkl'))
    _, model = test_on(root, out_file=str(root / 'out.pkl'))
    assert model.asked == ['two0', 'two1']
    for name, (_, columns) in SETS.items():
        samples = pickle.loads((root / f'out_{name}.pkl').read_bytes())
        assert [sample['img_id'] for sample in samples] == list(range(len(columns)))


def test_mistakes_are_told_before_the_first_picture(root):
    model = Known()
    for settings, message in (
            (dict(tables={'Table 1': {'tow': ['PQ']}}), r"asks for the data set 'tow'\. There are"),
            (dict(tables={'Table 1': {'two': ['PO']}}), r"asks for \{'PO'\} of two"),
            (dict(references={'paper': {'tow': {}}}), r"references: 'paper' asks for the data set"),
            (dict(only=['tow']), r'test_cfg\.only: tow are none of the data sets one, two')):
        with pytest.raises(ValueError, match=message):
            test_on(root, model, settings=settings)
    for two, message in (
            (data_set(root, 'two', ('owl', 'ant', 'Sky')), "What of 'Sky' is a thing"),
            (dict(data_set(root, 'two', SETS['two'][0]), metric=[]), "did you mean 'metrics'"),
            (dict(metrics=[]), 'data_sets.two has no dataset')):
        with pytest.raises(ValueError, match=message):
            test_on(root, model, two=two)
    assert model.asked == []


def test_settings_of_the_model_are_changed_for_a_data_set_alone(root):
    class Head(torch.nn.Module):
        test_cfg = dict(panoptic_on=True)

    class Witness(Known):
        def forward(self, inputs, data_samples=None, mode='predict'):
            seen.append(dict(self.panoptic_fusion_head.test_cfg))
            return super().forward(inputs, data_samples, mode)

    seen, model = [], Witness()
    model.panoptic_fusion_head = Head()
    test_on(root, model, one=dict(
        data_set(root, 'one', SETS['one'][0]), test_cfg=dict(panoptic_on=False)))
    assert [cfg['panoptic_on'] for cfg in seen] == [False, False, True]
