"""What a run with masks of a file knows before its first picture."""

from __future__ import annotations

from collections.abc import Sequence

from ...models import MaskFileHead
from ..inferencer import ODISEInferencer
from .sources import Job


def masks_state(inferencer: ODISEInferencer) -> list[tuple]:
    """What tells masks of files from others: path, size and time of change; [] without any."""
    head = inferencer.model.panoptic_head
    if not isinstance(head, MaskFileHead):
        return []
    states = [(path, path.stat()) for path in head.mask_file.files]
    return [(str(path), state.st_size, state.st_mtime_ns) for path, state in states]


def check_masks(inferencer: ODISEInferencer, jobs: Sequence[Job]) -> list[Job]:
    """Find masks of each input; without any, a job gets a problem.

    Args:
        inferencer (ODISEInferencer): The model.
        jobs (Sequence[Job]): The inputs.

    Raises:
        ValueError: If there are masks of no input at all.
    """
    head = inferencer.model.panoptic_head
    if not isinstance(head, MaskFileHead):
        return list(jobs)
    owners: dict[int, str] = {}
    checked = [_check(head, job, owners) for job in jobs]
    if not owners and jobs:
        problem = next(job.problem for job in checked)
        raise ValueError(f'{head.mask_file.source} has masks of none of the inputs. {problem}')
    return checked


def _check(head: MaskFileHead, job: Job, owners: dict[int, str]) -> Job:
    if job.problem:
        return job
    if job.is_video:
        return job._replace(problem='masks of files are of pictures, not of videos')
    try:
        entry = head.mask_file.find(job.source)
    except ValueError as error:
        return job._replace(problem=str(error))
    other = owners.setdefault(id(entry), job.source)
    if other != job.source:
        return job._replace(problem=(
            f'its masks in {entry.file} are those of {other}, too. Keep the folders of the '
            'pictures in the names there, or run one folder at a time'))
    return job
