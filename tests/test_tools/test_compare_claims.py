"""Claims: runs leave records and are not repeated; the page says what the records say."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

TOOLS = Path(__file__).parents[2] / 'tools'
OPTIONS = ['train_dataloader.batch_size=2', 'test_dataloader.batch_size=2']
GROUPS = 'all', 'base', 'novel'


@pytest.fixture(scope='module')
def tools(load_tool):
    """The tool, and what it runs and reports with."""
    return {'compare_claims': load_tool('compare_claims'),
            **{name: importlib.import_module(f'mmodise.benchmark.{name}')
               for name in ('claim_run', 'claim_runs', 'comparison', 'comparisons', 'runs')}}


@pytest.fixture
def report(tools):
    """The comparison of the claims."""
    return tools['comparisons'].COMPARISONS['claims']


def make_record(report, line, seed, base, novel=1.0, **kwargs):
    """A record of 10 iterations; CLIP gives 2 PQ to base classes."""
    def results(base):
        return {group: dict(PQ=value, SQ=50.0, RQ=50.0)
                for group, value in zip(GROUPS, (base - 1, base, novel), strict=True)}

    return dict(
        config=Path(report.lines[line][0]).stem, seed=seed, iterations=10, batch_size=4,
        date='2026-01-01', machine='a machine', shares=[0.3, 0.7], with_clip=results(base),
        without_clip=results(base - 2), cost=dict(
            seconds_per_iteration=0.25 * (seed + 1), trained_parameters=1_500_000,
            backbone_gflops=2.5), **kwargs)


def grid(base):
    """PQ of base classes falls with alpha, that of novel ones rises with beta."""
    steps = 0.0, 0.5, 1.0
    return [dict(alpha=alpha, beta=beta, base=base - alpha, novel=beta, all=0.0)
            for alpha in steps for beta in steps]


def write_records(docs, records):
    (docs / 'claims').mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(record) + '\n' for record in records]
    (docs / 'claims/records.jsonl').write_text(''.join(lines))


def row(page, label):
    cells, = re.findall(rf'^\| {re.escape(label)} \| (.*) \|$', page, re.M)
    return cells.split(' | ')


def test_the_page_of_given_records(report, tmp_path):
    write_records(tmp_path, [
        *(make_record(report, 'recipe', seed, base, grid=grid(base))
          for seed, base in enumerate((39.0, 40.0, 41.0))),
        *(make_record(report, 'random', seed, base)
          for seed, base in enumerate((30.0, 33.0, 36.0))),
        make_record(report, 'random', 1, 34.0) | dict(iterations=11),  # not of this comparison
        make_record(report, 'r18', 0, 45.0, novel=None)])
    page = report.write_report(tmp_path, max_iters=10).read_text()
    assert row(page, 'recipe') == [
        '3', '40.0 ± 1.0', '1.0 ± 0.0', '39.0 ± 1.0', '38.0 ± 1.0', '1.0 ± 0.0', '37.0 ± 1.0',
        '0.25', '2.5', '1.50']
    assert row(page, 'random diffusion model')[:2] == ['3', '33.0 ± 3.0']
    assert row(page, 'ResNet-18')[:4] == ['1', '45.0', '-', '44.0']
    assert row(page, 'recipe against random diffusion model') == [
        '+7.0 (± 4.0), **shows**', '+0.0 (± 0.0), does not show', '+7.0 (± 4.0), **shows**']
    assert row(page, 'recipe against ResNet-18') == [
        '-5.0, one seed: no verdict', '-', '-5.0, one seed: no verdict']
    assert row(page, 'recipe against its head alone')[0] == '+2.0 (± 2.0), does not show'
    assert row(page, 'recipe against timestep 300') == ['not run'] * 3
    assert 'base PQ is largest, 40.0, at alpha 0.0 and beta 0.0' in page
    assert 'novel PQ is largest, 1.0, at alpha 0.0 and beta 1.0' in page
    assert 'Iterations: 10, of 4 images. Seeds: 0, 1, 2.' in page
    assert 'the recipe 0.25, the ResNet-18 0.25 seconds an iteration' in page
    for picture in re.findall(r'!\[.*\]\((.*)\)', page):
        assert Image.open(tmp_path / picture).width >= 960
    for link in re.findall(r'(?<!!)\[.*\]\((.*)\)', page):
        assert (TOOLS.parent / 'docs' / link).exists()


@pytest.mark.parametrize(
    'name', ['captioners', 'claims', 'consistency', 'generators', 'recipes'])
def test_the_shipped_pages_are_those_of_their_records(tools, tmp_path, name):
    """The page in docs/, to the letter."""
    docs = TOOLS.parent / 'docs'
    for records in docs.glob('*/records.jsonl'):
        (tmp_path / records.parent.name).mkdir()
        shutil.copy(records, tmp_path / records.parent.name)
    page = tools['comparisons'].COMPARISONS[name].write_report(tmp_path)
    assert page.read_text() == (docs / f'{name}.md').read_text()


def test_gains_over_the_recipe_and_borrowed_records(tools, tmp_path):
    """Another table: what its lines add, over the same recipe's records of another one."""
    comparison = tools['comparisons'].COMPARISONS['consistency']
    write_records(tmp_path, [
        make_record(comparison, 'recipe', seed, 40.0 + seed) for seed in range(3)])
    (tmp_path / 'consistency').mkdir()
    comparison.records_file(tmp_path).write_text(''.join(
        json.dumps(make_record(comparison, 'all', seed, 45.0 + seed)) + '\n' for seed in range(3)))
    page = comparison.write_report(tmp_path, max_iters=10)
    assert page.name == 'consistency.md' and (tmp_path / 'images/consistency.png').is_file()
    assert row(page.read_text(), 'all terms against recipe')[0] == '+5.0 (± 2.0), **shows**'
    assert 'A gain *shows* where' in page.read_text() and 'Paper:' not in page.read_text()


