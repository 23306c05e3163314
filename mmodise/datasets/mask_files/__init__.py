"""Files with masks of pictures: COCO's layouts and npz, checked when they are opened."""

from .mask_file import MaskFile
from .picture_masks import MaskEntry, MaskFileError, PictureMasks

__all__ = ['MaskEntry', 'MaskFile', 'MaskFileError', 'PictureMasks']
