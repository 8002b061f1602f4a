"""Updates that are written as they are computed: where that is done, and what it leaves as it was."""

import numpy as np
import pytest

from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS as F
from mathnet.graph.op import OPS, as_tensor
from mathnet.plan import compile_graph
from mathnet.store import allocate


def table(rows=6, width=3):
    (variable,) = allocate(["table"], [(rows, width)], np.float32, "slot")
    variable.array[...] = np.arange(rows * width).reshape(rows, width)
    return variable, variable.__mathnet_tensor__()


def kept(tensor, index):
    return OPS["keep_rows"](
        tensor, as_tensor(np.full((len(index), 3), -1.0, np.float32)), as_tensor(np.array(index))
    )


def copies(plan):
    return [i for i in plan.instructions if i.kernel is not None and i.kernel.name == "copy"]


def test_the_rows_alone_are_written_before_they_are_read():
    variable, x = table()
    y = kept(x, [4, 1])
    plan = compile_graph(Graph([], [F["sum"](y, axis=1)], [(variable, y)]))
    wanted = np.arange(18.0).reshape(6, 3)
    wanted[[4, 1]] = -1
    np.testing.assert_array_equal(np.reshape(plan([]), 6), wanted.sum(1))
    np.testing.assert_array_equal(variable.array, wanted)
    assert not copies(plan)
    outputs = [v for i in plan.instructions if i.nodes[0].op.name == "keep_rows" for v in i.outputs]
    assert [v.buffer.kind for v in outputs] == ["fixed"]


@pytest.mark.parametrize("other", ["a result", "another reader", "another variable"])
def test_who_else_reads_the_variable_sees_what_was_there(other):
    variable, x = table()
    before = variable.array.copy()
    y = kept(x, [0])
    target, outputs = variable, [F["sum"](y, axis=1)]
    if other == "a result":
        outputs.append(x)
    elif other == "another reader":
        outputs.append(x * 1.0)
    else:
        target, _ = table()
        outputs.append(as_tensor(before))
    found = compile_graph(Graph([], outputs, [(target, y)]))([])
    np.testing.assert_array_equal(found[1], before)
    assert (target.array[0] == -1).all()
    np.testing.assert_array_equal(target.array[1:], before[1:])
    if target is not variable:
        np.testing.assert_array_equal(variable.array, before)


def test_the_new_table_may_be_a_result_too():
    variable, x = table()
    y = kept(x, [2])
    found = np.reshape(compile_graph(Graph([], [y], [(variable, y)]))([]), (6, 3))
    np.testing.assert_array_equal(found, variable.array)
    assert (found[2] == -1).all()
