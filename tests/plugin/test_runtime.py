"""Runtimes are values: seeds, contexts, threads."""

import asyncio
import contextvars
import gc
import threading
import weakref

import numpy as np
import pytest

import mathnet as mn
from mathnet.graph.op import FUNCTIONS
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


def doubling(factor):
    return mn.activation("scaled")(lambda x: factor * x)


def test_two_runtimes_hold_other_plugins_seeds_and_plans_at_the_same_time():
    runtimes = [mn.Runtime([doubling(k)], autoload=False, threads=k, seed=k) for k in (2, 3)]
    start, results = threading.Barrier(2), {}

    def work(runtime):
        with runtime:
            start.wait()
            for _ in range(20):
                scaled = float(mn.activations.get("scaled")(1.0))
                mn.tanh(np.ones(3))
            results[runtime] = scaled, mn.layers.Dense(2)(np.ones((1, 3))), runtime.plan_options["threads"]

    threads = [threading.Thread(target=work, args=(runtime,)) for runtime in runtimes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, runtime in zip((2, 3), runtimes):
        scaled, y, budget = results[runtime]
        assert (scaled, budget) == (k, k)
        with mn.Runtime(autoload=False, seed=k):
            np.testing.assert_array_equal(mn.layers.Dense(2)(np.ones((1, 3))), y)


def test_tasks_have_runtimes_of_their_own():
    async def task(factor):
        with mn.Runtime([doubling(factor)], autoload=False) as runtime:
            await asyncio.sleep(0)
            assert current_runtime() is runtime
            value = float(mn.activations.get("scaled")(1.0))
            await asyncio.sleep(0)
            return value

    async def all_of_them():
        return await asyncio.gather(*[task(k) for k in range(5)])

    assert asyncio.run(all_of_them()) == [0.0, 1.0, 2.0, 3.0, 4.0]


def plans_of(runtime, name):
    return len(runtime.array_calls(FUNCTIONS[name]))


def test_array_functions_use_the_plans_of_the_current_runtime():
    x = np.arange(7.0)
    mn.sinh(x)
    before = plans_of(default_runtime(), "sinh")
    with mn.Runtime(autoload=False, threads=1) as runtime:
        np.testing.assert_allclose(mn.sinh(x), np.sinh(x))
        mn.sinh(x)
        assert plans_of(runtime, "sinh") == 1
        with mn.Runtime(autoload=False, threads=2) as inner:
            mn.sinh(x)
            assert plans_of(inner, "sinh") == 1
    mn.sinh(x)
    assert plans_of(default_runtime(), "sinh") == before


def test_traced_functions_are_traced_once_in_each_runtime():
    traced = []

    def f(x):
        traced.append(current_runtime())
        return x * 2.0

    fast, x = mn.function(f), np.ones(3)
    runtimes = [mn.Runtime(autoload=False) for _ in range(2)]
    for runtime in (*runtimes, *runtimes):
        with runtime:
            np.testing.assert_array_equal(fast(x), 2.0 * x)
            np.testing.assert_array_equal(fast(x), 2.0 * x)
    assert traced == runtimes


def test_closing_gives_up_plans_and_memory_and_leaves_the_runtime_usable():
    with mn.Runtime(autoload=False) as runtime:
        f, x = mn.function(lambda x: mn.sum(mn.tanh(x) @ x)), np.ones((200, 200))
        f(x)
        mn.exp(x)
        assert runtime.workspaces.idle_bytes > 0
        runtime.close()
        assert runtime.workspaces.idle_bytes == 0
        assert plans_of(runtime, "exp") == 0
        assert float(f(x)) == pytest.approx(float(np.sum(np.tanh(x) @ x)))
        assert runtime.workspaces.idle_bytes == 0


def test_a_runtime_that_nobody_holds_is_freed():
    f = mn.function(lambda x: x + 1.0)
    with mn.Runtime([doubling(2)], autoload=False) as runtime:
        f(np.ones(2))
        mn.tanh(np.ones(2))
    gone = weakref.ref(runtime)
    del runtime
    gc.collect()
    assert gone() is None


def test_a_runtime_like_another_knows_its_plugins_and_shares_nothing_else():
    first = mn.Runtime([doubling(2)], autoload=False, seed=1)
    second = first.like(plugins=[mn.activation("other")(lambda x: x)], threads=1, seed=5)
    with second:
        assert mn.activations.get("scaled")(1.0) == 2.0
        mn.activations.get("other")
    with first, pytest.raises(mn.UnknownKeyError):
        mn.activations.get("other")
    assert (first.seed, second.seed, second.threads) == (1, 5, 1)
