# The small model on the embedded data set, with all metrics: what a test of this kind leaves.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

test_cfg = dict(
    _delete_=True,
    type='DataSetsTestLoop',
    data_sets={'shapes': dict(
        dataset={{_base_.test_dataloader.dataset}},
        metrics=[
            dict(type='OpenVocabularyPanopticMetric'),
            dict(type='OpenVocabularyInstanceMetric'),
            dict(type='OpenVocabularySemanticMetric'),
            dict(type='ClassAgnosticMetric')])})
