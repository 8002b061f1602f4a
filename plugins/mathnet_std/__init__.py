"""The standard plugin: what every installation of mathnet can name.

It uses only the public face of mathnet, and announces its objects by reference, so that naming one imports its module alone.
"""

import mathnet as mn

MATHNET_SAMPLES = "mathnet_std.samples:SAMPLES"


def _references(module: str, **names: str) -> dict[str, str]:
    return {key: f"mathnet_std.{module}:{name}" for key, name in names.items()}


@mn.hookimpl
def mathnet_layers() -> dict[str, str]:
    return {
        **_references("layers.dense", dense="Dense"),
        **_references("layers.bilinear", bilinear="Bilinear"),
        **_references("layers.einsum_dense", einsum_dense="EinsumDense"),
        **_references("layers.convolution", conv1d="Conv1D", conv2d="Conv2D", conv3d="Conv3D"),
        **_references(
            "layers.convolution_variants",
            conv2d_transpose="Conv2DTranspose",
            depthwise_conv2d="DepthwiseConv2D",
            separable_conv2d="SeparableConv2D",
        ),
        **_references(
            "layers.pooling",
            max_pool1d="MaxPool1D",
            max_pool2d="MaxPool2D",
            max_pool3d="MaxPool3D",
            avg_pool1d="AvgPool1D",
            avg_pool2d="AvgPool2D",
            avg_pool3d="AvgPool3D",
            global_avg_pool="GlobalAvgPool",
            global_max_pool="GlobalMaxPool",
            adaptive_avg_pool2d="AdaptiveAvgPool2D",
            adaptive_max_pool2d="AdaptiveMaxPool2D",
        ),
        **_references(
            "layers.normalization",
            batch_norm="BatchNorm",
            layer_norm="LayerNorm",
            rms_norm="RMSNorm",
            group_norm="GroupNorm",
            instance_norm="InstanceNorm",
        ),
        **_references("layers.data_normalization", normalization="Normalization"),
        **_references(
            "layers.dropout",
            dropout="Dropout",
            spatial_dropout="SpatialDropout",
            alpha_dropout="AlphaDropout",
            gaussian_dropout="GaussianDropout",
            gaussian_noise="GaussianNoise",
        ),
        **_references("layers.embedding", embedding="Embedding"),
        **_references("layers.masking", masking="Masking"),
        **_references("layers.recurrent", simple_rnn="SimpleRNN", lstm="LSTM", gru="GRU"),
        **_references(
            "layers.recurrent_cells",
            simple_rnn_cell="SimpleRNNCell",
            lstm_cell="LSTMCell",
            gru_cell="GRUCell",
            stacked_rnn_cells="StackedRNNCells",
        ),
        **_references(
            "layers.sequence_wrapping",
            rnn="RNN",
            bidirectional="Bidirectional",
            time_distributed="TimeDistributed",
        ),
        **_references("layers.attention", attention="Attention", multi_head_attention="MultiHeadAttention"),
        **_references("layers.linear_attention", linear_attention="LinearAttention"),
        **_references(
            "layers.transformer",
            transformer_encoder_block="TransformerEncoderBlock",
            transformer_decoder_block="TransformerDecoderBlock",
        ),
        **_references(
            "layers.positions", positional_encoding="PositionalEncoding", rotary_embedding="RotaryEmbedding"
        ),
        **_references("layers.activation", activation="Activation"),
        **_references("layers.learned_activations", prelu="PReLU", gumbel_softmax="GumbelSoftmax"),
        **_references(
            "layers.shaping",
            flatten="Flatten",
            reshape="Reshape",
            permute="Permute",
            repeat_vector="RepeatVector",
            identity="Identity",
        ),
        **_references(
            "layers.resizing", up_sampling2d="UpSampling2D", zero_pad2d="ZeroPad2D", cropping2d="Cropping2D"
        ),
        **_references(
            "layers.merging",
            add="Add",
            subtract="Subtract",
            multiply="Multiply",
            average="Average",
            maximum="Maximum",
            minimum="Minimum",
            concatenate="Concatenate",
            dot="Dot",
        ),
        **_references(
            "layers.wrapping",
            residual="Residual",
            activity_regularization="ActivityRegularization",
            **{"lambda": "Lambda"},
        ),
    }


@mn.hookimpl
def mathnet_activations() -> dict[str, str]:
    names = (
        "linear relu leaky_relu relu6 elu celu selu gelu silu swish mish tanh sigmoid softplus softsign softmax "
        "log_softmax log_sigmoid hard_tanh hard_sigmoid hard_swish tanh_shrink squareplus exponential softmin sparsemax"
    )
    return {
        **_references("activations", **{name: name for name in names.split()}),
        **_references("gated_activations", glu="glu", swiglu="swiglu", geglu="geglu", maxout="maxout"),
    }


