"""Stands in for panopticapi, which no package registry has.

The names that mmdet imports, and the same numbers; written from the definition of panoptic
quality (Kirillov et al., "Panoptic Segmentation", CVPR 2019) and COCO's panoptic format.
"""

import importlib
import sys

# Modules of mmdet that keep None for these names when panopticapi is missing at their import.
_USERS = ('mmdet.evaluation.functional.panoptic_utils',
          'mmdet.evaluation.metrics.coco_panoptic_metric', 'mmdet.apis.det_inferencer')


def install() -> str | None:
    """Register the stand-in as ``panopticapi``, if the real one does not import.

    Modules of mmdet that were imported before, and found nothing, are given the names they miss.

    Returns:
        str | None: What was done; None where the real panopticapi imports.
    """
    try:
        importlib.import_module('panopticapi.evaluation')
        importlib.import_module('panopticapi.utils')
        return None
    except ImportError:
        sys.modules['panopticapi'] = sys.modules[__name__]
    for name in ('evaluation', 'utils'):
        sys.modules[f'panopticapi.{name}'] = importlib.import_module(f'{__name__}.{name}')
    _complete_users()
    return 'panopticapi is not installed, a stand-in of the same PQ is used'


def _complete_users() -> None:
    names = dict(vars(sys.modules['panopticapi.utils']), panopticapi=sys.modules['panopticapi'])
    names.update(vars(sys.modules['panopticapi.evaluation']))
    for user in filter(None, map(sys.modules.get, _USERS)):
        for name, value in list(vars(user).items()):
            if value is None and name in names:
                setattr(user, name, names[name])
