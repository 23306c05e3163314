import base64
import importlib.util
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.converters.command import run

COMMAND = Path(__file__).parents[3] / 'tools/dataset_converters/make_config.py'
WIDTH, HEIGHT = 12, 10
LEFT, TOP = [0, 0, 6, 0, 6, 10, 0, 10], [0, 0, 12, 0, 12, 5, 0, 5]  # areas 60 and 60


def save_picture(path, size=(WIDTH, HEIGHT), orientation=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new('RGB', size, (90, 120, 60)).save(path, exif=exif)
    return path


def png_text(mask):
    file = io.BytesIO()
    Image.fromarray(mask).save(file, 'PNG')
    return base64.b64encode(file.getvalue()).decode()


def annotation(key, image_id, category_id, segmentation, **more):
    return dict(id=key, image_id=image_id, category_id=category_id, segmentation=segmentation,
                bbox=[0, 0, 1, 1], area=1, **{'iscrowd': 0, **more})


def coco(path, names, entries, categories=('box', 'floor'), size=(WIDTH, HEIGHT)):
    """Write instance annotations: ``names`` of pictures with ids from 1 on."""
    content = dict(
        images=[dict(id=i, file_name=name, width=size[0], height=size[1])
                for i, name in enumerate(names, 1)],
        categories=[c if isinstance(c, dict) else dict(id=i, name=c)
                    for i, c in enumerate(categories, 1)],
        annotations=entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def labelme(path, shapes, picture, size=(WIDTH, HEIGHT)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(
        version='5.4.1', imagePath=picture, imageData=None, imageWidth=size[0],
        imageHeight=size[1], shapes=[
            dict(dict(group_id=None, flags={}, shape_type='polygon'), **s) for s in shapes])))


def convert(root, *options):
    """Run the command; returns what it made, with the segments of each picture, by its name."""
    spec = importlib.util.spec_from_file_location('make_config', COMMAND)
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    made = run(command.parse_args([str(root), '--workers', '1', *options]))
    out, pictures = made.config.parent, {}
    for split in made.counts:
        content = json.loads((out / f'annotations/panoptic_{split}.json').read_text())
        names = {c['id']: c['name'] for c in content['categories']}
        for image, entry in zip(content['images'], content['annotations'], strict=True):
            path = out / f'annotations/panoptic_{split}' / entry['file_name']
            path = path if path.exists() else root / entry['file_name']
            colours = np.asarray(Image.open(path).convert('RGB')).astype(int)
            ids = colours @ [1, 256, 65536]
            found = [(names[s['category_id']], int((ids == s['id']).sum()), s['iscrowd'])
                     for s in entry['segments_info']]
            assert found == [(names[s['category_id']], s.get('area', found[i][1]), s['iscrowd'])
                             for i, s in enumerate(entry['segments_info'])]
            pictures[image['file_name']] = SimpleNamespace(
                segments=found, void=int((ids == 0).sum()), split=split, ids=ids,
                size=(image['width'], image['height']), infos=entry['segments_info'])
    return SimpleNamespace(made=made, pictures=pictures, out=out)


@pytest.fixture
def warehouse(tmp_path):
    """Two pictures in COCO's instances, each with a floor and a box that covers half of it."""
    root = tmp_path / 'warehouse'
    for name in ('a.jpg', 'b.jpg'):
        save_picture(root / 'images' / name)
    coco(root / 'annotations/instances_default.json', ['a.jpg', 'b.jpg'], [
        annotation(i, image_id, category, [polygon]) for i, (image_id, category, polygon)
        in enumerate([(1, 2, TOP), (1, 1, LEFT), (2, 2, TOP), (2, 1, LEFT)], 1)])
    return root
