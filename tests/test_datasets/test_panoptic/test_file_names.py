"""Names and folders: the annotation's own name is honoured, and no two images share a map."""

import json
import shutil

import pytest

from mmodise.datasets.panoptic import FolderListings, result_names


def rename(small_set, images, maps):
    for image, annotation, image_name, map_name in zip(
            small_set.content['images'], small_set.content['annotations'], images, maps,
            strict=True):
        image['file_name'], annotation['file_name'] = image_name, map_name


def assert_right(small_set, small):
    assert small_set.trained() == small_set.right
    assert {kind: small_set.evaluate(kind) for kind in small.METRIC_TYPES} == small.PERFECT


NAMES = {
    'maps of their own names': (['1.jpg', '2.jpg', '3.jpg'],
                                ['1_GT.png', 'two.png', '3_gtFine_panoptic.png']),
    'maps that are called like other images': (['1.jpg', '2.jpg', '3.jpg'],
                                               ['2.png', '3.png', '1.png']),
    'endings': (['1.JPG', '2.jpeg', '3.JPEG'], ['1.png', '2.png', '3.PNG']),
    'other formats': (['1.png', '2.bmp', '3.webp'], ['1.tif', '2.bmp', '3.tiff']),
    'one name in two folders': (['day/1.jpg', 'night/1.jpg', 'night/2.jpg'],
                                ['day/1.png', 'night/1.png', 'night/2.png']),
    'one stem with two endings': (['1.jpg', '1.png', '1.jpeg'], ['1.png', '2.png', '3.png']),
    'dots': (['a.jpg.b.jpg', '..b.jpg', 'v1.2.3.jpg'], ['a.jpg.b.png', '..b.png', 'v1.2.png']),
    'blanks and signs': (['100% [x].jpg', 'a b  (1).jpg', "it's #1; & co.jpg"],
                         ['100% [x].png', 'a b  (1).png', "it's #1; & co.png"]),
    'other letters': (['Zürich Straße.jpg', '猫 (1).jpg', 'Ωμέγα.jpg'],
                      ['Zürich Straße.png', '猫 (1).png', 'Ωμέγα.png']),
    'deep folders': (['a/b/c/1.jpg', 'a/b/1.jpg', 'a/1.jpg'],
                     ['x/1.png', 'x/y/1.png', 'x/y/z/1.png']),
    'out of the folder and back': (['../images/1.jpg', './2.jpg', 'a/../3.jpg'],
                                   ['../maps/1.png', './2.png', '../other/3.png']),
    'percent signs that mean nothing': (['50%.jpg', '%20.jpg', 'a%2Fb.jpg'],
                                        ['50%.png', '%20.png', 'a%2Fb.png'])}


@pytest.mark.parametrize('case', NAMES)
def test_the_files_that_are_named_are_read(small_set, small, case):
    rename(small_set, *NAMES[case])
    (small_set.root / 'images/a').mkdir(parents=True)
    small_set.save()
    assert_right(small_set, small)


@pytest.mark.parametrize('case', NAMES)
def test_results_have_names_of_their_own_inside_their_folder(small_set, small, case, tmp_path):
    rename(small_set, *NAMES[case])
    (small_set.root / 'images/a').mkdir(parents=True)
    small_set.save()
    before = {path for path in tmp_path.rglob('*') if path.is_file()}
    for kind in ('CocoPanopticMetric', 'OpenVocabularyPanopticMetric'):
        prefix = tmp_path / kind / 'results'
        assert small_set.evaluate(kind, outfile_prefix=str(prefix)) == 100
        written = json.loads((tmp_path / kind / 'results.panoptic.json').read_text())
        names = [annotation['file_name'] for annotation in written['annotations']]
        files = {path for path in tmp_path.rglob('*') if path.is_file()} - before
        inside = {path for path in files if path.is_relative_to(f'{prefix}.panoptic')}
        assert len(set(names)) == 3 and inside == {
            prefix.with_suffix('.panoptic') / name for name in names}
        assert files - inside == {tmp_path / kind / 'results.panoptic.json'}
        shutil.rmtree(tmp_path / kind)
    small_set.figures('OpenVocabularySemanticMetric', output_dir=str(tmp_path / 'semantic'))
    assert len(list((tmp_path / 'semantic').rglob('*.png'))) == 3
    assert {path for path in tmp_path.rglob('*') if path.is_file()} - before == {
        path for path in (tmp_path / 'semantic').rglob('*') if path.is_file()}


