"""What fine-tuning keeps: data of one's own, records, and the table of docs/finetuning.md."""

import json
from pathlib import Path

import pytest
from PIL import Image

from mmodise.benchmark import finetuning_report
from mmodise.benchmark.finetuning_run import GROUPS

DOCS = Path(__file__).parents[2] / 'docs'


@pytest.fixture(scope='module')
def finished(load_tool, tmp_path_factory):
    """Two iterations of the recipe, and the command for it."""
    folder = tmp_path_factory.mktemp('finetuning')
    command = ['--lines', 'before', 'recipe', '--seeds', '0', '--max-iters', '2', '--num-test',
               '8', '--work-dir', str(folder / 'work'), '--docs', str(folder / 'docs')]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', str(DOCS.parent))
        patch.setenv('OMP_NUM_THREADS', '1')
        load_tool('compare_finetuning').main(command)
    return folder, command


def test_own_pictures_show_classes_that_are_not_annotated(finished):
    path = finished[0] / 'work/data/own_0/annotations/panoptic_val.json'
    content = json.loads(path.read_text())
    assert [category['name'] for category in content['categories']] == [
        'red box', 'blue star', 'snow']
    assert all(annotation['segments_info'] for annotation in content['annotations'])
    assert 20 <= len(content['images']) < 60
    for annotation in content['annotations'][:5]:
        image = Image.open(path.parent / 'panoptic_val' / annotation['file_name'])
        void = sum(count for count, colour in image.getcolors() if colour == (0, 0, 0))
        areas = sum(segment['area'] for segment in annotation['segments_info'])
        assert void + areas == 128 * 128 and void > 0


def test_records_have_all_groups_for_all_shares(finished):
    before, recipe = map(json.loads, (
        finished[0] / 'docs/finetuning/records.jsonl').read_text().splitlines())
    assert (before['iterations'], recipe['iterations']) == (0, 2)
    assert [*before['shares']] == ['0']
    assert [*recipe['shares']] == ['0', '0.25', '0.5', '0.75', '1']
    assert all(set(values) == set(GROUPS) and all(0 <= v <= 100 for v in values.values())
               for run in (before, recipe) for values in run['shares'].values())
    # two iterations with a rate that is just rising change little
    assert recipe['shares']['1']['base'] == pytest.approx(recipe['shares']['0']['base'], abs=5)


def test_a_finished_run_is_not_repeated(finished, load_tool, monkeypatch, capsys):
    tool = load_tool('compare_finetuning')
    monkeypatch.setattr('mmodise.benchmark.runs.start', pytest.fail)
    tool.main(finished[1])
    assert '| before | 1 |' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='--lines plian: expected some of before, plain'):
        tool.main(['--lines', 'plian'])


def test_the_page_has_the_table_of_its_records():
    records = finetuning_report.read_records(DOCS / 'finetuning/records.jsonl')
    assert finetuning_report.format_table(records) in (DOCS / 'finetuning.md').read_text()


def test_the_table_of_given_records():
    def run(never, **shares):
        return dict(shares={share: dict(annotated=1.0, never=never * value, base=2.0)
                            for share, value in shares.items()})

    half = {'1': 1.0, '0.5': 1.5, '0.75': 1.2}
    records = {'before': {0: run(40.0, **{'0': 1.0})}, 'plain': {0: run(20, **half),
               1: run(24, **half)}, 'all-count': {}, 'recipe': {0: run(36, **half)}}
    rows = finetuning_report.format_table(records).splitlines()
    assert '| plain fine-tuning | 2 | 1.0 ± 0.0 | 22.0 ± 2.8 | 2.0 ± 0.0 | 55% |' in rows
    assert '| plain, averaged with before | 2 | 1.0 ± 0.0 | 33.0 ± 4.2 | 2.0 ± 0.0 | 82% |' in rows
    assert '| own and original pictures, void ignored | 1 | 1.0 | 36.0 | 2.0 | 90% |' in rows
