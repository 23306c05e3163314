"""Lets torchvision be imported where its compiled library does not load."""

import torch

# Signatures as torchvision/csrc/ops/nms.cpp and quantized/cpu/qnms_kernel.cpp declare them:
# the ops that torchvision's Python code refers to while it is imported.
SCHEMAS = (
    'nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
)

_declared: list[torch.library.Library] = []  # a library forgets its schemas when it is collected


def install() -> str | None:
    """Declare the ops that torchvision needs for its import, if it cannot be imported.

    torchvision's library is built for CUDA and does not load beside a CPU-only torch; then
    ``import torchvision`` dies with ``operator torchvision::nms does not exist``. With the ops
    declared, all of torchvision works but those ops, which raise torchvision's own error.

    Returns:
        str | None: What was done; None where torchvision's own library loads.
    """
    try:
        import torchvision
        return None
    except RuntimeError as error:
        if 'operator torchvision::' not in str(error):
            raise
    library = torch.library.Library('torchvision', 'DEF')
    for schema in SCHEMAS:
        library.define(schema)
    _declared.append(library)
    import torchvision  # noqa: F401
    return "declared torchvision's ops (its compiled library does not load beside this torch)"
