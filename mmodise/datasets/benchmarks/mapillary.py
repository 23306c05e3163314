"""Mapillary Vistas 1.2, the 65 classes that are evaluated."""

import os.path as osp

from mmdet.registry import DATASETS

from ..checked_panoptic import CheckedPanopticDataset
from .metainfo import benchmark_metainfo
from .semantic import SemanticDataset

#: The classes in the order of the values of the maps, called as ``readable`` in the config file and
#: as ``name`` in the panoptic file.
NAMES = (
    'Bird', 'Ground Animal', 'Curb', 'Fence', 'Guard Rail', 'Barrier', 'Wall', 'Bike Lane',
    'Crosswalk - Plain', 'Curb Cut', 'Parking', 'Pedestrian Area', 'Rail Track', 'Road',
    'Service Lane', 'Sidewalk', 'Bridge', 'Building', 'Tunnel', 'Person', 'Bicyclist',
    'Motorcyclist', 'Other Rider', 'Lane Marking - Crosswalk', 'Lane Marking - General',
    'Mountain', 'Sand', 'Sky', 'Snow', 'Terrain', 'Vegetation', 'Water', 'Banner', 'Bench',
    'Bike Rack', 'Billboard', 'Catch Basin', 'CCTV Camera', 'Fire Hydrant', 'Junction Box',
    'Mailbox', 'Manhole', 'Phone Booth', 'Pothole', 'Street Light', 'Pole', 'Traffic Sign Frame',
    'Utility Pole', 'Traffic Light', 'Traffic Sign (Back)', 'Traffic Sign (Front)', 'Trash Can',
    'Bicycle', 'Boat', 'Bus', 'Car', 'Caravan', 'Motorcycle', 'On Rails', 'Other Vehicle',
    'Trailer', 'Truck', 'Wheeled Slow', 'Car Mount', 'Ego Vehicle')
STUFF = (
    'Curb', 'Fence', 'Guard Rail', 'Barrier', 'Wall', 'Bike Lane', 'Curb Cut', 'Parking',
    'Pedestrian Area', 'Rail Track', 'Road', 'Service Lane', 'Sidewalk', 'Bridge', 'Building',
    'Tunnel', 'Lane Marking - General', 'Mountain', 'Sand', 'Sky', 'Snow', 'Terrain',
    'Vegetation', 'Water', 'Pothole', 'On Rails', 'Car Mount', 'Ego Vehicle')
THINGS = tuple(name for name in NAMES if name not in STUFF)
#: The value of void in the maps.
VOID = len(NAMES)
#: The folder of a split that has the maps in the package of version 2.0.
VERSION = 'v1.2'
_METAINFO = benchmark_metainfo(THINGS, STUFF, 'mapillary')


def find_version(path: str) -> str:
    """A path such as ``validation/labels``, or ``validation/v1.2/labels`` where only this is."""
    for split in ('training', 'validation'):
        head, found, tail = path.rpartition(f'{split}/')
        other = osp.join(head, split, VERSION, tail)
        if found and not osp.exists(path) and osp.exists(other):
            return other
    return path


@DATASETS.register_module()
class MapillaryPanopticDataset(CheckedPanopticDataset):
    """Mapillary Vistas' panoptic annotations: 37 things and then 28 classes of stuff.

    Both packages are read as they are unpacked: with ``ann_file='validation/panoptic/…'``, maps of
    version 2.0 are found in ``validation/v1.2/panoptic``.

    Args:
        **kwargs: As for :class:`CheckedPanopticDataset`.
    """

    METAINFO = _METAINFO

    def _join_prefix(self) -> None:
        super()._join_prefix()
        self.ann_file = find_version(self.ann_file)
        self.data_prefix = {key: find_version(path) for key, path in self.data_prefix.items()}


@DATASETS.register_module()
class MapillarySemanticDataset(SemanticDataset):
    """Mapillary Vistas' maps of classes, in the order of :class:`MapillaryPanopticDataset`.

    Value 65, and 255, are void.

    Args:
        **kwargs: As for :class:`SemanticDataset`; ``validation/labels`` is also found in
            ``validation/v1.2/labels``.
    """

    METAINFO = _METAINFO

    def _join_prefix(self) -> None:
        super()._join_prefix()
        self.data_prefix = {key: find_version(path) for key, path in self.data_prefix.items()}

    def values(self) -> dict[int, int]:
        """Of each value that maps may have: its label, or ``ignore_index``."""
        classes = self.METAINFO['classes']
        labels = {value: classes.index(name) for value, name in enumerate(NAMES)}
        return {**labels, VOID: self.ignore_index, self.ignore_index: self.ignore_index}