def test_what_generators_cost_at_full_size(tools, tmp_path):
    """Operations of Stable Diffusion 1.x: VAE encoder 1,117, UNet 740 and VAE decoder 623 GFLOP."""
    comparison = tools['comparisons'].COMPARISONS['generators']
    (tmp_path / 'generators').mkdir()
    comparison.records_file(tmp_path).write_text(
        json.dumps(make_record(comparison, 'recipe', 0, 40.0)) + '\n')
    page = comparison.write_report(tmp_path, max_iters=10).read_text()
    cells = [cell.strip() for cell in page.split('| Stable Diffusion 1.x |')[1].split('|')[:4]]
    assert cells == ['512', '924', '3.44', '2.48']
    assert '| `TokenDiffusionExtractor` | aMUSEd' in page


def test_backbones_with_classifiers_that_they_were_not_trained_with(tools, tmp_path):
    """Shares that are best in the mean over seeds, the smallest cost, and what is best of all."""
    comparison = tools['comparisons'].COMPARISONS['recipes']
    (tmp_path / 'recipes').mkdir()

    def record(line, seed, quality, seconds):
        return make_record(comparison, line, seed, 60.0 + seed, classifiers=dict(
            none=dict(cost=dict(seconds=0.5, gflops=2.0, megabytes=10.0, parameters=2_000_000)),
            **{name: dict(
                result={group: dict(PQ=quality + i + seed) for i, group in enumerate(GROUPS)},
                cost=dict(seconds=seconds + seed, gflops=3.0, megabytes=20.0, parameters=3_000_000),
                grid=[dict(alpha=0.2, beta=0.4, base=1.0, novel=2.0, all=3.0 - 2 * seed),
                      dict(alpha=0.6, beta=0.8, base=4.0, novel=5.0, all=2.5)])
               for name in comparison.classifiers}))

    records = [record('r18', seed, 70.0, 1.0) for seed in range(2)]
    records += [record('convnext', seed, 65.0, 0.9) for seed in range(2)]
    records += [record('resnet', seed, 64.0, 0.95) for seed in range(2)]
    comparison.records_file(tmp_path).write_text('\n'.join(map(json.dumps, records)))
    page = comparison.write_report(tmp_path, max_iters=10).read_text()
    label = comparison.lines['r18'][1]
    assert f'| {label} | none | 58.5 ± 0.7 | 1.0 ± 0.0 | 57.5 ± 0.7 | - |' in page
    assert (f'| {label} | mask tokens | 71.5 ± 0.7 | 72.5 ± 0.7 | 70.5 ± 0.7 | 0.6, 0.8 | '
            '4.0 ± 0.0 | 5.0 ± 0.0 | 2.5 ± 0.0 |') in page
    assert f'| {label} | pooled ConvNeXt | 1.000 | 3.0 | 20 | 3.00 |' in page
    assert f'- For novel classes: {label}, with mask tokens, 72.5 ± 0.7.' in page
    assert page.rstrip().endswith(
        f'{label}, with mask tokens, 70.5 ± 0.7 in 1.000 s; '
        f'{comparison.lines["convnext"][1]}, with mask tokens, 65.5 ± 0.7 in 0.900 s.')


def test_an_unknown_table_lists_those_there_are(tools):
    with pytest.raises(SystemExit, match='--table claim: expected one of claims, captioners, cons'):
        tools['compare_claims'].main(['--table', 'claim'])


def test_the_page_needs_records_of_that_length(report, tmp_path):
    write_records(tmp_path, [make_record(report, 'recipe', 0, 40.0)])
    with pytest.raises(FileNotFoundError, match='no record of a training of 9'):
        report.write_report(tmp_path, max_iters=9)


