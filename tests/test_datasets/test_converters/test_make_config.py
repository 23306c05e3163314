"""The command as a whole: splits, vocabulary, config, and what happens when it is run again."""

import math
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.runner import Runner

from mmodise.datasets.converters import conversion
from mmodise.vocabulary import Vocabulary

from .conftest import LEFT, TOP, annotation, coco, convert, save_picture

ROOT = Path(__file__).parents[3]
TOOL = ROOT / 'tools/dataset_converters/make_config.py'


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def many(root, count=40):
    for i in range(count):
        save_picture(root / f'{i:03}.jpg')
    coco(root / 'all.json', [f'{i:03}.jpg' for i in range(count)], [
        annotation(2 * i + j, i + 1, 2 - j, [polygon])
        for i in range(count) for j, polygon in enumerate((TOP, LEFT))])
    return root


def test_the_config_trains_and_its_data_set_has_the_segments(warehouse, tmp_path):
    save_picture(warehouse / 'images/c.jpg')
    path = warehouse / 'annotations/instances_default.json'
    coco(path, ['a.jpg', 'b.jpg', 'c.jpg'], [  # c.jpg has none: it is void as a whole
        annotation(1, 1, 2, [TOP]), annotation(2, 1, 1, [LEFT]), annotation(3, 2, 2, [TOP])])
    made = convert(warehouse, '--stuff', 'floor').made
    cfg = Config.fromfile(made.config)
    built = [DATASETS.build(dict(loader.dataset, pipeline=[]))
             for loader in (cfg.train_dataloader, cfg.val_dataloader)]
    infos = [data_set.get_data_info(i) for data_set in built for i in range(len(data_set))]
    samples = {Path(info['img_path']).name: [s['category'] for s in info['segments_info']]
               for info in infos}
    assert samples == {'a.jpg': [1, 0], 'b.jpg': [1], 'c.jpg': []}
    assert built[0].metainfo['classes'] == ('box', 'floor')
    cfg.merge_from_dict(dict(
        work_dir=str(tmp_path / 'work'), max_iters=2, default_scope='mmdet',
        train_cfg=dict(max_iters=2, val_interval=2), model=dict(train_cfg=dict(num_points=64)),
        train_dataloader=dict(batch_size=2)))
    cfg.param_scheduler = []
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2
    assert math.isfinite(runner.message_hub.get_scalar('train/loss').current())


def test_synonyms_that_are_written_into_the_vocabulary_are_read(warehouse):
    made = convert(warehouse, '--stuff', 'floor').made
    text = made.vocabulary.read_text()
    made.vocabulary.write_text(text.replace('\nbox\n', '\nbox, crate\n'))
    before = contents(made.config.parent)
    again = convert(warehouse, '--stuff', 'floor').made
    assert again.new == [] and contents(made.config.parent) == before
    cfg = Config.fromfile(made.config)
    for metainfo in (cfg.train_dataloader.dataset.metainfo, cfg.model.panoptic_head.vocabulary):
        assert Vocabulary.from_metainfo(metainfo).classes == (('box', 'crate'), ('floor', ))
    assert cfg.val_dataloader.dataset.metainfo['classes'] == ('box', 'floor')


def test_a_second_run_says_that_all_is_done_and_full_adds_a_config(warehouse, capsys):
    first = convert(warehouse, '--stuff', 'floor')
    capsys.readouterr()
    convert(warehouse, '--stuff', 'floor')
    assert f'All is done already: {first.made.config}' in capsys.readouterr().out
    full = convert(warehouse, '--stuff', 'floor', '--full').made
    assert full.new == [full.config] != [first.made.config]
    cfg = Config.fromfile(full.config)
    assert cfg.model.backbone.out_channels == 512 and cfg.image_size == (1024, 1024)
    assert cfg.train_cfg.max_iters == 2000 and cfg.train_cfg.dynamic_intervals is None
    assert {metric['seg_prefix'] for metric in cfg.val_evaluator} == {
        f'{full.config.parent.as_posix()}/annotations/panoptic_val/'}


def test_nothing_of_others_is_overwritten(warehouse):
    out = warehouse.with_name('warehouse-panoptic')
    out.mkdir()
    (out / 'notes.txt').write_text('mine')
    with pytest.raises(SystemExit, match='is not empty, and was not made by make_config'):
        convert(warehouse, '--stuff', 'floor')
    assert contents(out) == {out / 'notes.txt': b'mine'}


