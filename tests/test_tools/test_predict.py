import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from panopticapi.utils import rgb2id
from PIL import Image

from mmodise.apis import FORMATS
from mmodise.apis.prediction.command import _read_vocabulary
from mmodise.datasets.shapes_world import BASE_STUFF, BASE_THINGS
from mmodise.utils import WholeFileBackend
from mmodise.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'


@pytest.fixture(scope='module')
def predict(load_tool):
    return load_tool('predict')


@pytest.fixture
def run(predict, demo_dir, small_checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(demo_dir)

    def run(*args):
        fixed = ['--cfg-options', 'model.test_cfg.iou_thr=0.0', '--config', str(CONFIG),
                 '--checkpoint', str(small_checkpoint), '--device', 'cpu', '--out-dir',
                 str(tmp_path / 'out')]
        monkeypatch.setattr(sys, 'argv', ['predict.py', *fixed, *args])
        predict.main()
        return tmp_path / 'out'

    return run


def files(folder):
    """Contents by name, without what is noted of the run."""
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob('*'))
            if path.is_file() and '.mmodise' not in path.parts}


def test_files_and_table_tell_the_same(run, capsys):
    folder = run('data/shapes/val/000001.jpg', '--texts', 'ball, sphere; box',
                 '--stuff-texts', 'grass, lawn')
    assert list(files(folder)) == [
        '000001.png', '000001_panoptic.json', '000001_panoptic.png']
    picture = Image.open(folder / '000001.png')  # of 128 x 128, four times as large, and a legend
    assert picture.width == 512 and picture.height >= 512
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


