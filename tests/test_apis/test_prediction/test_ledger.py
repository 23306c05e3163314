import os

import pytest

from mmodise.apis.prediction import Ledger, Settings
from mmodise.vocabulary import Vocabulary


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(b'photo')
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'out'
    (folder / 'inner').mkdir(parents=True)
    (folder / 'inner/a.png').write_bytes(b'result')
    return folder


def note(folder, photo, settings='s', rank=0):
    Ledger(folder, settings, rank).note(str(photo), [folder / 'inner/a.png'])


def test_what_is_done_is_known_later(folder, photo, monkeypatch):
    assert not Ledger(folder, 's').is_done(str(photo))
    note(folder, photo)
    assert Ledger(folder, 's').is_done(str(photo))
    monkeypatch.chdir(photo.parent)
    assert Ledger(folder, 's').is_done('a.jpg'), 'the same file'
    assert not Ledger(folder, 'other settings').is_done(str(photo))


def change_size(folder, photo):
    photo.write_bytes(b'another photo')


def change_time(folder, photo):
    os.utime(photo, (5, 5))


def remove_photo(folder, photo):
    photo.unlink()


def remove_result(folder, photo):
    (folder / 'inner/a.png').unlink()


def cut_result(folder, photo):
    (folder / 'inner/a.png').write_bytes(b'')


@pytest.mark.parametrize('change', [
    change_size, change_time, remove_photo, remove_result, cut_result])
def test_what_has_changed_is_not_done(folder, photo, change):
    note(folder, photo)
    change(folder, photo)
    assert not Ledger(folder, 's').is_done(str(photo))


def test_notes_of_other_processes_and_cut_lines(folder, photo):
    note(folder, photo, rank=3)
    path = folder / '.mmodise/done-3.jsonl'
    path.write_text(path.read_text() + '\n{"source": "b.jpg", "sta')
    (folder / '.mmodise/done-0.jsonl').write_text('null\n[]\n')
    assert Ledger(folder, 's').is_done(str(photo))
    note(folder, photo.parent / 'a.jpg', 'later', rank=3)
    assert Ledger(folder, 'later').is_done(str(photo))


def test_addresses_and_cameras_are_never_done(folder):
    ledger = Ledger(folder, 's')
    for source in ('https://example.org/a.jpg', 0):
        ledger.note(source, [folder / 'inner/a.png'])
        assert not Ledger(folder, 's').is_done(source)


def test_settings_that_matter_have_digests_of_their_own():
    cats, dogs = Vocabulary.from_string('cat; pet'), Vocabulary.from_string('dog; pet')
    same = [Settings(cats, ('csv', 'json'), batch_size=1).digest('config', [1, 2]),
            Settings(cats, ('json', 'csv'), batch_size=8).digest('config', [1, 2])]
    others = [Settings(dogs, ('csv', 'json')).digest('config', [1, 2]),
              Settings(Vocabulary.from_string('', 'cat; pet'), ('csv', 'json')).digest(
                  'config', [1, 2]),
              Settings(cats, ('csv', )).digest('config', [1, 2]),
              Settings(cats, ('csv', 'json'), dict(alpha=0.5)).digest('config', [1, 2]),
              Settings(cats, ('csv', 'json')).digest('config', [1, 3]),
              Settings(cats, ('csv', 'json')).digest('another', [1, 2])]
    assert len({*same, *others}) == 7
