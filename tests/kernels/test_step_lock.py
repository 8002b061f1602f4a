"""StepLock: exclusion, fairness, signals, forks."""

import copy
import os
import pickle
import signal
import threading

import pytest

from mathnet._kernels.runner import StepLock


def test_it_is_a_context_manager_and_a_pair_of_methods():
    lock = StepLock()
    with lock as entered:
        assert entered is lock and lock.locked()
    assert not lock.locked()
    lock.acquire()
    assert lock.locked()
    lock.release()
    assert not lock.locked()


def test_releasing_what_one_does_not_hold_is_an_error():
    lock = StepLock()
    with pytest.raises(RuntimeError, match="does not hold"):
        lock.release()
    with lock:
        errors = []

        def release():
            try:
                lock.release()
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=release)
        thread.start()
        thread.join()
        assert len(errors) == 1 and lock.locked()


def test_taking_it_twice_in_one_thread_is_an_error():
    lock = StepLock()
    with lock, pytest.raises(RuntimeError, match="inside a step on the same model"):
        lock.acquire()
    assert not lock.locked()


def test_a_copy_is_a_free_lock_of_its_own():
    lock = StepLock()
    with lock:
        for copied in (copy.deepcopy(lock), pickle.loads(pickle.dumps(lock))):
            assert not copied.locked()
            with copied:
                assert copied.locked()


def test_threads_exclude_each_other():
    lock, inside, most = StepLock(), [], []

    def work():
        for _ in range(300):
            with lock:
                inside.append(None)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(most) == 2400 and not lock.locked()


def test_a_waiter_gets_the_lock_from_a_thread_that_keeps_taking_it():
    lock, got, started = StepLock(), threading.Event(), threading.Event()

    def wait():
        started.set()
        with lock:
            got.set()

    thread = threading.Thread(target=wait)
    with lock:
        thread.start()
        started.wait(5)
    rounds = 0
    while not got.is_set():  # ends because a release hands the lock over
        with lock:
            rounds += 1
    thread.join()
    assert rounds < 1_000_000


def test_a_signal_ends_the_wait_and_the_lock_still_works():
    class Tripped(Exception):
        pass

    def trip(number, frame):
        raise Tripped

    lock, held, let_go = StepLock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            let_go.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    before = signal.signal(signal.SIGALRM, trip)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with pytest.raises(Tripped):
            lock.acquire()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        let_go.set()
        thread.join()
    with lock:
        assert lock.locked()


def test_the_child_of_a_fork_starts_with_a_free_lock():
    lock, held, let_go = StepLock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            let_go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if not lock.locked():
                with lock:
                    status = 0
        finally:
            os._exit(status)
    let_go.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
