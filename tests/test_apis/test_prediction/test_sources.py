from pathlib import Path

import pytest

from mmodise.apis.prediction import Job, list_jobs


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder with pictures, a video, results, and what is no input."""
    for name in ('photos/a.jpg', 'photos/B.PNG', 'photos/inner/a.jpg', 'photos/film.MP4',
                 'photos/notes.md', 'photos/.hidden/a.jpg', 'photos/out/a.png', 'list/c.jpg'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*inputs, out='photos/out', cameras=()):
    return list_jobs(inputs, Path(out), cameras)


def test_a_folder_with_all_below_it_but_the_results(tree):
    assert found('photos') == [
        Job('photos/B.PNG', 'B'), Job('photos/a.jpg', 'a'), Job('photos/film.MP4', 'film', True),
        Job('photos/inner/a.jpg', 'inner/a')]
    assert Job('photos/out/a.png', 'out/a') in found('photos', out='elsewhere')


def test_a_pattern_keeps_the_folders_below_its_fixed_part(tree):
    assert found('photos/**/a.*') == [
        Job('photos/a.jpg', 'a'), Job('photos/inner/a.jpg', 'inner/a')]
    none, = found('photos/*.gif')
    assert none.problem == 'there are no pictures or videos'


def test_a_file_is_taken_wherever_it_lies_and_once(tree):
    assert found('photos/out/a.png', 'photos/inner/a.jpg', 'photos/inner/a.jpg') == [
        Job('photos/out/a.png', 'a'), Job('photos/inner/a.jpg', 'a')]
    assert found('missing.jpg') == [Job('missing.jpg', 'missing')], 'told when it is read'


def test_a_list_names_any_of_these(tree):
    (tree / 'list/all.txt').write_text('c.jpg\n\nphotos/inner\r\nphotos/*.jpg\nother.txt\n')
    assert found('list/all.txt') == [
        Job('list/c.jpg', 'c'), Job('photos/inner/a.jpg', 'a'), Job('photos/a.jpg', 'a'),
        Job('other.txt', 'other.txt', problem='list/all.txt: a list cannot hold a list')]


@pytest.mark.parametrize(('content', 'message'), [
    (None, 'there is no such file'), (b'\xff\xfe\x00\xff', 'this is no list of inputs')])
def test_what_is_no_list_is_told(tree, content, message):
    if content:
        (tree / 'bad.txt').write_bytes(content)
    job, = found('bad.txt')
    assert message in job.problem


def test_addresses_and_cameras(tree):
    assert found(
        'https://example.org/x/cat.jpg?size=1', 'rtsp://example.org/live', cameras=[0]) == [
        Job('https://example.org/x/cat.jpg?size=1', 'cat'),
        Job('rtsp://example.org/live', 'live', True), Job(0, 'camera_0', True)]


def test_names_with_brackets_are_files_first(tree):
    (tree / 'photos/a[1].jpg').write_bytes(b'')
    assert found('photos/a[1].jpg') == [Job('photos/a[1].jpg', 'a[1]')]
