"""Several processes that share the inputs of a run."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank, get_world_size
from torch.distributed.elastic.utils.distributed import get_free_port

from ...engine.launch import meet
from .sources import Job
from .summary import Summary

_TIMEOUT = 7 * 24 * 3600  # seconds that a process waits at the end for those with slower inputs


def start_workers(run: Callable[[Namespace], int], args: Namespace) -> int:
    """Run ``run(args)`` in ``args.workers`` processes of this machine; give the exit code.

    Args:
        run (Callable): Can be sent to another process; returns an exit code.
        args (Namespace): Its ``launcher`` is set.
    """
    threads = max(1, (os.cpu_count() or 1) // args.workers)
    os.environ.setdefault('OMP_NUM_THREADS', str(threads))
    os.environ.update(
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(get_free_port()), WORLD_SIZE=str(args.workers))
    args = Namespace(**{**vars(args), 'launcher': 'pytorch'})
    workers = torch.multiprocessing.start_processes(
        _work, (run, args), args.workers, join=False, start_method='spawn')
    try:
        while not workers.join():
            pass
    except torch.multiprocessing.ProcessExitedException as error:
        return error.exit_code
    except KeyboardInterrupt:  # they have got it, too
        for process in workers.processes:
            process.join()
        return 130
    return 0


def _work(rank: int, run: Callable[[Namespace], int], args: Namespace) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank % max(1, torch.cuda.device_count())))
    code = run(args)
    if code:
        raise SystemExit(code)


def meet_others(args: Namespace) -> None:
    """Let the processes that a launcher has started find each other.

    Raises:
        ValueError: If they were given different options.
    """
    options = {key: str(value) for key, value in vars(args).items() if key != 'local_rank'}
    dist_cfg = dict(backend='gloo', timeout=_TIMEOUT)  # no tensor is exchanged
    meet(Config(dict(
        launcher=args.launcher, env_cfg=dict(dist_cfg=dist_cfg), options=options),
        filename='predict'))


def share(find: Callable[[], Sequence[Job]]) -> list[Job]:
    """This process's part of the jobs, which the first process finds for all."""
    found = [list(find()) if get_rank() == 0 else None]
    broadcast_object_list(found)
    return found[0][get_rank()::get_world_size()]


def gather(summary: Summary) -> Summary:
    """The summary of all processes; waits for them."""
    return Summary.of_all(all_gather_object(summary))


@contextmanager
def writing_alone(folder: Path) -> Iterator[None]:
    """A context in which no other process looks for free names in a folder."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = folder / '.mmodise' / 'lock'
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
