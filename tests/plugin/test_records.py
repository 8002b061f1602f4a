"""Decorators and records: what they refuse, what they carry, how configured objects are made."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.plugin.records import (
    KINDS,
    Configured,
    cap_words,
    config_of,
    record_of,
    record_of_instance,
    snake_case,
)


def scaled(x, factor=2.0, *, shift=0.0):
    """x·factor + shift."""
    return x * factor + shift


def test_a_decorated_function_stays_what_it_was_and_registers_nothing():
    decorated = mn.activation("scaled_once")(lambda x, factor=2.0: x * factor)
    assert decorated(3.0) == 6.0
    record = record_of(decorated)
    assert (record.kind, record.key, record.version, record.object) == (
        "activation",
        "scaled_once",
        1,
        decorated,
    )
    with pytest.raises(mn.UnknownKeyError):
        mn.activations.get("scaled_once")


def test_a_subclass_does_not_inherit_the_record():
    class Longer(mn.layers.Dense):
        pass

    assert record_of(mn.layers.Dense).key == "dense"
    assert record_of(Longer) is None
    assert record_of_instance(mn.layers.Dense(3)).key == "dense"


@pytest.mark.parametrize(
    ("kind", "options", "target", "message"),
    [
        ("activation", {}, 3, "a function or class is needed"),
        ("loss", {}, lambda y_pred: y_pred, r"must take \(y_pred, y_true, …\)"),
        ("optimizer", {}, type("Empty", (), {}), r"must have init\(\) and update\(\), or minimize\(\)"),
        ("optimizer", {}, scaled, "a class is needed"),
        ("layer", {}, type("Empty", (), {}), r"must be a subclass of mn.Layer"),
        ("callback", {}, type("Empty", (), {}), r"must be a subclass of mn.Callback"),
        ("activation", {"version": 0}, scaled, "version must be a positive integer"),
        ("activation", {"gradient": "wrong"}, scaled, "gradient must be 'surrogate'"),
        ("activation", {"static": "factr"}, scaled, "static names 'factr'"),
    ],
)
def test_what_cannot_be_of_a_kind_is_refused(kind, options, target, message):
    with pytest.raises(mn.PluginError, match=message):
        getattr(mn, kind)("some_key", **options)(target)


@pytest.mark.parametrize("key", ["Swish", "1st", "two words", "", "a-b"])
def test_keys_are_snake_case(key):
    with pytest.raises(mn.PluginError, match="snake_case"):
        mn.activation(key)(scaled)


def test_a_forgotten_key_is_explained():
    with pytest.raises(mn.PluginError, match=r'write @mn.activation\("my_key"\) above \'scaled\''):
        mn.activation(scaled)


def test_configured_functions_hold_every_setting_and_let_calls_override_them():
    record = record_of(mn.activation("scaled")(lambda x, factor=2.0, *, shift=0.0: x * factor + shift))
    configured = record.make(3.0)
    assert isinstance(configured, Configured)
    assert configured.config == {"factor": 3.0, "shift": 0.0}
    assert configured(1.0) == 3.0
    assert configured(1.0, shift=1.0) == 4.0
    assert repr(configured) == "Scaled(factor=3.0, shift=0.0)"
    assert configured == record.make(factor=3.0) != record.make()
    assert record.make() is record.make()
    with pytest.raises(mn.ArgumentError, match=r"no setting 'factr' \(did you mean 'factor'\?\)"):
        record.make(factr=1.0)
    with pytest.raises(mn.ArgumentError, match="takes 2 settings"):
        record.make(1.0, 2.0, 3.0)
    with pytest.raises(mn.ArgumentError, match="given twice"):
        record.make(1.0, factor=2.0)


def test_a_setting_without_default_must_be_given():
    record = record_of(mn.regularizer("needs")(lambda w, strength: strength * w))
    with pytest.raises(mn.ArgumentError, match="setting 'strength' has no default"):
        record.make()
    assert record.make(2.0)(3.0) == 6.0


def test_config_of_reads_attributes_named_like_the_constructor():
    assert config_of(mn.optimizers.SGD(0.5, momentum=0.9)) == {
        "learning_rate": 0.5,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0,
    }
    assert config_of(mn.layers.Dense(3))["units"] == 3
    assert config_of(mn.regularizers.L2(0.5)) == {"strength": 0.5}

    class Forgetful:
        def __init__(self, rate=1.0):
            pass

    with pytest.raises(mn.PluginError, match=r"set self\.rate in __init__"):
        config_of(Forgetful())


@pytest.mark.parametrize(("key", "name"), [("group_lasso", "GroupLasso"), ("l2", "L2"), ("elu", "Elu")])
def test_cap_words(key, name):
    assert cap_words(key) == name


@pytest.mark.parametrize(
    ("name", "key"),
    [("GroupLasso", "group_lasso"), ("Dense", "dense"), ("Conv2D", "conv2d"), ("HTTPLog", "http_log")],
)
def test_snake_case(name, key):
    assert snake_case(name) == key


def test_every_kind_has_a_decorator_that_explains_itself():
    for kind, record_type in KINDS.items():
        decorator = getattr(mn, kind)
        assert kind in decorator.__doc__
        assert record_type.__doc__.strip().splitlines()[0] in decorator.__doc__


def test_arrays_may_be_settings():
    record = record_of(
        mn.initializer("from_array")(lambda shape, rng, value=0.0: np.broadcast_to(value, shape))
    )
    np.testing.assert_array_equal(record.make(np.arange(3.0))((2, 3), None), [[0, 1, 2], [0, 1, 2]])


@pytest.mark.parametrize("suffixes", [(), ".txt", ("txt",), (".TXT",), None])
def test_a_format_names_its_suffixes(suffixes):
    body = {"write": lambda self, model, path: None, "suffixes": suffixes}
    with pytest.raises(mn.PluginError, match=r"class Text must have suffixes, a tuple of lower-case"):
        mn.format("text")(type("Text", (), body))
