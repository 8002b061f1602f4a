"""The thread pool, the thread budget and the float mode on workers."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import runner_kernels

from mathnet._kernels import runner
from mathnet._kernels.runner import Program

X, Y = ("external", 0, 0), ("external", 1, 0)


@pytest.fixture
def four_threads():
    before = runner.threads()
    runner.set_threads(4)
    yield
    runner.set_threads(before)


def test_the_pool_by_itself(tmp_path):
    """Chunks, seats, sleeping, nesting, many callers and forks: see thread_pool_check.c."""
    program = tmp_path / "thread_pool_check"
    sources = [
        str(runner_kernels.HERE / "thread_pool_check.c"),
        str(runner_kernels.KERNELS / "thread_pool.c"),
    ]
    subprocess.run(
        [
            *runner_kernels.compiler(),
            *runner_kernels.FLAGS,
            "-std=gnu11",
            "-pthread",
            *sources,
            "-o",
            str(program),
        ],
        check=True,
    )
    subprocess.run([str(program)], check=True, timeout=60)


def parallel_sum(kernels, n=40_000):
    """A program that divides its work, and its arguments and expected result."""
    program = Program(
        [
            kernels.affine(X, ("arena", 0), n, 2, 1, chunk=500, work=1e6),
            kernels.sum(("arena", 0), Y, ("arena", 4 * n), n, 500, work=1e6),
        ],
        4 * n + 4 * n // 500,
        2,
        2,
    )
    x = np.arange(n, dtype=np.float32) % 7
    return program, x, (2 * x + 1).sum(dtype=np.float64)


def test_many_threads_run_one_program_at_once(kernels, four_threads):
    program, x, expected = parallel_sum(kernels)
    wrong = []

    def work(scale):
        y = np.empty((), dtype=np.float32)
        for _ in range(50):
            program.run([x * scale, y])
            if y != (expected - x.size) * scale + x.size:
                wrong.append(float(y))

    threads = [threading.Thread(target=work, args=(np.float32(scale),)) for scale in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_forked_child_runs_parallel_work(kernels, four_threads):
    program, x, expected = parallel_sum(kernels)
    y = np.empty((), dtype=np.float32)
    program.run([x, y])
    assert runner.pool_started()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            y[...] = 0
            started = runner.pool_started()
            for _ in range(20):
                program.run([x, y])
            status = 0 if y == expected and not started and runner.pool_started() else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    program.run([x, y])
    assert y == expected


def test_forks_while_other_threads_run(kernels, four_threads):
    program, x, expected = parallel_sum(kernels)
    stop = threading.Event()

    def keep_running():
        y = np.empty((), dtype=np.float32)
        while not stop.is_set():
            program.run([x, y])

    threads = [threading.Thread(target=keep_running) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    y = np.empty((), dtype=np.float32)
                    program.run([x, y])
                    status = 0 if y == expected else 2
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_program_limited_to_one_thread_runs_alone(kernels):
    code = """
import ctypes, sys
sys.path.insert(0, {here!r})
from runner_kernels import RunnerKernels
from mathnet._kernels import runner
kernels = RunnerKernels(ctypes.CDLL({library!r}))
runner.set_threads(4)
assert not runner.pool_started()
program = runner.Program([kernels.spin(10, chunks=40)], 0, 0, 1, threads=1)
program.run()
assert program.threads == 1 and not runner.pool_started()
program.threads = 0
program.run()
assert runner.pool_started()
"""
    run_python(code.format(here=str(runner_kernels.HERE), library=kernels.library._name))


def run_python(code, **environment):
    root = Path(runner_kernels.HERE).parents[1]
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
        check=not environment,
        timeout=60,
    )


def test_the_budget_comes_from_the_environment():
    result = run_python(
        "from mathnet._kernels import runner; print(runner.threads(), runner.default_threads())",
        MATHNET_NUM_THREADS="3",
    )
    assert result.stdout.split() == ["3", "3"]


@pytest.mark.parametrize("text", ["two", "0", "-1", "1.5", "4 threads"])
def test_a_malformed_budget_is_an_error(text, monkeypatch):
    monkeypatch.setenv("MATHNET_NUM_THREADS", text)
    with pytest.raises(ValueError, match=f"MATHNET_NUM_THREADS='{text}': expected a positive whole number"):
        runner.default_threads()


def test_a_malformed_budget_stops_the_first_program():
    result = run_python(
        "from mathnet._kernels.runner import Program; Program([], 0, 0, 0)", MATHNET_NUM_THREADS="many"
    )
    assert result.returncode == 1 and "MATHNET_NUM_THREADS='many'" in result.stderr


def test_the_default_follows_affinity_and_quota(monkeypatch):
    monkeypatch.delenv("MATHNET_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.setattr(runner, "cpu_quota", lambda: None)
    assert runner.default_threads() == 6
    monkeypatch.setattr(runner, "cpu_quota", lambda: 2.5)
    assert runner.default_threads() == 2
    monkeypatch.setattr(runner, "cpu_quota", lambda: 0.3)
    assert runner.default_threads() == 1


@pytest.mark.parametrize("threads", [0, -3, 257])
def test_set_threads_refuses_nonsense(threads):
    with pytest.raises(ValueError, match=rf"set_threads\({threads}\)"):
        runner.set_threads(threads)


def test_cgroup_version_2_quota_of_the_tightest_group(tmp_path):
    (tmp_path / "cgroup").write_text("1:name=systemd:/\n0::/app/worker\n")
    group = tmp_path / "fs/app/worker"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("max 100000\n")
    assert runner.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") is None
    (group.parent / "cpu.max").write_text("250000 100000\n")
    assert runner.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") == 2.5
    (group / "cpu.max").write_text("150000 100000\n")
    assert runner.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") == 1.5


def test_cgroup_version_1_quota(tmp_path):
    (tmp_path / "cgroup").write_text("3:cpu,cpuacct:/box\n")
    group = tmp_path / "fs/cpu,cpuacct/box"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("-1\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert runner.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") is None
    (group / "cpu.cfs_quota_us").write_text("400000\n")
    assert runner.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") == 4


def test_no_cgroups_no_quota(tmp_path):
    assert runner.cpu_quota(tmp_path / "absent", tmp_path) is None


def test_cpu_features_agree_with_the_operating_system():
    features = runner.cpu_features()
    known = {"sse2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and "flags" in cpuinfo.read_text():
        line = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
        assert features == known & set(line.split())