@pytest.mark.parametrize(('listed', 'on_disk'), [
    ('night\\1', 'night/1'), ('.\\1', '1'), ('a\\b\\1', 'a/b/1'), ('night%201', 'night 1'),
    ('Stra%C3%9Fe', 'Straße'), ('a%2Fb', 'a/b'), ('caf\u00e9', 'cafe\u0301'),
    ('cafe\u0301', 'caf\u00e9')])
def test_names_that_other_systems_wrote(small_set, small, listed, on_disk):
    """Backslashes of Windows, addresses of labelling tools, accents of macOS."""
    rename(small_set, [f'{on_disk}.jpg', '2.jpg', '3.jpg'], [f'{on_disk}.png', '2.png', '3.png'])
    small_set.save()
    rename(small_set, [f'{listed}.jpg', '2.jpg', '3.jpg'], [f'{listed}.png', '2.png', '3.png'])
    small_set.save_json()
    assert_right(small_set, small)


def test_absolute_names(small_set, small):
    images, maps = small_set.root / 'images', small_set.root / 'maps'
    numbers = (1, 2, 3)
    rename(small_set, [f'{images}/{i}.jpg' for i in numbers], [f'{maps}/{i}.png' for i in numbers])
    small_set.save()
    assert_right(small_set, small)


@pytest.mark.parametrize('name', ['missing', None, ''])
def test_a_map_without_a_name_is_called_like_its_image(small_set, small, name):
    """As mmdet has it, whatever the image's ending."""
    rename(small_set, ['1.JPG', 'b.c.jpeg', '3.png'], ['1.png', 'b.c.png', '3.png'])
    small_set.save()
    for annotation in small_set.content['annotations']:
        annotation['file_name'] = name
        if name == 'missing':
            del annotation['file_name']
    small_set.save_json()
    assert_right(small_set, small)


@pytest.mark.parametrize(('images', 'maps', 'message'), [
    (['1.jpg', '2.jpg', '3.jpg'], ['1.png', '1.png', '3.png'],
     r'images with the map of another: image 2 \(2\.jpg\) and image 1 \(1\.jpg\), 1\.png'),
    (['1.jpg', '2.jpg', '3.jpg'], ['1.png', './1.png', 'a/../1.png'], '2 images with the map of'),
    (['1.jpg', '1.png', '3.jpg'], [None, None, None], r'image 2 \(1\.png\) and image 1 \(1\.jpg\)'),
    (['a/1.jpg', 'a\\1.png', '3.jpg'], [None, None, None], 'with the map of another')])
def test_two_images_never_share_a_map(small_set, small, images, maps, message):
    rename(small_set, images, maps)
    small_set.save_json()
    with pytest.raises(ValueError, match=message):
        small_set.build()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.metric(kind)


def test_missing_files_are_refused_when_the_set_is_built(small_set):
    small_set.save()
    small_set.image(2)['file_name'] = '2.JPG'
    small_set.save_json()
    with pytest.raises(FileNotFoundError, match=r'1 of 3 images .*/2\.JPG\. .* There is 2\.jpg;'):
        small_set.build()
    small_set.image(2)['file_name'] = '2.jpg'
    small_set.annotation(3)['file_name'] = '3_panoptic.png'
    small_set.save_json()
    with pytest.raises(FileNotFoundError, match=r'1 of 3 annotation maps .*maps/3_panoptic\.png'):
        small_set.build()


def test_metrics_without_any_map_are_refused_when_they_are_built(small_set, small):
    small_set.save()
    shutil.rmtree(small_set.root / 'maps')
    for kind in small.METRIC_TYPES:
        with pytest.raises(FileNotFoundError, match=r"None of the 3 maps .* '1\.png', is in"):
            small_set.metric(kind)


@pytest.mark.parametrize('kind', ['CocoPanopticMetric', 'OpenVocabularySemanticMetric'])
def test_metrics_need_to_know_where_maps_are(small_set, kind):
    small_set.save()
    with pytest.raises(ValueError, match='needs a seg_prefix, the folder of its maps'):
        small_set.metric(kind, seg_prefix=None)


