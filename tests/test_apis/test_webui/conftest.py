import pytest
from PIL import Image

from mmodise.apis import ODISEInferencer
from mmodise.apis.webui.examples import write_examples


@pytest.fixture(scope='session')
def inferencer():
    return ODISEInferencer(device='cpu')


@pytest.fixture(scope='session')
def examples(tmp_path_factory):
    """Pictures of toys on textures, 128 x 128."""
    return write_examples(tmp_path_factory.mktemp('examples'))


@pytest.fixture
def blank(tmp_path):
    """Give a function that writes a picture of one colour."""

    def write(name, size, color='white'):
        Image.new('RGB', size, color).save(tmp_path / name)
        return str(tmp_path / name)

    return write
