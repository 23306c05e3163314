"""A process that fails stops all processes of a run, whose logs say why; no launcher helps here."""

from pathlib import Path

import pytest

TOY = Path(__file__).parent / 'toy/toy_recipe.py'
SIZE = 3


RUNS = {f'rank_{rank}{"_stuck" * stuck}': (rank, stuck) for rank in (0, 1) for stuck in (0, 1)}


@pytest.fixture(scope='module')
def runs(run_ranks, tmp_path_factory):
    """Exit codes and logs of the processes; the first process keeps the run's store."""
    folder = tmp_path_factory.mktemp('failure')
    for name, (rank, stuck) in RUNS.items():
        (folder / f'{name}.py').write_text(
            f'_base_ = {str(TOY)!r}\n'
            "custom_imports = dict(imports=['toy_parts', 'rank_parts'], "
            'allow_failed_imports=False)\n'
            f"custom_hooks = [dict(type='BadSample', rank={rank}, stuck={bool(stuck)})]\n")
    return run_ranks(folder, **{name: (SIZE, f'{name}.py') for name in RUNS})


@pytest.mark.parametrize('name', RUNS)
def test_all_processes_stop_with_the_message_of_the_one_that_failed(runs, name):
    failed, _ = RUNS[name]
    for rank, (code, log) in enumerate(runs[name]):
        assert code == 1
        assert 'left waiting' not in log
        if rank == failed:
            assert 'Traceback' in log and 'before_train_iter' in log
            assert log.rstrip().endswith('ValueError: 000007.png has no segment')
        else:
            assert log.rstrip().endswith(
                'Another process has failed, so this one stops, too.\n'
                f'Rank {failed} of {SIZE}: ValueError: 000007.png has no segment')
