"""mmdet's visualizer, with panoptic results that can be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import PixelData

from .segments import paint_segments


@VISUALIZERS.register_module()
class PanopticVisualizer(DetLocalVisualizer):
    """Paints panoptic results with a colour a segment and a name inside each.

    Where there is a panoptic result, the instances and the semantic result of the same image are
    not painted over it, as mmdet's visualizer would do. Nothing detected is no error.
    """

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        *args,
        **kwargs,
    ) -> None:
        """Draw a sample as :class:`mmdet.visualization.DetLocalVisualizer` does."""
        if data_sample is not None and 'pred_panoptic_seg' in data_sample:
            data_sample = data_sample.new()
            for key in ('pred_instances', 'pred_sem_seg'):
                data_sample.pop(key, None)
        super().add_datasample(name, image, data_sample, *args, **kwargs)

    def _draw_panoptic_seg(
        self,
        image: np.ndarray,
        panoptic_seg: PixelData,
        classes: Sequence[str],
        palette: Sequence | str | None,
    ) -> np.ndarray:
        names = panoptic_seg.metainfo.get('label_names', classes)
        return paint_segments(image, np.asarray(panoptic_seg.sem_seg[0]), names)