@mn.hookimpl
def mathnet_losses() -> dict[str, str]:
    return {
        **_references(
            "losses",
            mse="mse",
            mae="mae",
            cross_entropy="cross_entropy",
            binary_cross_entropy="binary_cross_entropy",
            ctc="ctc",
        ),
        **_references(
            "regression_losses",
            huber="huber",
            log_cosh="log_cosh",
            quantile="quantile",
            poisson="poisson",
            gaussian_nll="gaussian_nll",
        ),
        **_references(
            "classification_losses",
            focal="focal",
            kl_divergence="kl_divergence",
            hinge="hinge",
            squared_hinge="squared_hinge",
            cosine="cosine",
            dice="dice",
        ),
        **_references("embedding_losses", triplet="triplet", contrastive="contrastive"),
        **_references("likelihood_loss", nll="nll"),
    }


@mn.hookimpl
def mathnet_metrics() -> dict[str, str]:
    averages = "accuracy binary_accuracy top_k_accuracy mse mae"
    return {
        **_references("metrics", **{key: key for key in averages.split()}),
        **_references(
            "classification_metrics",
            precision="Precision",
            recall="Recall",
            f1="F1",
            confusion_matrix="ConfusionMatrix",
        ),
        **_references("ranking_metrics", auc="AUC"),
        **_references("regression_metrics", rmse="RMSE", r2="R2", perplexity="Perplexity"),
    }


@mn.hookimpl
def mathnet_regularizers() -> dict[str, str]:
    return _references(
        "regularizers", l1="l1", l2="l2", l1_l2="l1_l2", orthogonal="orthogonal", spectral="spectral"
    )


@mn.hookimpl
def mathnet_constraints() -> dict[str, str]:
    return _references(
        "constraints",
        non_negative="non_negative",
        max_norm="max_norm",
        unit_norm="unit_norm",
        min_max="min_max",
    )


@mn.hookimpl
def mathnet_optimizers() -> dict[str, str]:
    return {
        **_references("optimizers.sgd", sgd="SGD", sgdw="SGDW"),
        **_references("optimizers.adam", adam="Adam", adamw="AdamW"),
        **_references("optimizers.rmsprop", rmsprop="RMSprop"),
        **_references(
            "optimizers.adam_variants", amsgrad="AMSGrad", nadam="NAdam", radam="RAdam", adamax="Adamax"
        ),
        **_references("optimizers.adagrad", adagrad="Adagrad", adadelta="Adadelta"),
        **_references("optimizers.sign_methods", rprop="Rprop", lion="Lion"),
        **_references("optimizers.lamb", lamb="LAMB"),
        **_references("optimizers.muon", muon="Muon"),
        **_references("optimizers.proximal", proximal_sgd="ProximalSGD"),
        **_references("optimizers.lbfgs", lbfgs="LBFGS"),
        **_references("optimizers.newton_cg", newton_cg="NewtonCG"),
        **_references(
            "optimizers.gauss_newton",
            levenberg_marquardt="LevenbergMarquardt",
            natural_gradient="NaturalGradient",
        ),
    }


@mn.hookimpl
def mathnet_initializers() -> dict[str, str]:
    scaled = [f"{family}_{law}" for family in ("glorot", "he", "lecun") for law in ("uniform", "normal")]
    names = "zeros ones constant uniform normal truncated_normal variance_scaling orthogonal identity dirac"
    return _references("initializers", **{name: name for name in (*names.split(), *scaled)})


@mn.hookimpl
def mathnet_schedules() -> dict[str, str]:
    keys = ["constant", "step", "multi_step", "exponential", "inverse_time", "polynomial", "cosine"]
    keys += ["cosine_restarts", "one_cycle", "piecewise", "warmup", "sequence"]
    return _references("schedules", **{key: key for key in keys})


@mn.hookimpl
def mathnet_callbacks() -> dict[str, str]:
    return {
        **_references("callbacks.early_stopping", early_stopping="EarlyStopping"),
        **_references("callbacks.progress", progress="Progress"),
        **_references("callbacks.terminate_on_nan", terminate_on_nan="TerminateOnNaN"),
        **_references("callbacks.csv_log", csv_log="CSVLog"),
        **_references("callbacks.checkpoint", checkpoint="Checkpoint"),
        **_references("callbacks.schedule", schedule="Schedule"),
        **_references("callbacks.plateau", plateau="Plateau"),
        **_references("callbacks.gradient_monitor", gradient_monitor="GradientMonitor"),
    }


@mn.hookimpl
def mathnet_formats() -> dict[str, str]:
    return _references("formats", npz="NPZ")


@mn.hookimpl
def mathnet_reports() -> dict[str, str]:
    return _references("reports", weights="weights")


@mn.hookimpl
def mathnet_distributions() -> dict[str, str]:
    return {
        **_references(
            "distributions.continuous",
            uniform="Uniform",
            normal="Normal",
            laplace="Laplace",
            student_t="StudentT",
            exponential="Exponential",
        ),
        **_references("distributions.gamma_family", gamma="Gamma", beta="Beta", dirichlet="Dirichlet"),
        **_references("distributions.counts", bernoulli="Bernoulli", binomial="Binomial", poisson="Poisson"),
        **_references("distributions.categories", categorical="Categorical", multinomial="Multinomial"),
        **_references("distributions.multivariate_normal", multivariate_normal="MultivariateNormal"),
        **_references("distributions.mixture", mixture="Mixture"),
    }
