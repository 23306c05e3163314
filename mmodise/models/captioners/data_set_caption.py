"""The captions that the data set has."""

from collections.abc import Sequence

from mmdet.registry import MODELS
from torch import Tensor

from .text_captioner import TextCaptioner


@MODELS.register_module()
class DataSetCaption(TextCaptioner):
    """Gives each picture the caption that its sample carries.

    The sample's metainfo has it as ``caption``, a string: a data set with a ``caption_file`` and
    :class:`DrawCaption` in the pipeline provide it, in training and in testing. All windows of an
    image share its caption. A picture without one is refused by name, see
    :meth:`ODISE.extract_feat`.
    """

    reads_captions = True

    def forward(self, images: Tensor, captions: Sequence[str]) -> list[str]:
        """The captions that it is given.

        Raises:
            ValueError: If there is not one for each window.
        """
        if len(captions) != len(images):
            raise ValueError(
                f'DataSetCaption: {len(captions)} captions for {len(images)} windows. Only an '
                "ODISE hands its samples' captions on to the backbone; elsewhere call "
                'backbone(images, captions), or choose another captioner')
        return list(captions)
