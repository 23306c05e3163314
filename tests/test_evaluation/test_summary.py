from mmodise.evaluation import summarize


def test_a_group_without_classes_is_none():
    results = summarize({'coco_panoptic/PQ': 12.3456, 'coco_panoptic/base_PQ': float('nan')})
    assert results['all'] == dict(PQ=12.346, SQ=None, RQ=None)
    assert results['base'] == dict(PQ=None, SQ=None, RQ=None)
