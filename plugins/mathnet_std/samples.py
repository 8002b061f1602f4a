"""How the standard plugin's objects are used, for the conformance kit: "kind:key" → samples, or a function that returns them.

What is missing here is guessed: settings with defaults, inputs of usual shapes.  Only the kit imports this module.
"""

from typing import Any

import numpy as np

import mathnet as mn
from mathnet import Sample

L = mn.layers


@mn.layer("leaky_cell_of_a_sample")
class _Leaky(mn.Layer):
    """A cell for the layer ``rnn``."""

    state_size = 2

    def call(self, x: Any, states: Any) -> Any:
        h = 0.9 * states[0] + 0.1 * x
        return h, [h]


def one(*inputs: Any, **config: Any) -> list[Sample]:
    return [Sample(*inputs, **config)]


#: Five examples each.
LABELS = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
CLASSES, BITS = np.array([0, 3, 2, 1, 1]), LABELS[:, 0]
RATES = np.random.default_rng(4).uniform(0.5, 3.0, (5, 4))

SAMPLES = {
    # ---- layers: dense ----
    "layer:dense": one((4,), units=3, activation="softplus"),
    "layer:bilinear": one((4,), (5,), units=3, activation="tanh", bias_initializer="normal"),
    "layer:einsum_dense": one(
        (2, 4), equation="...c,cd->...d", output_shape=3, bias_axes="d", activation="tanh"
    ),
    # ---- layers: convolution and pooling ----
    "layer:conv1d": one((2, 8), filters=4, kernel_size=3, padding="causal", dilation_rate=2, groups=2),
    "layer:conv2d": one((2, 6, 5), filters=3, kernel_size=3, padding=((1, 0), (0, 1)), strides=2),
    "layer:conv3d": one((2, 3, 4, 3), filters=3, kernel_size=2, padding="same", kernel_regularizer="l2"),
    "layer:conv2d_transpose": one(
        (2, 4, 3), filters=3, kernel_size=3, strides=2, padding=1, output_padding=1
    ),
    "layer:depthwise_conv2d": one((2, 5, 4), kernel_size=3, depth_multiplier=2, padding="same"),
    "layer:separable_conv2d": one((2, 4, 4), filters=3, kernel_size=2, depth_multiplier=2, strides=2),
    "layer:max_pool1d": one((2, 5), pool_size=2, padding="same"),
    "layer:max_pool2d": one((2, 4, 3), pool_size=(2, 1), strides=1),
    "layer:max_pool3d": one((1, 4, 4, 4), pool_size=2),
    "layer:avg_pool1d": one((2, 5), pool_size=2, ceil_mode=True),
    "layer:avg_pool2d": one((2, 5, 5), pool_size=2, padding="same"),
    "layer:avg_pool3d": one((2, 4, 5, 4), pool_size=2),
    "layer:adaptive_avg_pool2d": one((2, 5, 7), output_size=(2, 3)),
    "layer:adaptive_max_pool2d": one((2, 5, 7), output_size=2),
    "layer:global_avg_pool": one((2, 3, 4)),
    "layer:global_max_pool": one((2, 5), keepdims=True),
    # ---- layers: normalisation and noise ----
    "layer:batch_norm": one((3, 4), axis=1, momentum=0.8, gamma_initializer="normal"),
    "layer:layer_norm": one((3, 2, 2), axis=(1, 2)),
    "layer:group_norm": one((4, 3), groups=2, gamma_initializer="normal"),
    "layer:instance_norm": one((2, 5)),
    "layer:normalization": one((3, 2), axis=1),
    "layer:dropout": one((4,), rate=0.25),
    "layer:spatial_dropout": one((2, 3), rate=0.25),
    "layer:alpha_dropout": one((4,), rate=0.25),
    "layer:gaussian_dropout": one((4,), rate=0.25),
    "layer:gaussian_noise": one((4,), stddev=0.5),
    # ---- layers: sequences ----
    "layer:embedding": one(np.array([[0, 2, 1], [6, 6, 3], [4, 5, 0]]), input_dim=7, output_dim=3),
    "layer:simple_rnn": [Sample((4, 2), units=3), Sample((4, 2), units=3, return_sequences=True)],
    "layer:lstm": one((4, 2), units=3, return_sequences=True, go_backwards=True),
    "layer:gru": [
        Sample((4, 2), units=3, bias_initializer="normal"),
        Sample((4, 2), units=3, dropout=0.3, recurrent_dropout=0.4, reset_after=False),
    ],
    "layer:simple_rnn_cell": one((2,), units=3),
    "layer:lstm_cell": one((2,), units=3, dropout=0.4),
    "layer:gru_cell": one((2,), units=3, bias_initializer="normal"),
    "layer:stacked_rnn_cells": lambda: one((2,), cells=[L.LSTMCell(3), L.GRUCell(2)]),
    "layer:rnn": lambda: [
        Sample((4, 2), cell=_Leaky()),
        Sample((4, 2), cell=[L.LSTMCell(3), L.GRUCell(2, recurrent_dropout=0.3)], return_sequences=True),
    ],
    "layer:bidirectional": lambda: one((4, 2), layer=L.GRU(3, return_sequences=True)),
    "layer:time_distributed": lambda: one((4, 2), layer=L.Dense(3, activation="tanh")),
    "layer:masking": one((5, 2)),
    "layer:attention": one((3, 4), (5, 4), use_scale=True),
    "layer:multi_head_attention": [
        Sample((5, 6), num_heads=2, key_dim=4, num_key_value_heads=2, causal=True, rotary_base=100.0),
        Sample((5, 6), num_heads=2, key_dim=4),
    ],
    "layer:linear_attention": [
        Sample((5, 6), num_heads=2, key_dim=3, num_key_value_heads=1, causal=True),
        Sample((3, 4), (5, 6), num_heads=2, key_dim=3, feature_map="softplus"),
    ],
    "layer:transformer_encoder_block": one(
        (5, 4), intermediate_dim=8, num_heads=2, activation="tanh", layer_norm_epsilon=0.1
    ),
    "layer:transformer_decoder_block": one(
        (3, 4), (5, 4), intermediate_dim=8, num_heads=2, activation="tanh", normalize_first=True
    ),
    "layer:positional_encoding": one((5, 4), kind="learned", max_length=6),
    "layer:rotary_embedding": one((5, 4), interleaved=True),
    # ---- layers: shapes ----
    "layer:flatten": one((2, 3)),
    "layer:reshape": one((4,), target_shape=(2, -1)),
    "layer:permute": one((3, 4), dims=(2, 1)),
    "layer:repeat_vector": one((4,), n=3),
    "layer:up_sampling2d": one((2, 3, 4), size=(1, 2), interpolation="bilinear"),
    "layer:zero_pad2d": one((2, 3, 4), padding=((1, 2), (0, 1)), mode="circular"),
    "layer:cropping2d": one((2, 4, 5), cropping=((1, 0), (0, 2))),
    # ---- layers: merging and wrapping ----
    "layer:average": one((4,), (4,), (4,)),
    "layer:concatenate": one((4,), (2,), axis=1),
    "layer:dot": one((3, 4), (4, 2), axes=(2, 1), normalize=True),
    "layer:activation": one((4,), activation="tanh"),
    "layer:activity_regularization": one((4,), l1=0.1, l2=0.2),
    "layer:residual": lambda: one((4,), layers=[L.Dense(4, activation="tanh"), L.Dense(4)]),
    "layer:lambda": lambda: one((4,), function=mn.activations.get("tanh")),
    "layer:prelu": one((3, 4), shared_axes=2, alpha_regularizer="l2"),
    "layer:gumbel_softmax": one((4,), temperature=0.7),
    # ---- activations, losses, penalties ----
    "activation:softplus": [Sample((4,)), Sample((4,), beta=2.0, threshold=3.0)],
    "activation:maxout": one((3, 6), pieces=3),
    "loss:binary_cross_entropy": [
        Sample((4,), (4,)),
        Sample((3,), (3,), pos_weight=np.array([0.5, 1.0, 3.0])),
    ],
    "loss:gaussian_nll": [Sample((4,), (2,)), Sample((3, 2), (3,), full=True)],
    "loss:poisson": [
        Sample((4,), (4,)),
        Sample(RATES, np.floor(3.0 * RATES), log_input=False),
    ],
    "loss:focal": [
        Sample((4,), np.array([0, 3, 2, 1, 1]), gamma=1.5),
        Sample((3,), LABELS, alpha=0.25),
    ],
    "loss:hinge": one((3,), 2.0 * LABELS - 1.0),
    "loss:squared_hinge": one((3,), 2.0 * LABELS - 1.0),
    "loss:dice": one((3,), LABELS),
    "loss:triplet": one((3, 4), ()),
    "loss:contrastive": one((2, 4), LABELS[:, 0], margin=3.0),
    # ---- metrics ----
    "metric:accuracy": [
        Sample((4,), CLASSES),
        Sample((3, 4), CLASSES[:, None] * [1, 0, 1]),
        Sample((), BITS),
    ],
    "metric:binary_accuracy": one((3,), LABELS, threshold=0.3),
    "metric:top_k_accuracy": [Sample((4,), CLASSES, k=2), Sample((4, 3), CLASSES[:, None] * [1, 0, 1], k=1)],
    "metric:precision": [
        Sample((3,), LABELS),
        Sample((4,), CLASSES, average=None),
        Sample((), BITS, average="macro", zero_division=1.0),
    ],
    "metric:recall": [
        Sample((1,), BITS, threshold=0.4),
        Sample((3, 4), CLASSES[:, None] * [1, 0, 1], average="weighted"),
    ],
    "metric:f1": [
        Sample((), BITS),
        Sample((4,), CLASSES, average="macro"),
        Sample((4,), CLASSES, average="micro"),
    ],
    "metric:confusion_matrix": [Sample((4,), CLASSES), Sample((), BITS, normalize="true")],
    "metric:auc": [Sample((3,), LABELS), Sample((1,), BITS, curve="pr", num_thresholds=20)],
    "metric:rmse": [Sample((4, 2), (4, 2)), Sample((1,), ())],
    "metric:r2": [Sample((3,), (3,)), Sample((2,), (2,), multioutput="raw_values")],
    "metric:perplexity": [
        Sample((4,), CLASSES),
        Sample((3, 4), CLASSES[:, None] * [1, 0, 1], ignore_index=3),
    ],
    "regularizer:orthogonal": [Sample((5, 4)), Sample((2, 3, 2))],
    "regularizer:spectral": [Sample((5, 4)), Sample((2, 3, 2))],
    "constraint:min_max": one((5, 4), min_value=0.5, max_value=1.5),
    # ---- callbacks ----
    "callback:checkpoint": [
        Sample(path="{folder}/run.ckpt", monitor="val_loss", save_best_only=True),
        Sample(path="{folder}/models/best.mathnet", content="model", keep=2),
    ],
    "callback:schedule": one(schedule="exponential"),
    # ---- optimizers ----
    "optimizer:radam": one(learning_rate=2e-3, beta2=0.9),  # its first steps are as long as the gradient
    # ---- distributions ----
    "distribution:uniform": one(low=-1.0, high=3.0),
    "distribution:normal": one(loc=1.0, scale=2.0),
    "distribution:laplace": one(loc=-1.0, scale=0.5),
    "distribution:student_t": one(df=4.5, loc=1.0, scale=2.0),
    "distribution:exponential": one(rate=2.0),
    "distribution:gamma": [Sample(concentration=2.5, rate=2.0), Sample(concentration=0.4, rate=1.0)],
    "distribution:beta": [
        Sample(concentration1=2.0, concentration0=3.5),
        Sample(concentration1=0.7, concentration0=0.6),
    ],
    "distribution:dirichlet": one(concentration=np.array([0.8, 2.0, 3.0])),
    "distribution:bernoulli": [Sample(probs=0.3), Sample(logits=0.5)],
    "distribution:binomial": one(total_count=9, probs=0.3),
    "distribution:poisson": [Sample(rate=2.5), Sample(rate=40.0)],
    "distribution:categorical": [
        Sample(probs=np.array([0.2, 0.5, 0.3])),
        Sample(logits=np.array([0.1, -1.0, 2.0])),
    ],
    "distribution:multinomial": one(total_count=6, probs=np.array([0.2, 0.5, 0.3])),
    "distribution:multivariate_normal": one(
        loc=np.array([1.0, -1.0]), covariance=np.array([[2.0, 0.5], [0.5, 1.0]])
    ),
    "distribution:mixture": lambda: one(
        weights=np.array([0.3, 0.7]),
        components=mn.distributions.Normal(np.array([-2.0, 1.5]), np.array([0.5, 1.0])),
    ),
}
