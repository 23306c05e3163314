import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(load_tool, monkeypatch):
    def run(*args):
        monkeypatch.setattr(sys, 'argv', ['webui.py', *args])
        with pytest.raises(SystemExit) as stop:
            load_tool('webui').main()
        return stop.value.code

    yield run
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_without_gradio(run, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    assert re.fullmatch(r'webui\.py: .+ pip install "mmodise\[webui\]"', run())


def test_what_cannot_be_served(run):
    pytest.importorskip('gradio')
    assert run('--model', 'no-such-model').startswith('webui.py: ')
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in run('--port', str(port), '--device', 'cpu')


def test_it_is_served_to_this_machine_and_leaves_nothing(tmp_path):
    pytest.importorskip('gradio')
    environment = dict(os.environ, TMPDIR=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, ROOT / 'tools/webui.py', '--device', 'cpu'], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        line = next(line for line in process.stdout if line.startswith('The page is at'))
        address = re.search(r'http://127\.0\.0\.1:(\d+)/', line)
        with urllib.request.urlopen(address[0]) as answer:
            assert answer.status == 200 and b'mmodise' in answer.read()
        with socket.socket() as other, pytest.raises(OSError):
            other.settimeout(5)
            other.connect((_other_address(), int(address[1])))
        assert any(tmp_path.glob('mmodise-webui-*'))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.stdout.close()
    assert not any(tmp_path.glob('mmodise-webui-*'))


def _other_address():
    """An address of this machine besides 127.0.0.1: all of 127.0.0.0/8 are on Linux."""
    return '127.0.0.2' if sys.platform == 'linux' else socket.gethostbyname(socket.gethostname())
