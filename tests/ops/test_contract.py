"""What every operation must state about itself."""

import numpy as np
import pytest
from graph_interpreter import evaluate, run
from ops.operation_samples import WITHOUT_SAMPLES, operations, samples

import mathnet as mn
from mathnet.graph.op import FUNCTIONS, LEAVES, OPS, Op, input_tensor, register
from mathnet.graph.tensor import Spec

PUBLIC = """
add subtract multiply divide floor_divide remainder negative positive abs sign sqrt square reciprocal exp expm1 log log1p tanh sigmoid
relu softplus erf sin cos floor ceil round power maximum minimum clip where less less_equal greater greater_equal equal not_equal
logical_and logical_or logical_not isnan isfinite cast zeros_like ones_like full_like stop_gradient sum mean max min prod argmax argmin
all any logsumexp reshape transpose expand_dims squeeze broadcast_to moveaxis concatenate stack getitem flip zeros ones full arange
one_hot pad matmul dot softmax log_softmax cross_entropy conv2d max_pool2d avg_pool2d take check_finite
getitem index_update index_add scatter_add take_along_axis sort argsort top_k searchsorted split array_split hstack vstack column_stack
atleast_1d atleast_2d atleast_3d swapaxes ravel broadcast_arrays meshgrid rot90 roll tile repeat diagonal diag trace tril triu eye
einsum tensordot outer inner vdot kron
""".split()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_promised_function_exists_and_is_documented(name):
    assert FUNCTIONS[name].__doc__ and ">>>" in FUNCTIONS[name].__doc__
    assert callable(getattr(mn, name))


@pytest.mark.parametrize("op", operations(), ids=lambda op: op.name)
def test_every_operation_states_formula_samples_oracle_and_a_way_to_run(op):
    assert op.formula and op.domain
    assert op.samples(), f"{op.name} has no samples"
    assert type(op).oracle is not Op.oracle
    runs = [op.lower, op.view, getattr(op, "program", None), getattr(op, "reduction", None), op.expansion]
    assert any(way is not None for way in runs)


def test_only_known_operations_go_without_samples():
    without = {
        op.name
        for op in OPS.values()
        if op not in LEAVES and type(op).__module__.startswith("mathnet.ops.") and not op.samples()
    }
    assert without <= WITHOUT_SAMPLES


@pytest.mark.parametrize("sample", samples())
def test_the_oracle_agrees_with_the_shape_and_type_rule(sample):
    evaluate(sample.graph(), sample.arrays)


@pytest.mark.parametrize("sample", samples())
def test_costs_are_numbers_that_are_not_negative(sample):
    graph = sample.graph()
    node = graph.outputs[0].node
    flops, nbytes = node.op.cost([t.spec for t in node.inputs], [t.spec for t in node.outputs], **node.attrs)
    assert flops >= 0 and nbytes >= 0 and isinstance(flops, int) and isinstance(nbytes, int)


def test_a_name_stands_for_one_operation():
    class Other(Op):
        name = "add"

    with pytest.raises(ValueError, match="exists already"):
        register(Other())


def test_expansions_compute_what_their_oracles_say():
    for op in operations():
        if op.expansion is None:
            continue
        for arrays, attrs in op.samples():
            inputs = [input_tensor(Spec(np.shape(a), np.asarray(a).dtype), "x") for a in arrays]
            made, wanted = op.expansion(*inputs, **attrs), op.oracle(*arrays, **attrs)
            several = isinstance(made, tuple)
            values = run(list(made) if several else [made], dict(zip(inputs, arrays)))
            for y, exact in zip(values, wanted if several else [wanted], strict=True):
                np.testing.assert_allclose(y, exact, rtol=1e-10, atol=1e-12)
