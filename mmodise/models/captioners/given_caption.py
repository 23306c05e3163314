"""One caption for every picture."""

from collections.abc import Sequence

from mmdet.registry import MODELS
from torch import Tensor

from .text_captioner import TextCaptioner


@MODELS.register_module()
class GivenCaption(TextCaptioner):
    """Gives every picture the same caption.

    Args:
        text (str): The caption, such as 'a photo of a street'.

    Raises:
        ValueError: If it is no string, or an empty one, which is what ``captioner=None`` does.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f'GivenCaption: text={text!r}, expected a caption; for the empty one set '
                'model.backbone.captioner=None')
        self.text = text

    def forward(self, images: Tensor, captions: Sequence[str] = ()) -> list[str]:
        """The caption, once per window."""
        return [self.text] * len(images)