# Test images, which have no annotations


@pytest.mark.parametrize('seg', ['none', None, '', 'maps/'])
def test_test_images_have_no_annotations(small_set, small, seg):
    del small_set.content['annotations']
    small_set.save()
    prefix = dict(img='images/') if seg == 'none' else dict(img='images/', seg=seg)
    dataset = small_set.build(test_mode=True, data_prefix=prefix, pipeline=(
        dict(type='LoadImageFromFile'), small.PACK))
    assert len(list(dataset)) == 3 and dataset.get_data_info(0)['seg_map_path'] is None


def test_training_needs_annotations(small_set):
    del small_set.content['annotations']
    small_set.save()
    with pytest.raises(ValueError, match='3 images, none of which has an annotation'):
        small_set.build()


@pytest.mark.parametrize('kind', [
    'CocoPanopticMetric', 'OpenVocabularyPanopticMetric', 'OpenVocabularyInstanceMetric',
    'OpenVocabularySemanticMetric'])
@pytest.mark.parametrize('seg', [True, False])
def test_results_of_test_images_are_written_as_files(small_set, small, tmp_path, kind, seg):
    del small_set.content['annotations']
    small_set.save()
    settings = dict(format_only=True, outfile_prefix=str(tmp_path / 'out/results'))
    if kind == 'OpenVocabularySemanticMetric':
        settings = dict(format_only=True, output_dir=str(tmp_path / 'out'))
    if not seg or kind == 'OpenVocabularyInstanceMetric':
        settings['seg_prefix'] = None
    assert small_set.figures(kind, **settings) == {}
    assert len(list((tmp_path / 'out').rglob('*.*g' if kind != 'OpenVocabularyInstanceMetric'
                                             else '*.json'))) >= 2


@pytest.mark.parametrize('kind', ['CocoPanopticMetric', 'OpenVocabularySemanticMetric',
                                  'OpenVocabularyInstanceMetric'])
def test_what_is_not_annotated_cannot_be_evaluated(small_set, kind):
    del small_set.content['annotations']
    small_set.save()
    with pytest.raises(ValueError, match='3 images, none of which has an annotation'):
        small_set.metric(kind)
    if kind == 'OpenVocabularyInstanceMetric':
        with pytest.raises(ValueError, match="file without 'annotations'"):
            small_set.metric(kind, seg_prefix=None)


def test_format_only_needs_a_place(small_set):
    small_set.save()
    with pytest.raises(ValueError, match='format_only=True needs an outfile_prefix'):
        small_set.metric('CocoPanopticMetric', format_only=True)


# By themselves


@pytest.mark.parametrize(('names', 'expected'), [
    (['a.jpg', 'b.jpg'], ['a.png', 'b.png']),
    (['x/a.jpg', 'y/b.JPEG'], ['a.png', 'b.png']),
    (['x/a.jpg', 'y/a.jpg'], ['x/a.png', 'y/a.png']),
    (['a.jpg', 'a.png'], ['a_0.png', 'a_1.png']),
    (['a.jpg', 'A.jpg'], ['a_0.png', 'A_1.png']),
    (['../../etc/a.jpg', '/etc/a.jpg'], ['etc/a_0.png', 'etc/a_1.png']),
    (['C:\\x\\a.jpg', 'D:\\y\\a.jpg'], ['x/a.png', 'y/a.png']),
    (['..', '.'], ['image_0.png', 'image_1.png'])])
def test_names_of_results(names, expected):
    assert list(result_names(dict(enumerate(names))).values()) == expected


def test_the_name_itself_comes_first(tmp_path):
    """A file may really be called so."""
    for name in ('a%20b.png', 'a b.png', 'c\\d.png'):
        (tmp_path / name).touch()
    listings = FolderListings()
    assert listings.find(str(tmp_path), 'a%20b.png') == str(tmp_path / 'a%20b.png')
    assert listings.find(str(tmp_path), 'c\\d.png') == str(tmp_path / 'c\\d.png')
    assert listings.find(str(tmp_path), 'A b.png') is None
    assert listings.nearest(str(tmp_path / 'A B.png')) == 'a b.png'
