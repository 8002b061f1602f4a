"""The order of rows: a function of (seed, epoch), whole epochs, and a position that can be taken up again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mathnet.model.order import Order


def rows_of(order, rows, batch, steps, limit=10**6):
    seen = []
    order.begin(rows)
    while sum(len(s) for s in seen) < steps:
        run = order.next_run(batch, min(limit, steps - sum(len(s) for s in seen)))
        seen.append(run.rows.reshape(run.steps, run.batch).tolist())
        order.advance(len(run.rows))
    return [row for part in seen for row in part]


@settings(deadline=None)
@given(rows=st.integers(1, 60), batch=st.integers(1, 70), seed=st.integers(0, 2**64 - 1))
def test_an_epoch_holds_every_row_once(rows, batch, seed):
    order = Order(seed)
    order.begin(rows)
    seen = []
    over = False
    while not over:
        run = order.next_run(batch, 10**9)
        assert run.batch <= batch and len(run.rows) == run.steps * run.batch
        seen += run.rows.tolist()
        over = order.advance(len(run.rows))
    assert sorted(seen) == list(range(rows))
    assert (order.epoch, order.position) == (1, 0)


def test_the_order_is_a_function_of_seed_and_epoch():
    first, second = Order(7), Order(7)
    second.epoch = 3
    first.begin(50)
    first.advance(150)
    assert rows_of(first, 50, 10, 5) == rows_of(second, 50, 10, 5)
    orders = [rows_of(Order(seed), 50, 10, 5) for seed in (7, 8)] + [rows_of(second, 50, 10, 5)]
    assert orders[0] != orders[1] and orders[0] != orders[2]


@settings(deadline=None)
@given(rows=st.integers(1, 3).map(lambda k: 4 * k), steps=st.integers(1, 30))
def test_runs_across_epochs_are_the_same_rows(rows, steps):
    apart, across = Order(5), Order(5)
    across.begin(rows)
    seen = []
    while len(seen) < 4 * steps:
        run = across.next_run(4, steps - len(seen) // 4, across=True)
        seen += run.rows.tolist()
        across.advance(len(run.rows))
    assert [row for step in rows_of(apart, rows, 4, steps) for row in step] == seen
    assert (apart.epoch, apart.position) == (across.epoch, across.position)


@settings(deadline=None)
@given(limit=st.integers(1, 7))
def test_pieces_are_the_whole(limit):
    assert rows_of(Order(1), 23, 5, 12) == rows_of(Order(1), 23, 5, 12, limit)


def test_without_shuffling_rows_come_in_order():
    order = Order(0)
    order.begin(10, shuffle=False)
    assert order.next_run(4, 5).rows.tolist() == list(range(8))


def test_a_restored_position_goes_on():
    order, copy = Order(3), Order(99)
    rows_of(order, 23, 5, 7)
    copy.restore(order.state())
    assert rows_of(order, 23, 5, 9) == rows_of(copy, 23, 5, 9)


def test_other_data_begin_a_new_epoch():
    order = Order(0)
    order.begin(10)
    order.advance(4)
    order.begin(12)
    assert (order.epoch, order.position) == (1, 0)
    assert order.next_run(12, 1).rows.dtype == np.int64
