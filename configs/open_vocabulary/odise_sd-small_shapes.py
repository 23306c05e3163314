# The small model on the embedded data set, with all metrics: what a test of this kind leaves.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

maps = dict(
    ann_file={{_base_.test_evaluator.ann_file}}, seg_prefix={{_base_.test_evaluator.seg_prefix}})
test_cfg = dict(
    _delete_=True,
    type='DataSetsTestLoop',
    data_sets={'shapes': dict(
        dataset={{_base_.test_dataloader.dataset}},
        metrics=[
            dict(type='OpenVocabularyPanopticMetric', **maps),
            dict(type='OpenVocabularyInstanceMetric', classwise=True, **maps),
            dict(type='OpenVocabularySemanticMetric', **maps),
            dict(type='ClassAgnosticMetric', **maps)])})
