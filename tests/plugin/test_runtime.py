"""Runtimes are values: seeds, contexts, threads."""

import contextvars
import threading

import numpy as np
import pytest

import mathnet as mn
from mathnet.plugin.host import current_runtime, default_runtime


def test_the_current_runtime_is_local_to_the_context():
    outer = current_runtime()
    with mn.Runtime(autoload=False) as runtime:
        assert current_runtime() is runtime
        with mn.Runtime(autoload=False) as inner:
            assert current_runtime() is inner
        assert current_runtime() is runtime
        seen = []
        thread = threading.Thread(target=lambda: seen.append(current_runtime()))
        thread.start()
        thread.join()
        assert seen == [default_runtime()]
        assert contextvars.copy_context().run(current_runtime) is runtime
    assert current_runtime() is outer


def test_a_seed_fixes_the_generators():
    a, b, c = mn.Runtime(seed=7), mn.Runtime(seed=7), mn.Runtime(seed=8)
    first = a.generator().random(4)
    np.testing.assert_array_equal(first, b.generator().random(4))
    assert not np.array_equal(first, a.generator().random(4))
    assert not np.array_equal(first, c.generator().random(4))
    a.reseed(7)
    np.testing.assert_array_equal(first, a.generator().random(4))
    assert mn.Runtime().seed != mn.Runtime().seed


def test_mn_seed_is_that_of_the_current_runtime():
    with mn.Runtime(autoload=False) as runtime:
        mn.seed(3)
        assert (runtime.seed, runtime.next_count(), runtime.next_count()) == (3, 0, 1)


@pytest.mark.parametrize(
    "arguments", [{"threads": 0}, {"threads": 1.5}, {"threads": True}, {"seed": -1}, {"seed": "x"}]
)
def test_bad_arguments(arguments):
    with pytest.raises(mn.ArgumentError, match=next(iter(arguments))):
        mn.Runtime(**arguments)


def test_threads():
    assert mn.Runtime(threads=3).threads == 3
    assert mn.Runtime(threads=3).plan_options["threads"] == 3
    assert mn.Runtime().threads >= 1


def test_one_runtime_may_be_current_in_several_threads_at_once():
    runtime = mn.Runtime(autoload=False)
    inside, leave = threading.Barrier(2), threading.Barrier(2)
    seen = []

    def work():
        with runtime:
            inside.wait()
            seen.append(current_runtime() is runtime)
            leave.wait()
        seen.append(current_runtime() is default_runtime())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4


def test_look_ups_from_many_threads_wait_for_the_plugins():
    runtime = mn.Runtime(autoload=False)
    start, found = threading.Barrier(8), []

    def work():
        start.wait()
        found.append(runtime.registry.get("activation", "relu").key)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["relu"] * 8
