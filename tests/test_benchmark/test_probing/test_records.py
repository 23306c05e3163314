"""The folder of a probe, and how what is in it is ranked."""

import json

import pytest

from mmodise.benchmark.probing.records import ProbeFolder, Record
from mmodise.benchmark.probing.report import format_table, ranked

RECORDS = [Record('a1', None, 8, 4, True, 30., 60., 20., 50.),
           Record('b1', 100, 16, 8, False, 40.04, 70., 10., 40.),
           Record('b1', 0.5, 16, 8, False, 35., 65., 25., 55.)]


def test_records_are_kept_as_they_come_and_lines_cut_short_are_left_out(tmp_path):
    folder = ProbeFolder(tmp_path / 'new/probe', dict(seed=0))
    assert folder.read() == {}
    folder.add(RECORDS[:1])
    with (tmp_path / 'new/probe/records.jsonl').open('a') as file:
        file.write('{"map": "b1", "noi')
    again = ProbeFolder(tmp_path / 'new/probe', dict(seed=0))
    again.add(RECORDS[1:])
    assert list(again.read().values()) == RECORDS
    assert list(again.read()) == [('a1', None), ('b1', 100), ('b1', 0.5)]


def test_nothing_of_another_run_is_touched(tmp_path):
    ProbeFolder(tmp_path / 'a', dict(seed=5))  # failed before there was a record
    ProbeFolder(tmp_path / 'a', dict(seed=0, cells=100, images=(1, 2))).add(RECORDS)
    ProbeFolder(tmp_path / 'a', dict(seed=0, cells=100, images=(1, 2)))  # JSON has lists
    with pytest.raises(FileExistsError, match='seed: 0 there, 1 now; split: None there, val now'):
        ProbeFolder(tmp_path / 'a', dict(seed=1, cells=100, images=(1, 2), split='val'))
    assert json.loads((tmp_path / 'a/settings.json').read_text())['seed'] == 0
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b/table.md').write_text('mine')
    (tmp_path / 'c').write_text('mine')
    for name in 'bc':
        with pytest.raises(FileExistsError, match='holds something that is not of a probe'):
            ProbeFolder(tmp_path / name, dict(seed=0))
    assert [path.name for path in (tmp_path / 'b').iterdir()] == ['table.md']


def test_the_best_linear_probe_comes_first():
    lines = format_table(ranked(RECORDS), 'timestep').splitlines()
    assert lines[0].startswith('|  | map | timestep | channels | stride | by the config | ')
    assert lines[2:] == ['| 1 | b1 | 100 | 16 | 8 |  | 40.0 | 70.0 | 10.0 | 40.0 |',
                         '| 2 | b1 | 0.5 | 16 | 8 |  | 35.0 | 65.0 | 25.0 | 55.0 |',
                         '| 3 | a1 |  | 8 | 4 | read | 30.0 | 60.0 | 20.0 | 50.0 |']
