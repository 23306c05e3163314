import json
import sys
from pathlib import Path

import numpy as np
import pytest
from panopticapi.utils import rgb2id
from PIL import Image

from mmodise.datasets.shapes_world import BASE_STUFF, BASE_THINGS
from mmodise.vocabulary import Vocabulary

CONFIG = Path(__file__).parents[2] / 'configs/odise/odise_sd-small_shapes-panoptic.py'


@pytest.fixture(scope='module')
def predict(load_tool):
    return load_tool('predict')


@pytest.fixture
def run(predict, demo_dir, small_checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(demo_dir)

    def run(*args):
        fixed = ['--config', str(CONFIG), '--checkpoint', str(small_checkpoint), '--device', 'cpu',
                 '--out-dir', str(tmp_path / 'out'),
                 '--cfg-options', 'model.test_cfg.iou_thr=0.0']
        monkeypatch.setattr(sys, 'argv', ['predict.py', *args, *fixed])
        predict.main()
        return tmp_path / 'out'

    return run


def test_files_and_table_tell_the_same(run, capsys):
    folder = run('data/shapes/val/000001.jpg', '--texts', 'ball, sphere; box',
                 '--stuff-texts', 'grass, lawn')
    assert sorted(path.name for path in folder.iterdir()) == [
        '000001.png', '000001_panoptic.json', '000001_panoptic.png']
    assert Image.open(folder / '000001.png').size == (512, 512)  # 128 x 128, four times as large
    content = json.loads((folder / '000001_panoptic.json').read_text())
    assert [(c['id'], c['name'], c['isthing']) for c in content['categories']] == [
        (1, 'ball', 1), (2, 'box', 1), (3, 'grass', 0)]
    segments = content['annotations'][0]['segments_info']
    ids = rgb2id(np.asarray(Image.open(folder / '000001_panoptic.png')))
    assert ids.shape == (128, 128)
    found, areas = np.unique(ids[ids > 0], return_counts=True)
    assert {s['id']: s['area'] for s in segments} == dict(
        zip(found.tolist(), areas.tolist(), strict=True))
    printed = capsys.readouterr().out
    assert segments and f'{len(segments)} segments' in printed
    names = {1: 'ball', 2: 'box', 3: 'grass'}
    table = [line.split('|')[1].strip() for line in printed.splitlines() if line.startswith('|')]
    largest_first = sorted(segments, key=lambda s: -s['area'])
    assert table[0] == 'class' and table[1:] == [names[s['category_id']] for s in largest_first]


def test_images_that_cannot_be_read_do_not_stop_the_others(run, demo_dir, tmp_path):
    whole = (demo_dir / 'data/shapes/val/000001.jpg').read_bytes()
    contents = dict(text=b'no image', empty=b'', cut=whole[: len(whole) * 9 // 10])
    for name, content in contents.items():
        (tmp_path / f'{name}.jpg').write_bytes(content)
    bad = ['missing.jpg', 'data', *(str(tmp_path / f'{name}.jpg') for name in contents)]
    with pytest.raises(SystemExit) as stop:
        run(*bad, 'data/shapes/val/000002.jpg')
    summary, *reasons = stop.value.code.splitlines()  # Python prints a string, and exits with 1
    assert summary == 'predict.py: 5 of 6 images could not be read:'
    assert reasons[:2] == ['missing.jpg: there is no such file', 'data: is a folder']
    for name, reason in zip(contents, reasons[2:], strict=True):
        size = len(contents[name])
        assert reason.startswith(f'{tmp_path}/{name}.jpg: {size:,} bytes that OpenCV cannot read')
    content = json.loads((tmp_path / 'out/000002_panoptic.json').read_text())
    names = [category['name'] for category in content['categories']]
    assert names == [*BASE_THINGS, *BASE_STUFF], 'the training vocabulary, as no texts were given'


def test_the_smallest_and_the_longest_image(run, tmp_path):
    sizes = dict(pixel=(1, 1), strip=(2000, 20))
    colours = np.random.default_rng(0).integers(256, size=(2000, 2000, 3), dtype=np.uint8)
    for name, (width, height) in sizes.items():
        Image.fromarray(colours[:height, :width]).save(tmp_path / f'{name}.png')
    folder = run(*(str(tmp_path / f'{name}.png') for name in sizes), '--texts', 'ball; box')
    assert Image.open(folder / 'pixel.png').size == (480, 480)
    assert Image.open(folder / 'strip.png').size == (2000, 20)
    for name, size in sizes.items():
        assert Image.open(folder / f'{name}_panoptic.png').size == size
        image, = json.loads((folder / f'{name}_panoptic.json').read_text())['images']
        assert (image['width'], image['height']) == size


def test_a_missing_checkpoint_is_named(predict, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [
        'predict.py', 'a.jpg', '--config', str(CONFIG), '--checkpoint', str(tmp_path / 'no.pth')])
    with pytest.raises(SystemExit, match=r'no\.pth'):
        predict.main()


def test_a_misspelt_key_is_named(predict, small_checkpoint, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [
        'predict.py', 'a.jpg', '--config', str(CONFIG), '--checkpoint', str(small_checkpoint),
        '--cfg-options', 'model.classifier.alhpa=1'])
    with pytest.raises(SystemExit, match=r'model\.classifier\.alhpa: did you mean alpha'):
        predict.main()


def test_a_checkpoint_of_another_model_is_refused(
        predict, demo_dir, small_checkpoint, tmp_path, monkeypatch):
    other = CONFIG.with_name('odise_r18_shapes-panoptic.py')
    monkeypatch.chdir(demo_dir)
    monkeypatch.setattr(sys, 'argv', [
        'predict.py', 'data/shapes/val/000001.jpg', '--config', str(other), '--checkpoint',
        str(small_checkpoint), '--device', 'cpu', '--out-dir', str(tmp_path / 'out')])
    message = (r'random\.pth is of another model: .* missing: backbone\.conv1\.weight, .*; 3 of '
               r'another shape: .*; \d+ that the model does not have: backbone\.captioner')
    with pytest.raises(SystemExit, match=message):
        predict.main()
    assert not (tmp_path / 'out').exists()


def test_vocabulary_of_the_command_line(predict, tmp_path):
    assert predict.read_vocabulary('', '') is None
    assert predict.read_vocabulary('cat, kitten; dog', 'sky') == Vocabulary(
        (('cat', 'kitten'), ('dog', )), (('sky', ), ))
    assert predict.read_vocabulary(' ', 'sky') == Vocabulary((), (('sky', ), ))
    (tmp_path / 'things.txt').write_text('0:invalid_class_id\n1:cat,kitten\n2:dog\n')
    assert predict.read_vocabulary(f'@{tmp_path}/things.txt', 'sky; sea') == Vocabulary(
        (('cat', 'kitten'), ('dog', )), (('sky', ), ('sea', )))
    (tmp_path / 'all.txt').write_text('cat\n# stuff\nsky\n')
    assert predict.read_vocabulary(f'{tmp_path}/all.txt', 'sea').stuff == (('sky', ), ('sea', ))
    assert predict.read_vocabulary('cityscapes', '').num_stuff == 11


@pytest.mark.parametrize(('texts', 'stuff', 'message'), [
    ('cat', 'cat', r"0 \(a thing\) and 1 \(stuff\) .* called 'cat'"),
    ('cat; dog; cat', '', r"0 \(a thing\) and 2 \(a thing\) .* called 'cat'"),
    (';', '', 'Class 0 of the vocabulary has no name'),
    ('@nowhere.txt', '', r'nowhere\.txt')])
def test_a_bad_vocabulary_is_explained(predict, monkeypatch, texts, stuff, message):
    monkeypatch.setattr(sys, 'argv', [
        'predict.py', 'a.jpg', '--config', 'c', '--checkpoint', 'c', '--texts', texts,
        '--stuff-texts', stuff])
    with pytest.raises(SystemExit, match=message):
        predict.main()


def test_too_many_classes_are_refused_before_the_first_image(run):
    with pytest.raises(SystemExit, match=r'predict\.py: The vocabulary has 1000 classes'):
        run('missing.jpg', '--texts', '; '.join(f'class {i}' for i in range(1000)))


def test_without_panoptic_results_there_is_nothing_to_write(predict, small_checkpoint, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [
        'predict.py', 'a.jpg', '--config', str(CONFIG), '--checkpoint', str(small_checkpoint),
        '--cfg-options', 'model.test_cfg.panoptic_on=False'])
    with pytest.raises(SystemExit, match=r'model\.test_cfg\.panoptic_on is False'):
        predict.main()


def test_a_name_that_several_classes_have_is_told(run, capsys):
    run('data/shapes/val/000001.jpg', '--texts', 'tv, screen; ball', '--stuff-texts', 'screen')
    assert ("'screen' is a name of several classes; where it fits best, the first is found: tv, "
            'screen') in capsys.readouterr().err


@pytest.mark.parametrize('names', [
    ['a.png', 'a_panoptic.png', 'b.jpg'], ['a.png', 'a.jpg', 'a_2_panoptic.png']])
def test_results_beside_the_pictures_overwrite_none(run, demo_dir, tmp_path, capsys, names):
    folder, before = tmp_path / 'out', {}
    folder.mkdir()
    for number, name in enumerate(names):
        image = Image.open(demo_dir / f'data/shapes/val/{number + 1:06}.jpg')
        image.save(folder / name)
        before[name] = (folder / name).read_bytes()
    (folder / 'notes.json').write_text('{}')
    run(*(str(folder / name) for name in names), '--texts', 'ball; box')
    assert {name: (folder / name).read_bytes() for name in names} == before
    printed = [line.split(' -> ')[1].split(': ')[0] for line in
               capsys.readouterr().out.splitlines() if ' -> ' in line]
    assert len(set(printed)) == 3 and len(list(folder.iterdir())) == 1 + 4 * len(names)
    for path, name in zip(map(Path, printed), names, strict=True):
        content = json.loads(path.with_name(f'{path.stem}_panoptic.json').read_text())
        assert content['images'][0]['file_name'] == name
        assert content['annotations'][0]['file_name'] == f'{path.stem}_panoptic.png'
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    run(*(str(folder / name) for name in names), '--texts', 'ball; box')
    assert after == {path.name: path.read_bytes() for path in folder.iterdir()}, 'its own files'


def test_a_turned_picture_is_segmented_as_it_is_shown(run, demo_dir, tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6  # a quarter to the right
    image = Image.open(demo_dir / 'data/shapes/val/000001.jpg').crop((0, 0, 128, 96))
    for ending in ('jpg', 'png', 'webp'):
        image.save(tmp_path / f'{ending}.{ending}', exif=exif)
    folder = run(*(str(tmp_path / f'{e}.{e}') for e in ('jpg', 'png', 'webp')), '--texts', 'ball')
    for ending in ('jpg', 'png', 'webp'):
        assert Image.open(folder / f'{ending}_panoptic.png').size == (96, 128)


def test_a_file_in_place_of_the_folder_is_named(run, tmp_path):
    (tmp_path / 'out').write_text('of the user')
    with pytest.raises(SystemExit, match=r'predict\.py: .*out is a file'):
        run('data/shapes/val/000001.jpg', '--texts', 'ball')
    assert (tmp_path / 'out').read_text() == 'of the user'
