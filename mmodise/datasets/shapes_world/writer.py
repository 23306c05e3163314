"""Write the embedded data set into a folder, in COCO's layout.

Each image is drawn from a random generator of its own, so that the same seed gives the same bytes
with any number of workers, and the first images of a larger set are those of a smaller one.
"""

import json
import os
from collections import Counter
from collections.abc import Collection
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from mmengine.utils import track_parallel_progress, track_progress

from ...utils.masks import bounding_box
from .captions import write_captions
from .classes import BASE_STUFF, BASE_THINGS, STUFF, THINGS, palette
from .scene import Scene, draw_scene
from .stuff import SIZE

SPLITS = {'train': (BASE_THINGS, BASE_STUFF), 'val': (tuple(THINGS), tuple(STUFF))}
CLASSES = (*THINGS, *STUFF)
JPEG_QUALITY = 95
#: Images of each split, unless another number is asked for.
NUM_IMAGES = {'train': 400, 'val': 80}


def categories(class_names: tuple[str, ...]) -> list[dict]:
    """COCO's list of categories; a class has the same id in every split."""
    return [
        dict(id=CLASSES.index(name) + 1, name=name, isthing=int(name in THINGS))
        for name in class_names
    ]


def segments_info(
    scene: Scene, annotated: Collection[str] = CLASSES
) -> tuple[np.ndarray, list[dict]]:
    """What COCO's panoptic format says of a scene, of whose classes perhaps some are annotated.

    Returns:
        tuple: The map of segment ids, (H, W) int64, and one dict a segment.
    """
    ids, infos, counts = np.zeros_like(scene.segment_map), [], Counter()
    for index, name in enumerate(scene.class_names):
        if name not in annotated:
            continue
        mask = scene.segment_map == index
        red, green, blue = palette((name, ))[0]
        # The PNG shows classes in their colours; the count keeps two of one class apart.
        segment_id = red + 256 * green + 65536 * blue + counts[name]
        counts[name] += 1
        ids[mask] = segment_id
        infos.append(dict(id=segment_id, category_id=CLASSES.index(name) + 1, iscrowd=0,
                          area=int(mask.sum()), bbox=bounding_box(mask)))
    return ids, infos


def draw_sample(
    image_id: int, split: str, out_dir: Path, seed: int, annotated: Collection[str] = CLASSES
) -> tuple[list[dict], list]:
    """Draw one image with its PNG; return its segments and its captions."""
    rng = np.random.default_rng((seed, list(SPLITS).index(split), image_id))
    things, stuff = SPLITS[split]
    # Every class takes its turn, so that none is rare.
    scene = draw_scene(rng, things, stuff, focus_thing=things[image_id % len(things)],
                       focus_stuff=stuff[image_id % len(stuff)])
    ids, infos = segments_info(scene, annotated)
    png = np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1)  # blue, green, red
    cv2.imwrite(str(out_dir / f'annotations/panoptic_{split}/{image_id:06}.png'),
                png.astype(np.uint8))
    cv2.imwrite(str(out_dir / f'{split}/{image_id:06}.jpg'), scene.image[..., ::-1],
                [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return infos, write_captions(scene, rng)


def write_annotations(
    samples: list[tuple[list[dict], list]], split: str, out_dir: Path, class_names: tuple[str, ...]
) -> None:
    """Write ``panoptic_{split}.json`` and ``captions_{split}.json`` of images with a segment."""
    numbered = [(i, sample) for i, sample in enumerate(samples, start=1) if sample[0]]
    images = [dict(id=i, file_name=f'{i:06}.jpg', height=SIZE, width=SIZE) for i, _ in numbered]
    panoptic = [dict(image_id=i, file_name=f'{i:06}.png', segments_info=infos)
                for i, (infos, _) in numbered]
    captions = [dict(image_id=i, caption=caption)
                for i, (_, texts) in numbered for caption in texts]
    captions = [dict(id=i, **caption) for i, caption in enumerate(captions, start=1)]
    for name, content in (
        ('panoptic', dict(images=images, annotations=panoptic,
                          categories=categories(class_names))),
        ('captions', dict(images=images, annotations=captions)),
    ):
        path = out_dir / f'annotations/{name}_{split}.json'
        path.write_text(json.dumps(content), encoding='utf-8')


def make_split(
    split: str, count: int, out_dir: Path, seed: int = 0, workers: int = 1,
    annotated: Collection[str] = CLASSES,
) -> None:
    """Write one split of the data set.

    Args:
        split (str): ``'train'`` or ``'val'``.
        count (int): Number of images.
        out_dir (Path): Root folder of the data set.
        seed (int): Equal seeds give equal bytes. Defaults to 0.
        workers (int): Processes that draw. Defaults to 1.
        annotated (Collection[str]): Display names. Of other classes, which the images show all the
            same, there are no annotations, and images that show none of these are not listed.
            Defaults to all classes.
    """
    for folder in (split, f'annotations/panoptic_{split}'):
        (out_dir / folder).mkdir(parents=True, exist_ok=True)
    print(f'Drawing {count} images of {split} into {out_dir}')
    draw = partial(draw_sample, split=split, out_dir=out_dir, seed=seed, annotated=annotated)
    image_ids = list(range(1, count + 1))
    if workers > 1:
        # OpenCV's own threads would only get into each other's way.
        samples = track_parallel_progress(draw, image_ids, nproc=workers, chunksize=8,
                                          initializer=cv2.setNumThreads, initargs=(0, ))
    else:
        samples = track_progress(draw, image_ids)
    class_names = tuple(name for part in SPLITS[split] for name in part if name in annotated)
    write_annotations(samples, split, out_dir, class_names)


def is_drawn(root: Path, split: str) -> bool:
    """Whether a split is there as a whole; one whose drawing was interrupted is not."""
    return (root / f'annotations/captions_{split}.json').is_file()  # the file that is written last


def make_missing(root: Path) -> None:
    """Write the data set in its usual size, where it is not there yet.

    Args:
        root (Path): Root folder of the data set.
    """
    if not is_drawn(root, 'val'):  # the split that is drawn last
        for split, count in NUM_IMAGES.items():
            make_split(split, count, root, workers=min(os.cpu_count() or 1, 8))
