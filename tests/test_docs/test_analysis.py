"""The commands of docs/analysis.md are run as a reader would, on four pictures."""

import re
import shlex
import shutil
import sys
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/analysis.md').read_text(encoding='utf-8')


def commands():
    page = PAGE.replace('--steps 11', '--steps 2')  # for the sake of time
    for block in re.findall('```bash\n(.*?)```', page, re.DOTALL):
        yield from block.replace('\\\n', '').splitlines()


def test_the_page_runs(tmp_path, demo_dir, monkeypatch, load_tool, capsys):
    shutil.copytree(demo_dir / 'data', tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr(Config, 'pretty_text', '')  # takes longer than a test
    told = {}
    for command in commands():
        python, module, package, name, *words = shlex.split(command)
        assert [python, module, package] == ['python', '-m', 'mmodise']
        words = [str(ROOT / word) if word.startswith('configs/') else word for word in words]
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *words])
        load_tool(name).main()
        told.setdefault(name, []).append(capsys.readouterr().out)
    assert list(told) == [
        'test', 'analyze_predictions', 'predict', 'compare_classes', 'sweep_ensemble']
    one, other = told['analyze_predictions']
    quality = re.search(r'coco_panoptic/PQ: ([\d.]+)', told['test'][0])
    assert f'PQ: {float(quality[1]):.2f}\n' in one, 'that of the test'
    assert 'PQ: ' in other and 'predicted_analysis' in other
    assert 'mean of' in told['compare_classes'][0]
    assert re.search(r'PQ, novel: .* with the recipe', told['sweep_ensemble'][0])
    for path in re.findall(r'images/\w+\.\w+', PAGE):
        assert (ROOT / 'docs' / path).stat().st_size < 200_000
    written = {path.name for path in tmp_path.rglob('*') if path.is_file()}
    named = set(re.findall(r'`(?:\w+/)?(\w+\.(?:csv|png))`', PAGE)) - {'01_NAME.png'}
    assert len(named) > 8 and named <= written
