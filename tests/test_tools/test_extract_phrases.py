import json

import pytest
from mmdet.registry import DATASETS

from mmodise.phrases import PhraseExtractor, extract_phrases, many_captions

CAPTIONS = ['Dogs on green grass.', 'A man riding a red bicycle', 'is it there?', '']


@pytest.fixture
def tool(load_tool):
    """Run the tool as from the command line."""
    tool = load_tool('extract_phrases')
    return lambda *arguments: tool.main([str(argument) for argument in arguments])


def write(path, captions):
    annotations = [dict(id=i, image_id=i // 2, caption=text) for i, text in enumerate(captions)]
    path.write_text(json.dumps(dict(info=dict(year=2017), images=[], annotations=annotations)))
    return path


def test_phrases_are_written_beside_captions(tool, tmp_path, capsys):
    source = write(tmp_path / 'captions.json', CAPTIONS)
    tool(source, tmp_path / 'new/phrases.json', '--extractor', 'builtin', '--workers', 2)
    content = json.loads((tmp_path / 'new/phrases.json').read_text())
    assert [a.pop('phrases') for a in content['annotations']] == [
        ['dogs', 'green grass', 'dogs on green grass'], ['man', 'red bicycle'], [], []]
    assert content['info'].pop('phrase_extractor') == 'builtin'
    assert content == json.loads(source.read_text())
    out, progress = capsys.readouterr()
    assert '5 phrases of 4 captions, of which 2 have none, by builtin' in out
    assert 'Captions: 100%' in progress and '4/4' in progress


@pytest.mark.parametrize('workers', [1, 2])
def test_order_is_kept_by_any_number_of_workers(workers, monkeypatch):
    monkeypatch.setattr(many_captions, 'CHUNK', 7)
    captions = [f'a {chr(97 + i // 26)}{chr(97 + i % 26)}x' for i in range(100)]
    found = extract_phrases(captions, PhraseExtractor('builtin'), workers)
    assert found == [[caption[2:]] for caption in captions]


def test_the_data_set_reads_what_is_written(tool, demo_dir, tmp_path):
    root = demo_dir / 'data/shapes'
    tool(root / 'annotations/captions_train.json', tmp_path / 'phrases.json',
         '--extractor', 'builtin')
    infos = {}
    for name in ('annotations/captions_train.json', str(tmp_path / 'phrases.json')):
        infos[name] = list(DATASETS.build(dict(
            type='CaptionedImagesDataset', data_root=str(root), ann_file=name, pipeline=[],
            data_prefix=dict(img='train/'), serialize_data=False)))
    plain, prepared = infos.values()
    extract = PhraseExtractor('builtin')
    assert len(plain) == len(prepared) == 4
    for before, after in zip(plain, prepared, strict=True):
        assert after['captions'] == before['captions'] and 'phrases' not in before
        assert after['phrases'] == [extract(caption) for caption in before['captions']]


def test_what_has_phrases_already_is_refused(tool, tmp_path):
    path = write(tmp_path / 'captions.json', ['a dog on the grass'])
    tool(path, path, '--extractor', 'builtin')
    with pytest.raises(ValueError, match='has phrases already: extract from the original file'):
        tool(path, path, '--extractor', 'builtin')


def test_nothing_is_written_if_the_file_is_bad(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.json is not there'):
        tool(tmp_path / 'nowhere.json', tmp_path / 'out.json', '--extractor', 'builtin')
    assert list(tmp_path.iterdir()) == []
