# The paper's label-supervised ODISE, trained with FSDP instead of DDP; the same numbers.
_base_ = ['./odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py', '../_base_/fsdp.py']
