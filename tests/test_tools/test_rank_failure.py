"""A process that fails stops all processes of a run, whose logs say why; no launcher helps here."""

from pathlib import Path

import pytest

TOY = Path(__file__).parent / 'toy/toy_recipe.py'
SIZE = 3


@pytest.fixture(scope='module')
def logs(run_ranks, tmp_path_factory):
    """Logs of the processes by the rank that failed, the first of which keeps the run's store."""
    folder = tmp_path_factory.mktemp('failure')
    for rank in (0, 1):
        (folder / f'bad_{rank}.py').write_text(
            f'_base_ = {str(TOY)!r}\n'
            "custom_imports = dict(imports=['toy_parts', 'rank_parts'], "
            'allow_failed_imports=False)\n'
            f"custom_hooks = [dict(type='BadSample', rank={rank})]\n")
    runs = run_ranks(folder, **{f'bad_{rank}': (SIZE, f'bad_{rank}.py') for rank in (0, 1)})
    assert all(code == 1 for run in runs.values() for code, _ in run)
    return {rank: [log for _, log in runs[f'bad_{rank}']] for rank in (0, 1)}


@pytest.mark.parametrize('failed', [0, 1])
def test_all_processes_stop_with_the_message_of_the_one_that_failed(logs, failed):
    for rank, log in enumerate(logs[failed]):
        assert 'left waiting' not in log
        if rank == failed:
            assert 'Traceback' in log and 'before_train_iter' in log
            assert log.rstrip().endswith('ValueError: 000007.png has no segment')
        else:
            assert log.rstrip().endswith(
                'Another process has failed, so this one stops, too.\n'
                f'Rank {failed} of {SIZE}: ValueError: 000007.png has no segment')