@pytest.mark.parametrize('options', [['--stuff', ''], ['--stuff', 'floor', '--overlap', 'smaller']])
def test_other_options_do_not_mix_with_what_is_there(warehouse, options):
    out = convert(warehouse, '--stuff', 'floor').out
    before = contents(out)
    with pytest.raises(SystemExit, match=r'other annotations, or with other options.*--out-dir'):
        convert(warehouse, *options)
    assert contents(out) == before


def test_a_run_goes_on_where_one_failed(warehouse, monkeypatch):
    broken = warehouse / 'images/b.jpg'
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40])
    with pytest.raises(SystemExit, match=r'b\.jpg cannot be read.*(?s:.*)1 of 2 pictures'):
        convert(warehouse, '--stuff', 'floor')
    broken.write_bytes(whole)
    written, write = [], conversion.write_segment_map
    monkeypatch.setattr(
        conversion, 'write_segment_map', lambda ids, infos, target: (
            written.append(target.name), write(ids, infos, target)))
    found = convert(warehouse, '--stuff', 'floor')
    assert written == ['b.png']
    assert found.pictures['images/a.jpg'].segments == [('floor', 30, 0), ('box', 60, 0)]


def test_a_killed_run_leaves_whole_files_only_and_is_made_good(tmp_path):
    root, out = many(tmp_path / 'd', 300), tmp_path / 'd-panoptic'
    expected = convert(root, '--stuff', 'floor', '--out-dir', str(tmp_path / 'whole'))
    process = get_context('fork').Process(target=convert, args=(root, '--stuff', 'floor'))
    process.start()
    while process.is_alive() and not list(out.glob('annotations/*/*.png')):
        time.sleep(0.002)
    process.kill()
    process.join()
    for path in out.rglob('*.png'):
        assert conversion.read_written(path) is not None
    found = convert(root, '--stuff', 'floor')
    maps = [path.relative_to(out) for path in sorted(out.rglob('*.png'))]
    assert len(maps) == 300 and all(
        (out / path).read_bytes() == (expected.out / path).read_bytes() for path in maps)
    assert found.made.counts == expected.made.counts


def test_processes_do_not_change_what_is_made(tmp_path):
    root = many(tmp_path / 'd')
    one = convert(root, '--stuff', 'floor')
    two = convert(root, '--stuff', 'floor', '--workers', '2', '--out-dir', str(tmp_path / 'o'))
    assert {key: item.segments for key, item in one.pictures.items()} == {
        key: item.segments for key, item in two.pictures.items()}


def test_a_share_is_for_validation_and_the_seed_says_which(tmp_path):
    root = many(tmp_path / 'd')
    splits = {}
    for seed, share in (('0', '0.25'), ('1', '0.25')):
        found = convert(root, '--stuff', 'floor', '--seed', seed, '--val-share', share,
                        '--out-dir', str(tmp_path / seed))
        assert found.made.counts == dict(train=30, val=10)
        splits[seed] = {name for name, item in found.pictures.items() if item.split == 'val'}
    assert splits['0'] != splits['1']
    again = convert(root, '--stuff', 'floor', '--val-share', '0.25', '--out-dir',
                    str(tmp_path / 'again'))
    assert {n for n, item in again.pictures.items() if item.split == 'val'} == splits['0']


@pytest.mark.parametrize('options, message', [
    ([], r"says which classes are stuff.*box; floor.*--stuff"),
    (['--stuff', 'flor'], "--stuff: 'flor' is no class. Did you mean 'floor'"),
    (['--stuff', 'box, floor'], 'Semicolons separate names'),
    (['--stuff', '', '--void', 'bx'], "--void: 'bx' is no class"),
    (['--stuff', '', '--void', 'box; floor'], 'no class that is not void'),
    (['--stuff', '', '--format', 'labelme'], 'no annotations of kind labelme'),
    (['--stuff', '', '--images', 'nowhere'], 'nowhere is not there'),
])
def test_what_is_not_said_right_is_told(warehouse, options, message):
    with pytest.raises(SystemExit, match=message):
        convert(warehouse, *options)
    assert not warehouse.with_name('warehouse-panoptic').exists()


@pytest.mark.parametrize('content, message', [
    (None, 'holds no annotations'), ('{"images": [', 'x.json is no JSON, or was cut short'),
    ('[]', 'holds no annotations')])
def test_a_folder_without_annotations(tmp_path, content, message):
    save_picture(tmp_path / 'd/a.jpg')
    if content is not None:
        (tmp_path / 'd/x.json').write_text(content)
    with pytest.raises(SystemExit, match=message):
        convert(tmp_path / 'd', '--stuff', '')


