"""The command that checks data: exit codes, what it prints, and what it writes."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'


@pytest.fixture
def folder(demo_dir, tmp_path, monkeypatch):
    """A folder to run the small recipe in."""
    shutil.copytree(demo_dir / 'data', tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(load_tool, folder):
    """Run the command; its exit code."""
    def run(*argv):
        with pytest.raises(SystemExit) as caught:
            load_tool('check_dataset').main(list(map(str, argv)))
        return caught.value.code
    return run


def test_a_config_of_good_sets(run, folder, capsys):
    assert run(CONFIG, '--out', 'new/report.json') == 0
    report = json.loads((folder / 'new/report.json').read_text())
    assert (report['errors'], [each['name'] for each in report['sets']]) == (
        0, ['train', 'val and test'])
    assert report['sets'][0]['images'] == 4 and len(report['sets'][1]['classes']) == 24
    with Image.open(folder / report['picture']) as picture:
        assert picture.width > 3 * 480
    out, progress = capsys.readouterr()
    assert '8/8' in progress and '0 errors, ' in out


def test_errors_in_a_folder(run, folder, capsys):
    root = folder / 'data/shapes'
    (root / 'train/000002.jpg').write_bytes(b'hello')
    (root / 'annotations/panoptic_train/000003.png').unlink()
    maps = root / 'annotations/panoptic_train'
    assert run('--img-dir', root / 'train', '--ann-file', maps.with_suffix('.json'),
               '--seg-dir', maps, '--out', 'report.json') == 1
    found = {finding['id']: finding for finding in json.loads(
        (folder / 'report.json').read_text())['sets'][0]['findings']}
    assert found['images-that-cannot-be-read']['severity'] == 'error'
    assert found['maps-that-are-not-there']['count'] == 1
    assert found['maps-that-are-not-there']['examples'][0].endswith(
        'annotations/panoptic_train/000003.png, of image 3 (000003.jpg)')
    out = capsys.readouterr().out
    assert 'ERROR      1  images that cannot be read [images-that-cannot-be-read]' in out
    assert 'train/000002.jpg cannot be read; it is no image' in out and '\n2 errors, ' in out


@pytest.mark.parametrize('option', ['--out', '--picture'])
def test_nothing_of_the_users_is_overwritten(run, folder, option):
    name = {'--out': 'data/shapes/annotations/panoptic_train.json',
            '--picture': 'data/shapes/annotations/panoptic_train/000001.png'}[option]
    before = (folder / name).read_bytes()
    assert f'{name} is there, and was not written by this command' in run(CONFIG, option, name)
    assert (folder / name).read_bytes() == before
    own = f'own{Path(name).suffix}'
    assert [run(CONFIG, option, own) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize('argv', [
    [], [CONFIG, '--ann-file', 'x', '--img-dir', 'y'], ['--ann-file', 'x'],
    [CONFIG, '--workers', '0']])
def test_options_that_do_not_go_together(run, argv):
    assert run(*argv) == 2


def test_a_config_that_is_not_there(run):
    assert 'There is no config nowhere.py' in run('nowhere.py')