def test_images_that_cannot_be_read_do_not_stop_the_others(run, demo_dir, tmp_path, capsys):
    whole = (demo_dir / 'data/shapes/val/000001.jpg').read_bytes()
    contents = dict(text=b'no image', empty=b'', cut=whole[: len(whole) * 9 // 10])
    (tmp_path / 'folder').mkdir()
    for name, content in contents.items():
        (tmp_path / f'{name}.jpg').write_bytes(content)
    bad = ['missing.jpg', str(tmp_path / 'folder'),
           *(str(tmp_path / f'{name}.jpg') for name in contents)]
    with pytest.raises(SystemExit) as stop:
        run(*bad, 'data/shapes/val/000002.jpg')
    assert stop.value.code == 1
    printed = capsys.readouterr().err.splitlines()
    reasons = printed[printed.index('predict.py: 5 of 6 inputs failed:') + 1:]
    assert reasons[:2] == ['missing.jpg: there is no such file',
                           f'{tmp_path}/folder: there are no pictures or videos']
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
    assert Image.open(folder / 'pixel.png').width == 480
    assert Image.open(folder / 'strip.png').width == 2000
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


def read_vocabulary(predict, *options):
    return _read_vocabulary(predict.parse_args(['a.jpg', *options]))


def test_vocabulary_of_the_command_line(predict, tmp_path):
    assert read_vocabulary(predict) is None
    assert read_vocabulary(predict, '--vocab', 'names.safetensors') is None, 'the model reads it'
    assert read_vocabulary(predict, '--vocab', 'cat, kitten; dog', '--stuff', 'sky') == Vocabulary(
        (('cat', 'kitten'), ('dog', )), (('sky', ), ))
    assert read_vocabulary(predict, '--texts', ' ', '--stuff-texts', 'sky') == Vocabulary(
        (), (('sky', ), ))
    (tmp_path / 'things.txt').write_text('0:invalid_class_id\n1:cat,kitten\n2:dog\n')
    assert read_vocabulary(
        predict, '--vocab', f'@{tmp_path}/things.txt', '--stuff', 'sky; sea') == Vocabulary(
        (('cat', 'kitten'), ('dog', )), (('sky', ), ('sea', )))
    (tmp_path / 'all.txt').write_text('cat\n# stuff\nsky\n')
    assert read_vocabulary(
        predict, '--vocab', f'{tmp_path}/all.txt', '--stuff', 'sea').stuff == (('sky', ), ('sea', ))
    assert read_vocabulary(predict, '--vocab', 'cityscapes').num_stuff == 11
    caption = read_vocabulary(predict, '--caption', 'a dog on green grass', '--vocab', 'cat')
    assert caption == Vocabulary((('cat', ), ('dog', )), (('green grass', ), ))


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


def test_a_thousand_classes(run):
    folder = run('data/shapes/val/000001.jpg', '--format', 'semantic', '--vocab',
                 '; '.join(f'class {i}' for i in range(1000)))
    assert Image.open(folder / '000001_semantic.png').mode == 'I;16'


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
    assert len(set(printed)) == 3 and len(files(folder)) == 1 + 4 * len(names)
    for path, name in zip(map(Path, printed), names, strict=True):
        content = json.loads(path.with_name(f'{path.stem}_panoptic.json').read_text())
        assert content['images'][0]['file_name'] == name
        assert content['annotations'][0]['file_name'] == f'{path.stem}_panoptic.png'
    after = files(folder)
    for again in ([], ['--again']):
        run(*(str(folder / name) for name in names), '--texts', 'ball; box', *again)
        assert after == files(folder), 'its own files'


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


def done(output):
    return [line.split(' -> ')[0] for line in output.splitlines() if ' -> ' in line]


def test_a_folder_is_gone_on_with(run, demo_dir, tmp_path, capsys):
    folder = tmp_path / 'photos'
    for name, number in (('a.jpg', 1), ('inner/a.jpg', 2), ('b.jpg', 3)):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes((demo_dir / f'data/shapes/val/{number:06}.jpg').read_bytes())
    options = str(folder), '--vocab', 'ball; box', '--format', 'csv', 'labelme'
    out = run(*options)
    assert list(files(out)) == ['a.csv', 'a.json', 'b.csv', 'b.json', 'inner/a.csv', 'inner/a.json']
    content = json.loads((out / 'inner/a.json').read_text())
    assert (out / 'inner' / content['imagePath']).samefile(folder / 'inner/a.jpg')
    printed = capsys.readouterr().out
    assert len(done(printed)) == 3 and '3 done in' in printed and '| class' in printed
    run(*options)
    printed = capsys.readouterr().out
    assert not done(printed) and '3 were done before, and have not changed' in printed
    os.utime(folder / 'b.jpg', (1, 1))
    (out / 'inner/a.json').unlink()
    run(*options)
    assert done(capsys.readouterr().out) == [str(folder / 'b.jpg'), str(folder / 'inner/a.jpg')]
    for change in (['--stuff', 'sky'], ['--threshold', '0.9'], ['--format', 'json']):
        run(*options, *change)
        assert len(done(capsys.readouterr().out)) == 3, change


def test_results_in_the_folder_of_the_pictures_are_no_inputs(run, demo_dir, tmp_path, capsys):
    (tmp_path / 'a.jpg').write_bytes((demo_dir / 'data/shapes/val/000001.jpg').read_bytes())
    for times in (1, 0):
        run(str(tmp_path), '--vocab', 'ball')  # which has out/a.png after the first time
        assert len(done(capsys.readouterr().out)) == times


def test_a_full_disk_ends_in_a_sentence(run, demo_dir, tmp_path, monkeypatch):
    write, names = WholeFileBackend.put, []

    def put(self, content, path):
        names.append(path)
        if len(names) > 4:
            raise OSError(errno.ENOSPC, 'No space left on device: make room', str(path))
        write(self, content, path)

    monkeypatch.setattr(WholeFileBackend, 'put', put)
    with pytest.raises(SystemExit, match=r'predict\.py: .*No space left on device.*000002'):
        run('data/shapes/val', '--vocab', 'ball')
    monkeypatch.undo()
    monkeypatch.chdir(demo_dir)
    assert len(files(tmp_path / 'out')) == 4


def test_ctrl_c_ends_in_a_sentence(run, tmp_path, monkeypatch, capsys):
    from mmodise.apis import ODISEInferencer
    label, count = ODISEInferencer.__call__, []

    def interrupted(self, *args, **kwargs):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return label(self, *args, **kwargs)

    monkeypatch.setattr(ODISEInferencer, '__call__', interrupted)
    with pytest.raises(SystemExit) as stop:
        run('data/shapes/val', '--vocab', 'ball')
    assert stop.value.code == 130
    assert 'the same command goes on from there' in capsys.readouterr().err
    assert len(files(tmp_path / 'out')) == 6
    run('data/shapes/val', '--vocab', 'ball')
    assert '2 done in' in capsys.readouterr().out


def test_batches_give_what_single_pictures_give(run, tmp_path):
    options = 'data/shapes/val', '--vocab', 'ball; box', '--stuff', 'grass', '--format', 'json'
    single = files(run(*options))
    run(*options, '--batch-size', '3', '--out-dir', str(tmp_path / 'batches'))
    batches = files(tmp_path / 'batches')
    assert list(batches) == list(single)
    for name, content in single.items():
        one, two = (sorted((s['name'], s['area']) for s in json.loads(text)['segments'])
                    for text in (content, batches[name]))
        assert len(one) == len(two)
        assert all(a[0] == b[0] and abs(a[1] - b[1]) < 50 for a, b in zip(one, two, strict=True))


def test_a_video_becomes_a_video(run, demo_dir, capsys):
    av = pytest.importorskip('av')
    path = demo_dir / 'film.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=5)
        stream.width = stream.height = 128
        for number in (1, 2, 3):
            image = Image.open(demo_dir / f'data/shapes/val/{number:06}.jpg')
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))
    folder = run('film.mp4', '--vocab', 'ball; box', '--every', '2')
    with av.open(str(folder / 'film.mp4')) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2
    run('film.mp4', '--vocab', 'ball; box', '--every', '2')
    assert '1 were done before' in capsys.readouterr().out