@pytest.mark.parametrize('names', [
    ['box, small', 'floor'], ['1 inch bolt', '2 inch nut'], ['stuff', 'things'], ['7', '8'],
    ['Gr\u00fcn', '\u5730\u9762'], ['St. Bernard', 'a "b" c'], ['- dash', 'x']])
def test_odd_names_are_read_as_they_are_or_refused(names, tmp_path):
    save_picture(tmp_path / 'd/a.jpg')
    save_picture(tmp_path / 'd/b.jpg')
    coco(tmp_path / 'd/x.json', ['a.jpg', 'b.jpg'],
         [annotation(1, 1, 1, [LEFT]), annotation(2, 2, 2, [TOP])], names)
    if names[0] in ('- dash', 'stuff'):  # notation, and the heading of a file
        message = rf"(?s)cannot be used as text.*'{names[0]}'.*Rename it"
        with pytest.raises(SystemExit, match=message):
            convert(tmp_path / 'd', '--stuff', names[1])
        return
    made = convert(tmp_path / 'd', '--stuff', names[1]).made
    metainfo = Config.fromfile(made.config).metainfo
    assert tuple(metainfo['classes']) == tuple(names)
    assert Vocabulary.from_metainfo(metainfo).class_names == tuple(names)


def test_help_needs_no_torch():
    code = (f'import runpy, sys\nsys.argv = ["make_config", "--help"]\n'
            f'try: runpy.run_path({str(TOOL)!r}, run_name="__main__")\n'
            f'except SystemExit: print("torch" in sys.modules)')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == 'False' and '--stuff' in done.stdout


def test_the_folder_of_results_is_no_part_of_the_data(warehouse):
    out = str(warehouse / 'made')
    first = convert(warehouse, '--stuff', 'floor', '--out-dir', out)
    assert convert(warehouse, '--stuff', 'floor', '--out-dir', out).made.new == []
    assert first.made.counts == dict(train=1, val=1)


def test_data_and_config_move_as_one(warehouse, tmp_path):
    made = convert(warehouse, '--stuff', 'floor').made
    moved = tmp_path / "the user's"
    moved.mkdir()
    for folder in (warehouse, made.config.parent):
        folder.rename(moved / folder.name)
    cfg = Config.fromfile(moved / made.config.parent.name / made.config.name)
    data_set = DATASETS.build(dict(cfg.val_dataloader.dataset, pipeline=[]))
    info = data_set.get_data_info(0)
    for path in (info['img_path'], info['seg_map_path'], cfg.val_evaluator[0].ann_file):
        assert Path(path).is_file() and moved in Path(path).parents
    assert Path(cfg.val_evaluator[0].seg_prefix, Path(info['seg_map_path']).name).is_file()


def test_fine_tuning_is_a_config_of_its_own(warehouse, tmp_path, capsys):
    convert(warehouse, '--stuff', 'floor')
    queries = torch.zeros(7, 128)
    torch.save({'state_dict': {'panoptic_head.query_feat.weight': queries}}, tmp_path / 'a.pth')
    made = convert(warehouse, '--stuff', 'floor', '--finetune', str(tmp_path / 'a.pth')).made
    assert made.new == [made.config] and made.config.stem.endswith('-finetune')
    assert f'average_weights "{tmp_path / "a.pth"}" work_dirs/{made.config.stem}/' in (
        capsys.readouterr().out)
    cfg = Config.fromfile(made.config)
    assert cfg.load_from == (tmp_path / 'a.pth').as_posix()
    assert cfg.model.panoptic_head.num_queries == 7
    assert cfg.optim_wrapper.optimizer.lr == 2e-4 and cfg.optim_wrapper.optimizer.type == 'AdamW'
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[1].end == 200


def test_fine_tuning_starts_from_a_checkpoint_of_odise(warehouse, tmp_path):
    made = convert(warehouse, '--stuff', 'floor', '--finetune', 'mmodise://shapes/odise.pth').made
    cfg = Config.fromfile(made.config)
    assert cfg.load_from == 'mmodise://shapes/odise.pth'
    assert cfg.model.panoptic_head.num_queries == 12
    torch.save({'state_dict': {'bbox_head.weight': torch.zeros(2)}}, tmp_path / 'a.pth')
    for path, message in ((tmp_path / 'a.pth', 'has no queries of an ODISE head'),
                          (tmp_path / 'b.pth', r'b\.pth can not be found')):
        with pytest.raises(SystemExit, match=message):
            convert(warehouse, '--stuff', 'floor', '--finetune', str(path))
