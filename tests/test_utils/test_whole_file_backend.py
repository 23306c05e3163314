import errno
import os
import resource
import signal

import pytest
from mmengine.fileio import get_file_backend

from mmodise.utils import WholeFileBackend


@pytest.fixture
def file_size_limit():
    """Give a function after which the system refuses to write files of more than so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_writes_into_a_new_folder_and_over_an_old_file(tmp_path):
    backend = get_file_backend(backend_args=dict(backend='whole_file'))
    path = tmp_path / 'new/iter_2.pth'
    backend.put(b'first', str(path))
    backend.put(b'second', str(path))
    assert path.read_bytes() == b'second'
    backend.put_text('ä', path)
    assert path.read_text(encoding='utf-8') == 'ä'
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_says_what_to_do(tmp_path, file_size_limit):
    path = tmp_path / 'iter_2.pth'
    path.write_bytes(b'old')
    file_size_limit(1000)
    message = r'2\.0 MB could not be written.*--resume.*iter_2\.pth'
    with pytest.raises(OSError, match=message) as info:
        WholeFileBackend().put(bytes(2_000_000), path)
    assert info.value.errno == errno.EFBIG
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / 'iter_2.pth'
    path.write_bytes(b'old')
    child = os.fork()
    if child == 0:  # the system kills it at the thousandth byte: nothing is caught or closed
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        WholeFileBackend().put(bytes(2000), path)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXFSZ
    assert path.read_bytes() == b'old'
    assert (tmp_path / 'iter_2.pth.part').stat().st_size == 1000
    WholeFileBackend().put(b'next try', path)
    assert list(tmp_path.iterdir()) == [path]