def test_formats_are_those_of_the_package(predict):
    assert set(predict.FORMATS) == set(FORMATS)


@pytest.mark.parametrize(('options', 'message'), [
    ([], 'give a picture, a folder'), (['a.jpg', '--workers', '0'], '--workers must be 1 or more'),
    (['a.jpg', '--format', 'gif'], 'invalid choice'),
    (['a.jpg', '--threshold', '1.5'], '--threshold: 1.5 is not a number from 0 to 1')])
def test_options_that_make_no_sense(predict, capsys, options, message):
    with pytest.raises(SystemExit):
        predict.parse_args(options)
    assert message in capsys.readouterr().err


def call(*command, cwd):
    return subprocess.run(
        [sys.executable, '-m', 'mmodise', *map(str, command)], cwd=cwd, text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'})


def test_workers_share_a_folder(demo_dir, tmp_path):
    """The small model that comes with mmodise, through ``python -m mmodise``."""
    (tmp_path / 'bad.jpg').write_text('no picture')
    done = call('predict', demo_dir / 'data/shapes/val', 'bad.jpg', '--workers', '2', '--format',
                'csv', cwd=tmp_path)
    assert done.returncode == 1, done.stderr[-2000:]
    assert '4 done in' in done.stdout and done.stdout.count(' -> ') == 4
    assert done.stderr.rstrip().splitlines()[-2:][0] == 'predict.py: 1 of 5 inputs failed:'
    assert list(files(tmp_path / 'predictions')) == [f'{n:06}.csv' for n in range(1, 5)]
    notes = sorted(path.name for path in (tmp_path / 'predictions/.mmodise').glob('*.jsonl'))
    assert notes == ['done-0.jsonl', 'done-1.jsonl']


def test_python_m_mmodise_answers_before_heavy_imports(tmp_path):
    script = ("import runpy, sys; sys.orig_argv = ['python', '-m', 'mmodise', 'predict', '--help'];"
              "sys.argv = ['-m', 'predict', '--help']\n"
              "import mmodise\n"
              "try:\n    runpy.run_module('mmodise', run_name='__main__', alter_sys=False)\n"
              "finally:\n    print('torch' in sys.modules, file=sys.stderr)")
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=tmp_path, text=True, capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.stdout.startswith('usage: predict.py') and done.stderr == 'False\n'
    listed = call(cwd=tmp_path)
    assert listed.returncode == 0 and 'make_shapes' in listed.stdout
    wrong = call('predikt', cwd=tmp_path)
    assert wrong.returncode == 1 and 'Did you mean predict?' in wrong.stderr
