import pytest

from lib.errors import UnknownName, unknown


def test_message_names_the_value_the_closest_and_all_valid_ones():
    message = str(unknown("method", "gradcam", ["cam", "grad_cam"]))
    assert message == "unknown method 'gradcam' (did you mean 'grad_cam'?); valid: cam, grad_cam"


def test_no_hint_where_nothing_is_close():
    assert "did you mean" not in str(unknown("metric", "zzz", ["average_drop"]))


def test_an_empty_registry():
    assert str(unknown("split", "val", [])) == "unknown split 'val'; valid: none"


@pytest.mark.parametrize("kind", [ValueError, KeyError])
def test_is_both_a_value_error_and_a_key_error(kind):
    with pytest.raises(kind, match="unknown dataset 3; valid: a"):
        raise unknown("dataset", 3, iter(["a"]))


def test_can_cross_a_process():
    import pickle

    error = pickle.loads(pickle.dumps(unknown("layer", "x", ["y"])))
    assert isinstance(error, UnknownName) and str(error) == "unknown layer 'x'; valid: y"
