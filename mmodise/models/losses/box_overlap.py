"""How much masks and boxes overlap."""

import torch
from torch import Tensor


def box_overlap(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Intersection of masks and boxes over the smaller of the two.

    It is 1 for a mask that lies in the box, as an object does in the box of a phrase with several
    nouns; and for a box that lies in the mask, as that of a piece of lawn does.

    Args:
        masks (Tensor): Of an image, 0 or 1, (..., h, w).
        boxes (Tensor): Left, top, right and bottom in pixels of the image, (W, 4).
        size (tuple[int, int]): Height and width of the image that the masks cover.

    Returns:
        Tensor: In 0..1, (..., W); 0 for empty masks and boxes.
    """
    left, top, right, bottom = boxes.unbind(-1)
    rows = _covered(top, bottom, masks.shape[-2], size[0])
    columns = _covered(left, right, masks.shape[-1], size[1])
    shared = torch.einsum('...hw,kh,kw->...k', masks, rows, columns)
    smaller = torch.minimum(masks.sum((-2, -1))[..., None], rows.sum(-1) * columns.sum(-1))
    return shared / smaller.clamp(min=1e-6)


def masks_in_boxes(
    masks: Tensor, boxes: Tensor, size: tuple[int, int], min_overlap: float
) -> Tensor:
    """Which masks may be what a word with boxes names.

    Args:
        masks (Tensor): Mask logits of an image, (..., Q, h, w).
        boxes (Tensor): Those of each word, (W, N, 4); nan where there is none.
        size (tuple[int, int]): Height and width of the image that the masks cover.
        min_overlap (float): Least :func:`box_overlap` of a mask with one of the boxes. Masks are
            cut at 0.5, as mask pooling has it.

    Returns:
        Tensor: bool, (..., Q, W); all of a word without a box, or of whose boxes no mask is.
    """
    # in float32: half precision counts to 65,504 and no mask may be larger
    with torch.autocast(masks.device.type, enabled=False):
        overlap = box_overlap((masks > 0).float(), boxes.flatten(0, 1).float(), size)
    found = (overlap >= min_overlap).unflatten(-1, boxes.shape[:2]).any(-1)  # nan is not enough
    return found | ~found.any(-2, keepdim=True)


def _covered(start: Tensor, end: Tensor, number: int, length: int) -> Tensor:
    """The share of each of some equal parts of a length that spans (W,) cover, (W, number)."""
    edges = torch.arange(number + 1, device=start.device) * (length / number)
    overlap = torch.minimum(end[:, None], edges[1:]) - torch.maximum(start[:, None], edges[:-1])
    return overlap.clamp(min=0) * (number / length)