def test_an_unknown_line_lists_those_there_are(tools):
    with pytest.raises(SystemExit, match=r'--lines r81: expected some of recipe, random, .*r18'):
        tools['compare_claims'].main(['--lines', 'recipe', 'r81'])


@pytest.mark.parametrize(
    'name', ['claims', 'captioners', 'consistency', 'generators', 'recipes'])
def test_every_line_has_a_config_and_every_claim_its_lines(tools, name):
    report = tools['comparisons'].COMPARISONS[name]
    claims = TOOLS.parent / 'configs' / name
    paths = [tools['comparison'].CONFIGS / config for config, _ in report.lines.values()]
    assert all(path.is_file() for path in paths)
    assert set(claims.glob('*.py')) <= set(paths)
    compared = [line for claim in report.claims for line in claim.others]
    assert sorted(['recipe', *compared]) == sorted(report.lines)


@pytest.fixture(scope='module')
def finished(tools, demo_dir, tmp_path_factory):
    """Two iterations of one line, with their records; and the command for them."""
    folder = tmp_path_factory.mktemp('claims')
    command = ['--lines', 'vae-only', '--seeds', '0', '--max-iters', '2', '--work-dir',
               str(folder / 'work'), '--docs', str(folder / 'docs'), '--cfg-options', *OPTIONS]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(demo_dir)
        patch.setenv('PYTHONPATH', str(TOOLS.parent))
        patch.setenv('OMP_NUM_THREADS', '1')
        tools['compare_claims'].main(command)
    return folder, command


def read_records(folder):
    lines = (folder / 'docs/claims/records.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_finished_run_leaves_a_record(finished):
    record, = read_records(finished[0])
    assert record['config'] == 'odise_sd-small-vae-only_shapes-panoptic'
    assert (record['seed'], record['iterations'], record['batch_size']) == (0, 2, 2)
    for scores in ('with_clip', 'without_clip'):
        assert set(record[scores]) == set(GROUPS)
        assert all(set(values) == {'PQ', 'SQ', 'RQ'} for values in record[scores].values())
    cost = record['cost']
    assert cost['seconds_per_iteration'] > 0
    assert cost['backbone_gflops'] == pytest.approx(1.4, abs=0.05)  # docs/claims.md
    page = (finished[0] / 'docs/claims.md').read_text()
    assert row(page, 'VAE alone')[0] == '1'


def test_a_finished_run_is_not_repeated(finished, tools, report, monkeypatch, capsys):
    folder, command = finished
    before = read_records(folder)
    monkeypatch.setattr(tools['runs'], 'start', pytest.fail)
    tools['compare_claims'].main(command)
    assert '1 runs are finished, 0 are left' in capsys.readouterr().out
    assert read_records(folder) == before
    args = tools['compare_claims'].parse_args([*command[2:], '--lines', 'vae-only', 't100'])
    assert [run.line for run in tools['claim_runs'].unfinished_runs(report, args)] == ['t100']
    args = tools['compare_claims'].parse_args([*command, '--max-iters', '3'])
    assert len(tools['claim_runs'].unfinished_runs(report, args)) == 1


def test_a_run_that_fails_is_named_and_left_to_do(finished, tools, tmp_path, demo_dir, monkeypatch):
    folder, command = finished
    before = read_records(folder)
    monkeypatch.chdir(demo_dir)
    # a process that leaves no record, as one that runs out of memory
    monkeypatch.setattr(tools['runs'], 'start', lambda run, threads: subprocess.Popen(
        [sys.executable, '-c', 'raise SystemExit(1)']))
    with pytest.raises(SystemExit, match='1 runs failed'):
        tools['compare_claims'].main([*command, '--seeds', '0', '1'])
    assert read_records(folder) == before
    with pytest.raises(SystemExit, match=r'No run finished; see .*vae-only.seed_1.console\.log'):
        tools['compare_claims'].main([*command, '--seeds', '1', '--docs', str(tmp_path)])


def test_only_a_training_of_the_same_settings_goes_on(finished, tools, report):
    claim_run = tools['claim_run']
    work_dir = finished[0] / 'work/vae-only/seed_0'
    config = TOOLS.parent / 'configs' / report.lines['vae-only'][0]

    def load_config(*options):
        return claim_run.read_config(claim_run.parse_args([
            str(config), '--work-dir', str(work_dir), '--max-iters', '2', '--cfg-options',
            *OPTIONS, *options]))

    pointer = work_dir / 'last_checkpoint'
    claim_run.forget_other_settings(load_config())
    assert Path(pointer.read_text()).name == 'iter_2.pth'
    before = pointer.read_text()
    claim_run.forget_other_settings(load_config('model.ensemble.alpha=0.25'))
    assert not pointer.is_file()
    pointer.write_text(before.replace('iter_2', 'iter_1'))  # which is not there
    claim_run.forget_other_settings(load_config())
    assert not pointer.is_file()
    pointer.write_text(before)
