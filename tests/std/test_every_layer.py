"""Every layer of the standard plugin: float32 and float64 agree, gradients are right, and a saved model computes the same bits."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers

#: Key → (makes the layer, shapes of the inputs without the batch).
LAYERS = {
    "activation": (lambda: L.Activation("tanh"), [(4,)]),
    "activity_regularization": (lambda: L.ActivityRegularization(l1=0.1, l2=0.2), [(4,)]),
    "adaptive_avg_pool2d": (lambda: L.AdaptiveAvgPool2D((2, 3)), [(2, 5, 7)]),
    "adaptive_max_pool2d": (lambda: L.AdaptiveMaxPool2D(2), [(2, 5, 7)]),
    "add": (lambda: L.Add(), [(4,), (4,)]),
    "alpha_dropout": (lambda: L.AlphaDropout(0.25), [(4,)]),
    "attention": (lambda: L.Attention(use_scale=True, causal=True), [(3, 4), (5, 4)]),
    "average": (lambda: L.Average(), [(4,), (4,), (4,)]),
    "avg_pool1d": (lambda: L.AvgPool1D(2, ceil_mode=True), [(2, 5)]),
    "avg_pool2d": (lambda: L.AvgPool2D(2, padding="same"), [(2, 5, 5)]),
    "avg_pool3d": (lambda: L.AvgPool3D(2), [(2, 4, 5, 4)]),
    "batch_norm": (lambda: L.BatchNorm(axis=1, momentum=0.8, gamma_initializer="normal"), [(3, 4)]),
    "bidirectional": (lambda: L.Bidirectional(L.GRU(3, return_sequences=True)), [(4, 2)]),
    "bilinear": (lambda: L.Bilinear(3, activation="tanh", bias_initializer="normal"), [(4,), (5,)]),
    "concatenate": (lambda: L.Concatenate(axis=1), [(4,), (2,)]),
    "conv1d": (lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2, groups=2), [(2, 8)]),
    "conv2d": (lambda: L.Conv2D(3, 3, padding=((1, 0), (0, 1)), strides=2), [(2, 6, 5)]),
    "conv3d": (lambda: L.Conv3D(3, 2, padding="same", kernel_regularizer="l2"), [(2, 3, 4, 3)]),
    "conv2d_transpose": (
        lambda: L.Conv2DTranspose(3, 3, strides=2, padding=1, output_padding=1),
        [(2, 4, 3)],
    ),
    "cropping2d": (lambda: L.Cropping2D(((1, 0), (0, 2))), [(2, 4, 5)]),
    "dense": (lambda: L.Dense(3, activation="softplus"), [(4,)]),
    "depthwise_conv2d": (lambda: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), [(2, 5, 4)]),
    "dot": (lambda: L.Dot(axes=(2, 1), normalize=True), [(3, 4), (4, 2)]),
    "dropout": (lambda: L.Dropout(0.25), [(4,)]),
    "einsum_dense": (lambda: L.EinsumDense("...c,cd->...d", 3, bias_axes="d", activation="tanh"), [(2, 4)]),
    "flatten": (lambda: L.Flatten(), [(2, 3)]),
    "gaussian_dropout": (lambda: L.GaussianDropout(0.25), [(4,)]),
    "gaussian_noise": (lambda: L.GaussianNoise(0.5), [(4,)]),
    "global_avg_pool": (lambda: L.GlobalAvgPool(), [(2, 3, 4)]),
    "global_max_pool": (lambda: L.GlobalMaxPool(keepdims=True), [(2, 5)]),
    "gru": (lambda: L.GRU(3, bias_initializer="normal"), [(4, 2)]),
    "group_norm": (lambda: L.GroupNorm(2, gamma_initializer="normal"), [(4, 3)]),
    "identity": (lambda: L.Identity(), [(4,)]),
    "instance_norm": (lambda: L.InstanceNorm(), [(2, 5)]),
    "lambda": (lambda: L.Lambda(mn.activations.get("tanh")), [(4,)]),
    "layer_norm": (lambda: L.LayerNorm(axis=(1, 2)), [(3, 2, 2)]),
    "lstm": (lambda: L.LSTM(3, return_sequences=True, go_backwards=True), [(4, 2)]),
    "max_pool1d": (lambda: L.MaxPool1D(2, padding="same"), [(2, 5)]),
    "max_pool2d": (lambda: L.MaxPool2D((2, 1), strides=1), [(2, 4, 3)]),
    "max_pool3d": (lambda: L.MaxPool3D(2), [(1, 4, 4, 4)]),
    "maximum": (lambda: L.Maximum(), [(4,), (4,)]),
    "minimum": (lambda: L.Minimum(), [(4,), (4,)]),
    "multi_head_attention": (
        lambda: L.MultiHeadAttention(4, 2, num_key_value_heads=2, causal=True, rotary_base=100.0),
        [(5, 6)],
    ),
    "multiply": (lambda: L.Multiply(), [(4,), (4,)]),
    "normalization": (lambda: L.Normalization(axis=1), [(3, 2)]),
    "permute": (lambda: L.Permute((2, 1)), [(3, 4)]),
    "positional_encoding": (lambda: L.PositionalEncoding("learned", max_length=6), [(5, 4)]),
    "repeat_vector": (lambda: L.RepeatVector(3), [(4,)]),
    "reshape": (lambda: L.Reshape((2, -1)), [(4,)]),
    "residual": (lambda: L.Residual([L.Dense(4, activation="tanh"), L.Dense(4)]), [(4,)]),
    "rms_norm": (lambda: L.RMSNorm(), [(3, 4)]),
    "rotary_embedding": (lambda: L.RotaryEmbedding(interleaved=True), [(5, 4)]),
    "separable_conv2d": (lambda: L.SeparableConv2D(3, 2, depth_multiplier=2, strides=2), [(2, 4, 4)]),
    "simple_rnn": (lambda: L.SimpleRNN(3, stateful=True), [(4, 2)]),
    "spatial_dropout": (lambda: L.SpatialDropout(0.25), [(2, 3)]),
    "subtract": (lambda: L.Subtract(), [(4,), (4,)]),
    "time_distributed": (lambda: L.TimeDistributed(L.Dense(3, activation="tanh")), [(4, 2)]),
    "transformer_decoder_block": (
        lambda: L.TransformerDecoderBlock(8, 2, activation="tanh", normalize_first=True),
        [(3, 4), (5, 4)],
    ),
    "transformer_encoder_block": (
        lambda: L.TransformerEncoderBlock(8, 2, activation="tanh", layer_norm_epsilon=0.1),
        [(5, 4)],
    ),
    "up_sampling2d": (lambda: L.UpSampling2D((1, 2), interpolation="bilinear"), [(2, 3, 4)]),
    "zero_pad2d": (lambda: L.ZeroPad2D(((1, 2), (0, 1)), mode="circular"), [(2, 3, 4)]),
}
WITH_WEIGHTS = """
attention batch_norm bidirectional bilinear conv1d conv2d conv2d_transpose conv3d dense depthwise_conv2d einsum_dense
group_norm gru instance_norm layer_norm lstm multi_head_attention positional_encoding residual rms_norm
separable_conv2d simple_rnn time_distributed transformer_decoder_block transformer_encoder_block
""".split()
every_layer = pytest.mark.parametrize("key", LAYERS)


def built(key, dtype):
    """A model of the one layer, and what it takes: an array, or a list of them."""
    make, shapes = LAYERS[key]
    with mn.Runtime(seed=1):
        inputs = alone([mn.Input(shape, dtype=dtype) for shape in shapes])
        model = mn.Model(inputs, make()(inputs))
    rng = np.random.default_rng(2)
    return model, alone([rng.standard_normal((5, *shape)).astype(dtype) for shape in shapes])


def alone(items):
    return items if len(items) > 1 else items[0]


def test_the_list_names_registered_layers():
    assert set(LAYERS) <= set(mn.Runtime(autoload=False).registry.keys("layer"))


@every_layer
def test_both_float_types_agree(key):
    single, x = built(key, "float32")
    double, _ = built(key, "float64")
    for name, values in double.parameters.items():
        values[...] = single.parameters[name]
    wide = [a.astype(float) for a in x] if isinstance(x, list) else x.astype(float)
    y, wanted = single(x), double(wide)
    assert (y.dtype, wanted.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


@every_layer
def test_a_saved_layer_computes_the_same_bits(key, tmp_path):
    model, x = built(key, "float32")
    model.save(tmp_path / "model.mathnet")
    again = mn.load(tmp_path / "model.mathnet")
    assert repr(again.layers) == repr(model.layers)
    np.testing.assert_array_equal(again(x), model(x))


@every_layer
def test_derivatives(key):
    model, x = built(key, "float64")
    mn.check_gradient(
        lambda parameters, x: mn.tanh(model.apply(parameters, x)),
        (dict(model.parameters), x),
        max_elements=20,
    )


@pytest.mark.parametrize("key", WITH_WEIGHTS)
def test_training_changes_the_weights_and_nothing_becomes_nan(key):
    model, x = built(key, "float32")
    before = {name: values.copy() for name, values in model.parameters.items()}
    trainer = mn.Trainer(model, loss="mse", optimizer="sgd")
    losses = [trainer.step(x, np.zeros_like(model(x))) for _ in range(3)]
    assert np.isfinite(losses).all()
    assert any(not np.array_equal(before[name], values) for name, values in model.parameters.items())


@every_layer
def test_no_examples_and_examples_with_gaps(key):
    model, x = built(key, "float32")
    xs = x if isinstance(x, list) else [x]
    whole = model(x)
    assert model.predict(alone([a[:0] for a in xs])).shape == (0, *whole.shape[1:])
    spaced = [np.repeat(a, 2, axis=0)[::2] for a in xs]
    np.testing.assert_array_equal(model(alone(spaced)), whole)
    single = np.concatenate([model(alone([a[k : k + 1] for a in xs])) for k in range(len(whole))])
    np.testing.assert_array_equal(single, whole)  # no example sees another one
