"""COCO-Stuff 164k: gaps, void, vocabulary, and going on after a stop."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.converters.coco_stuff import prepare_coco_stuff

from .conftest import (
    build,
    column_results,
    count_pixels,
    evaluate,
    read_answers,
    trees,
    write_image,
)

#: Values of maps beside every gap, and labels by hand: the value less the gaps below it.
LABELS = {0: 0, 10: 10, 12: 11, 24: 23, 26: 24, 27: 25, 30: 26, 43: 39, 45: 40, 64: 59, 66: 60,
          69: 61, 71: 62, 81: 72, 83: 73, 89: 79, 91: 80, 181: 170, 255: 255}


@pytest.fixture
def root(tmp_path):
    values = np.array([list(LABELS)], np.uint8).repeat(2, axis=0)
    for split in ('train2017', 'val2017'):
        write_image(tmp_path / split / '000000000007.jpg', (*values.shape, 3))
        write_image(tmp_path / 'stuffthingmaps' / split / '000000000007.png', values)
    write_image(tmp_path / 'val2017/000000000008.jpg', (3, 4))  # a grey picture, with persons
    write_image(tmp_path / 'stuffthingmaps/val2017/000000000008.png', np.zeros((3, 4), np.uint8))
    return tmp_path


def data_set(root, split='val2017', folder='stuffthingmaps_detectron2', **settings):
    return build('COCOStuffDataset', root, data_prefix=dict(
        img_path=split, seg_map_path=f'{folder}/{split}'), **settings)


def test_gaps_are_closed(root):
    done = prepare_coco_stuff(root)
    assert (done.counts, done.new) == (dict(train2017=1, val2017=2), 4)
    written = np.asarray(Image.open(done.out / 'val2017/000000000007.png'))
    assert written.dtype == np.uint8 and written[0].tolist() == list(LABELS.values())
    lines = (done.out / 'classes.txt').read_text().splitlines()
    assert (len(lines), lines[0], lines[80]) == (171, '0:person', '80:banner')


def test_both_forms_of_maps_are_the_same_labels(root):
    prepare_coco_stuff(root, split='val2017')
    prepared = data_set(root)
    original = data_set(root, folder='stuffthingmaps', original=True)
    for dataset in (prepared, original):
        assert [dataset.get_data_info(i)['img_id'] for i in range(2)] == [
            '000000000007', '000000000008']
        pixels, void = count_pixels(dataset, 0)
        assert void == 2 and pixels['person'] == pixels['wood'] == pixels['banner'] == 2
        assert count_pixels(dataset, 1) == ({'person': 12}, 0), 'person is 0, and no background'
        assert dataset[1]['inputs'].shape[0] == 3
    sample = prepared[0]['data_samples']
    assert (len(sample.text), len(sample.stuff_text)) == (80, 91)
    assert sample.text[0] == 'person' and sample.ori_shape == (2, len(LABELS))


def test_what_is_whole_is_not_written_again(root):
    done = prepare_coco_stuff(root, workers=2)
    first, second = (done.out / 'val2017' / f'00000000000{i}.png' for i in (7, 8))
    stamp, content = first.stat().st_mtime_ns, second.read_bytes()
    second.write_bytes(content[:len(content) // 2])
    again = prepare_coco_stuff(root, workers=2)
    assert again.new == 1 and first.stat().st_mtime_ns == stamp
    assert second.read_bytes() == content


def test_maps_of_other_values_or_sizes_are_refused(root):
    maps = root / 'stuffthingmaps/val2017'
    write_image(maps / '000000000008.png', np.full((3, 4), 11, np.uint8))
    write_image(root / 'stuffthingmaps/train2017/000000000007.png', np.zeros((3, 4), np.uint8))
    with pytest.raises(ValueError) as error:
        prepare_coco_stuff(root)
    text = str(error.value)
    assert '000000000008.png: 12 pixels have the value 11' in text
    assert 'train2017/000000000007.png 4 x 3. They must be the same' in text
    assert not (root / 'stuffthingmaps_detectron2/val2017/000000000008.png').exists()
    dataset = data_set(root, folder='stuffthingmaps')
    with pytest.raises(ValueError, match=r'7\.png: 2 pixels have the value 181; expected one of'):
        dataset[0]


def test_missing_maps_are_told_before_the_first_image(root):
    with pytest.raises(FileNotFoundError, match=r'2 of 2 maps are not there.*prepare_coco_stuff'):
        data_set(root)
    with pytest.raises(FileNotFoundError, match='stuffthingmaps is not there'):
        prepare_coco_stuff(root / 'val2017')
    (root / 'train2017/000000000007.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'picture of .*train2017/000000000007\.png'):
        prepare_coco_stuff(root)


def test_the_command_tells_what_comes_next(root, load_tool, capsys):
    load_tool('prepare_coco_stuff').main([str(root), '--split', 'val2017', '--workers', '1'])
    said = capsys.readouterr().out
    assert '2 val2017; 3 files are new' in said
    assert 'mim test mmodise configs' in said


def test_miou_by_hand(root):
    """Wood taken for a person, in one of two pictures; all other classes are right."""
    prepare_coco_stuff(root)
    dataset = data_set(root)
    labels = [label if label not in (170, 255) else 0 for label in LABELS.values()]
    results = [column_results(dataset, labels)[0], column_results(dataset, [0] * 4)[1]]
    figures = evaluate(dataset, results, type='OpenVocabularySemanticMetric')
    # person: 2 + 12 pixels are right, 2 more are predicted; void counts nowhere
    assert figures['semantic/mIoU'] == pytest.approx(100 * (16 + 14 / 16) / 18, abs=0.01)


@trees('coco_stuff')
def test_answers(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / 'tree')
    answers = read_answers(tree)
    prepare_coco_stuff(root)
    for split in answers['images_per_split']:
        dataset = data_set(root, split)
        original = data_set(root, split, 'stuffthingmaps', original=True)
        assert list(dataset.metainfo['classes']) == answers['evaluated']['order']
        mine = {Path(item['file']).stem: item for item in answers['images']
                if item['split'] == split}
        assert len(dataset) == len(mine)
        for index in range(len(dataset)):
            sample = dataset[index]['data_samples']
            item = mine[sample.img_id]
            for maps in (dataset, original):
                assert count_pixels(maps, index) == (item['pixels'], item['void'])
            assert list(sample.ori_shape) == item['size'][::-1]
