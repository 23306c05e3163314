import os
import unicodedata

import pytest

from mmodise.apis import ResultFolder


def result(content, *endings):
    return lambda stem: {f'{stem}{ending}': content for ending in endings or ('.png', )}


def write(folder, *stems, endings=('.png', '_panoptic.png', '_panoptic.json')):
    return [folder.write(stem, result(f'{number} {stem}'.encode(), *endings))[0].name
            for number, stem in enumerate(stems)]


@pytest.mark.parametrize(('stems', 'names'), [
    (('x', 'x', 'y', 'x'), ['x', 'x_2', 'y', 'x_3']),
    (('x', 'X'), ['x', 'X_2']),
    (('straße', 'STRASSE'), ['straße', 'STRASSE_2']),
    (('é', unicodedata.normalize('NFD', 'é')), ['é', unicodedata.normalize('NFD', 'é') + '_2']),
    (('a', 'a_panoptic'), ['a', 'a_panoptic_2']),
    (('a_panoptic', 'a'), ['a_panoptic', 'a_2']),
    (('x_2', 'x', 'x'), ['x_2', 'x', 'x_3'])])
def test_results_of_a_run_never_share_a_file(tmp_path, stems, names):
    assert write(ResultFolder(tmp_path / 'new'), *stems) == [f'{name}.png' for name in names]
    files = list((tmp_path / 'new').iterdir())
    assert len(files) == 3 * len(stems)
    for number, (stem, name) in enumerate(zip(stems, names, strict=True)):
        assert (tmp_path / f'new/{name}_panoptic.json').read_text() == f'{number} {stem}'


@pytest.mark.parametrize('there', ['a.png', 'a_panoptic.png', 'a_panoptic.json', 'a.png.part'])
def test_one_name_that_is_taken_numbers_all_of_a_result(tmp_path, there):
    (tmp_path / there).write_text('of the user')
    assert write(ResultFolder(tmp_path), 'a') == ['a_2.png']
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [there, 'a_2.png', 'a_2_panoptic.png', 'a_2_panoptic.json'])
    assert (tmp_path / there).read_text() == 'of the user'


@pytest.mark.parametrize('kind', ['folder', 'link', 'dangling link'])
def test_folders_and_links_are_files_of_the_user_too(tmp_path, kind):
    picture, out = tmp_path / 'picture.png', tmp_path / 'out'
    out.mkdir()
    picture.write_text('of the user')
    if kind == 'folder':
        (out / 'a.png').mkdir()
    else:
        (out / 'a.png').symlink_to(picture if kind == 'link' else tmp_path / 'nowhere.png')
    assert write(ResultFolder(out), 'a') == ['a_2.png']
    assert picture.read_text() == 'of the user' and not (tmp_path / 'nowhere.png').exists()


def test_a_repeated_run_finds_its_files_and_another_one_keeps_them(tmp_path):
    def run(content):
        folder = ResultFolder(tmp_path)
        return [folder.write('x', result(content))[0].name for _ in range(2)]

    assert run(b'first') == run(b'first') == ['x.png', 'x_2.png']
    written = {path.name: os.stat(path).st_mtime_ns for path in tmp_path.iterdir()}
    assert run(b'first') == ['x.png', 'x_2.png']
    assert written == {path.name: os.stat(path).st_mtime_ns for path in tmp_path.iterdir()}
    assert run(b'second') == ['x_3.png', 'x_4.png']
    assert (tmp_path / 'x.png').read_bytes() == b'first'
    (tmp_path / 'x.png').write_bytes(b'painted over')
    assert run(b'first') == ['x_2.png', 'x_5.png']
    assert (tmp_path / 'x.png').read_bytes() == b'painted over'


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / 'out').write_text('')
    with pytest.raises(NotADirectoryError, match=r'out is a file; results are written into'):
        ResultFolder(tmp_path / 'out')
