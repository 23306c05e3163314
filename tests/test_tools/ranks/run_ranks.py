"""Runs tools/train.py several times, each time in as many processes as a launcher would start.

``python ranks.py RUNS.json``, a list of ``[folder, number of processes, options]``: importing takes
longer than these trainings, so it is done once; the processes are forks. What a run's process
prints, and its exit code, are in ``FOLDER/RANK.log`` and ``FOLDER/RANK.code``.
"""

import importlib.util
import json
import os
import socket
import sys
import traceback
from pathlib import Path

import mmodise  # noqa: F401

TRAIN = Path(__file__).parents[3] / 'tools/train.py'


def free_port():
    with socket.socket() as listener:
        listener.bind(('localhost', 0))
        return listener.getsockname()[1]


def become_rank(folder, rank, size, port, options):
    """Be a process of a run, to the end."""
    log = os.open(folder / f'{rank}.log', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR='localhost',
        MASTER_PORT=str(port))
    spec = importlib.util.spec_from_file_location('train', TRAIN)
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    sys.argv = ['train.py', *options, '--launcher', 'pytorch' if size > 1 else 'none']
    try:
        train.main()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # nothing of what the parent would do at its end


def run(folder, size, options):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    port, ranks = free_port(), []
    sys.stdout.flush()
    for rank in range(size):
        ranks.append(os.fork())
        if ranks[-1] == 0:
            become_rank(folder, rank, size, port, [
                option.replace('RANK', str(rank)) for option in options])
    for rank, process in enumerate(ranks):
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        (folder / f'{rank}.code').write_text(str(code))


for each in json.loads(Path(sys.argv[1]).read_text()):
    run(*each)
