"""The page "Names in Keras and PyTorch": what an object is called there, and where the two differ from mathnet.

The names stand here; the differences are the sentences of the docstrings that speak of Keras or PyTorch, so they are told once.
"""

from __future__ import annotations

import re
from typing import Any

from mathnet.plugin.records import KINDS, Record, public_name
from mathnet.plugin.registry import Registry
from reference_pages.docstring import Docstring, markdown
from reference_pages.records import anchor, kinds, table

#: kind → lines of: key, name in Keras, name in PyTorch; "-" where there is none.
TABLE = {
    "layer": """
        activation                 Activation                torch.nn.functional
        activity_regularization    ActivityRegularization    -
        adaptive_avg_pool2d        -                         nn.AdaptiveAvgPool2d
        adaptive_max_pool2d        -                         nn.AdaptiveMaxPool2d
        add                        Add                       +
        alpha_dropout              AlphaDropout              nn.AlphaDropout
        attention                  Attention                 nn.functional.scaled_dot_product_attention
        average                    Average                   -
        avg_pool1d                 AveragePooling1D          nn.AvgPool1d
        avg_pool2d                 AveragePooling2D          nn.AvgPool2d
        avg_pool3d                 AveragePooling3D          nn.AvgPool3d
        batch_norm                 BatchNormalization        nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
        bidirectional              Bidirectional             bidirectional=True
        bilinear                   -                         nn.Bilinear
        concatenate                Concatenate               torch.cat
        conv1d                     Conv1D                    nn.Conv1d
        conv2d                     Conv2D                    nn.Conv2d
        conv3d                     Conv3D                    nn.Conv3d
        conv2d_transpose           Conv2DTranspose           nn.ConvTranspose2d
        cropping2d                 Cropping2D                slices
        dense                      Dense                     nn.Linear
        depthwise_conv2d           DepthwiseConv2D           nn.Conv2d(groups=C)
        dot                        Dot                       torch.einsum
        dropout                    Dropout                   nn.Dropout
        einsum_dense               EinsumDense               torch.einsum
        embedding                  Embedding                 nn.Embedding
        flatten                    Flatten                   nn.Flatten
        gaussian_dropout           GaussianDropout           -
        gaussian_noise             GaussianNoise             -
        global_avg_pool            GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D    nn.AdaptiveAvgPool2d(1)
        global_max_pool            GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D    nn.AdaptiveMaxPool2d(1)
        group_norm                 GroupNormalization        nn.GroupNorm
        gru                        GRU                       nn.GRU
        gru_cell                   GRUCell                   nn.GRUCell
        gumbel_softmax             -                         nn.functional.gumbel_softmax
        identity                   Identity                  nn.Identity
        instance_norm              GroupNormalization(-1)    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d
        lambda                     Lambda                    -
        layer_norm                 LayerNormalization        nn.LayerNorm
        lstm                       LSTM                      nn.LSTM
        lstm_cell                  LSTMCell                  nn.LSTMCell
        masking                    Masking                   -
        max_pool1d                 MaxPooling1D              nn.MaxPool1d
        max_pool2d                 MaxPooling2D              nn.MaxPool2d
        max_pool3d                 MaxPooling3D              nn.MaxPool3d
        maximum                    Maximum                   torch.maximum
        minimum                    Minimum                   torch.minimum
        multi_head_attention       MultiHeadAttention        nn.MultiheadAttention
        multiply                   Multiply                  *
        normalization              Normalization             -
        permute                    Permute                   Tensor.permute
        prelu                      PReLU                     nn.PReLU
        repeat_vector              RepeatVector              Tensor.expand
        reshape                    Reshape                   nn.Unflatten
        rms_norm                   RMSNormalization          nn.RMSNorm
        rnn                        RNN                       -
        rotary_embedding           keras_hub RotaryEmbedding    -
        separable_conv2d           SeparableConv2D           -
        simple_rnn                 SimpleRNN                 nn.RNN
        simple_rnn_cell            SimpleRNNCell             nn.RNNCell
        spatial_dropout            SpatialDropout1D, SpatialDropout2D, SpatialDropout3D    nn.Dropout1d, nn.Dropout2d, nn.Dropout3d
        stacked_rnn_cells          StackedRNNCells           -
        subtract                   Subtract                  -
        time_distributed           TimeDistributed           -
        transformer_decoder_block  keras_hub TransformerDecoder    nn.TransformerDecoderLayer
        transformer_encoder_block  keras_hub TransformerEncoder    nn.TransformerEncoderLayer
        up_sampling2d              UpSampling2D              nn.Upsample
        zero_pad2d                 ZeroPadding2D             nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d
    """,
    "activation": """
        celu            celu            nn.CELU
        elu             elu             nn.ELU
        exponential     exponential     torch.exp
        gelu            gelu            nn.GELU
        glu             glu             nn.GLU
        hard_sigmoid    hard_sigmoid    nn.Hardsigmoid
        hard_swish      hard_silu       nn.Hardswish
        hard_tanh       hard_tanh       nn.Hardtanh
        leaky_relu      leaky_relu      nn.LeakyReLU
        linear          linear          nn.Identity
        log_sigmoid     log_sigmoid     nn.LogSigmoid
        log_softmax     log_softmax     nn.LogSoftmax
        mish            mish            nn.Mish
        relu            relu            nn.ReLU
        relu6           relu6           nn.ReLU6
        selu            selu            nn.SELU
        sigmoid         sigmoid         nn.Sigmoid
        silu            silu            nn.SiLU
        softmax         softmax         nn.Softmax
        softmin         -               nn.Softmin
        softplus        softplus        nn.Softplus
        softsign        softsign        nn.Softsign
        sparsemax       sparsemax       -
        squareplus      squareplus      -
        swish           swish           nn.SiLU
        tanh            tanh            nn.Tanh
        tanh_shrink     tanh_shrink     nn.Tanhshrink
    """,
    "loss": """
        binary_cross_entropy    BinaryCrossentropy                           nn.BCEWithLogitsLoss
        cosine                  CosineSimilarity                             nn.CosineEmbeddingLoss
        cross_entropy           SparseCategoricalCrossentropy, CategoricalCrossentropy    nn.CrossEntropyLoss
        ctc                     CTC                                          nn.CTCLoss
        dice                    Dice                                         -
        focal                   BinaryFocalCrossentropy, CategoricalFocalCrossentropy    torchvision.ops.sigmoid_focal_loss
        gaussian_nll            -                                            nn.GaussianNLLLoss
        hinge                   Hinge                                        -
        huber                   Huber                                        nn.HuberLoss
        kl_divergence           KLDivergence                                 nn.KLDivLoss
        log_cosh                LogCosh                                      -
        mae                     MeanAbsoluteError                            nn.L1Loss
        mse                     MeanSquaredError                             nn.MSELoss
        poisson                 Poisson                                      nn.PoissonNLLLoss
        squared_hinge           SquaredHinge                                 -
        triplet                 -                                            nn.TripletMarginLoss
    """,
    "metric": """
        accuracy            Accuracy, CategoricalAccuracy, SparseCategoricalAccuracy    torchmetrics.Accuracy
        auc                 AUC                              torchmetrics.AUROC, torchmetrics.AveragePrecision
        binary_accuracy     BinaryAccuracy                   torchmetrics.Accuracy
        confusion_matrix    -                                torchmetrics.ConfusionMatrix
        f1                  F1Score                          torchmetrics.F1Score
        mae                 MeanAbsoluteError                torchmetrics.MeanAbsoluteError
        mse                 MeanSquaredError                 torchmetrics.MeanSquaredError
        perplexity          keras_hub Perplexity             torchmetrics.text.Perplexity
        precision           Precision                        torchmetrics.Precision
        r2                  R2Score                          torchmetrics.R2Score
        recall              Recall                           torchmetrics.Recall
        rmse                RootMeanSquaredError             torchmetrics.MeanSquaredError(squared=False)
        top_k_accuracy      TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy    torchmetrics.Accuracy(top_k=…)
    """,
    "optimizer": """
        adadelta       Adadelta             optim.Adadelta
        adagrad        Adagrad              optim.Adagrad
        adam           Adam                 optim.Adam
        adamax         Adamax               optim.Adamax
        adamw          AdamW                optim.AdamW
        amsgrad        Adam(amsgrad=True)   optim.Adam(amsgrad=True)
        lamb           Lamb                 -
        lbfgs          -                    optim.LBFGS
        lion           Lion                 -
        muon           Muon                 optim.Muon
        nadam          Nadam                optim.NAdam
        radam          -                    optim.RAdam
        rmsprop        RMSprop              optim.RMSprop
        rprop          -                    optim.Rprop
        sgd            SGD                  optim.SGD
        sgdw           SGD(weight_decay=…)  -
    """,
    "schedule": """
        constant          a number                lr_scheduler.ConstantLR
        cosine            CosineDecay             lr_scheduler.CosineAnnealingLR
        cosine_restarts   CosineDecayRestarts     lr_scheduler.CosineAnnealingWarmRestarts
        exponential       ExponentialDecay        lr_scheduler.ExponentialLR
        inverse_time      InverseTimeDecay        -
        multi_step        PiecewiseConstantDecay  lr_scheduler.MultiStepLR
        one_cycle         -                       lr_scheduler.OneCycleLR
        piecewise         PiecewiseConstantDecay  -
        polynomial        PolynomialDecay         lr_scheduler.PolynomialLR, lr_scheduler.LinearLR
        sequence          -                       lr_scheduler.SequentialLR
        step              ExponentialDecay(staircase=True)    lr_scheduler.StepLR
        warmup            CosineDecay(warmup_steps=…)         lr_scheduler.LinearLR and SequentialLR
    """,
    "initializer": """
        constant            Constant          nn.init.constant_
        dirac               -                 nn.init.dirac_
        glorot_normal       GlorotNormal      nn.init.xavier_normal_
        glorot_uniform      GlorotUniform     nn.init.xavier_uniform_
        he_normal           HeNormal          nn.init.kaiming_normal_
        he_uniform          HeUniform         nn.init.kaiming_uniform_
        identity            Identity          nn.init.eye_
        lecun_normal        LecunNormal       nn.init.kaiming_normal_(nonlinearity="linear")
        lecun_uniform       LecunUniform      nn.init.kaiming_uniform_(nonlinearity="linear")
        normal              RandomNormal      nn.init.normal_
        ones                Ones              nn.init.ones_
        orthogonal          Orthogonal        nn.init.orthogonal_
        truncated_normal    TruncatedNormal   nn.init.trunc_normal_
        uniform             RandomUniform     nn.init.uniform_
        variance_scaling    VarianceScaling   -
        zeros               Zeros             nn.init.zeros_
    """,
    "regularizer": """
        l1            L1                      -
        l1_l2         L1L2                    -
        l2            L2                      weight_decay of optim.SGD
        orthogonal    OrthogonalRegularizer   nn.utils.parametrizations.orthogonal
        spectral      -                       nn.utils.parametrizations.spectral_norm
    """,
    "constraint": """
        max_norm        MaxNorm       torch.renorm
        min_max         MinMaxNorm    -
        non_negative    NonNeg        torch.clamp
        unit_norm       UnitNorm      nn.utils.parametrizations.weight_norm
    """,
    "callback": """
        checkpoint          ModelCheckpoint   torch.save
        csv_log             CSVLogger         -
        early_stopping      EarlyStopping     -
        plateau             ReduceLROnPlateau    lr_scheduler.ReduceLROnPlateau
        progress            ProgbarLogger     -
        schedule            LearningRateScheduler    lr_scheduler.LambdaLR
        terminate_on_nan    TerminateOnNaN    -
    """,
    "distribution": """
        bernoulli              -    distributions.Bernoulli
        beta                   -    distributions.Beta
        binomial               -    distributions.Binomial
        categorical            -    distributions.Categorical
        dirichlet              -    distributions.Dirichlet
        exponential            -    distributions.Exponential
        gamma                  -    distributions.Gamma
        laplace                -    distributions.Laplace
        mixture                -    distributions.MixtureSameFamily
        multinomial            -    distributions.Multinomial
        multivariate_normal    -    distributions.MultivariateNormal
        normal                 -    distributions.Normal
        poisson                -    distributions.Poisson
        student_t              -    distributions.StudentT
        uniform                -    distributions.Uniform
    """,
}
#: Sentences of prose: to a full stop, semicolon or closing bracket that ends one, or to the end.
_SENTENCE = re.compile(r"[^.;()]*(?:\.\d[^.;()]*|\.[a-z][^.;()]*)*")
_ELSEWHERE = re.compile(r"\b(Keras|KerasHub|PyTorch|torch\w*|keras)\b")


def rows(kind: str) -> dict[str, tuple[str, str]]:
    """Names in Keras and in PyTorch by key; "" where there is none."""
    found = {}
    for line in TABLE.get(kind, "").strip().splitlines():
        key, keras, torch = re.split(r"\s{2,}", line.strip())
        found[key] = ("" if keras == "-" else keras, "" if torch == "-" else torch)
    return found


def differences(documented: Any) -> str:
    """What the docstring says of Keras and PyTorch, sentence by sentence, as Markdown."""
    doc = Docstring.of(documented)
    texts = [doc.summary, *doc.paragraphs, *[f"{names}: {meaning}" for names, meaning in doc.parameters]]
    found = []
    for text in texts:
        for sentence in _SENTENCE.findall(" ".join(text.split())):
            if _ELSEWHERE.search(sentence):
                shown = markdown(sentence.strip(" ,"))
                found.append(shown[0].upper() + shown[1:])
    return "; ".join(dict.fromkeys(found))


def page(registry: Registry) -> str:
    """The whole page: a table for each kind."""
    lines = [
        "# Names in Keras and PyTorch",
        "",
        "What stands beside each other has the same purpose. The last column is what the object's own text says of differences in "
        "form and defaults; where nothing is said they are the same in substance. Scores are logits everywhere: losses and metrics "
        "of classes take them without softmax or sigmoid (Keras: `from_logits=True`). Pictures are (N, C, H, W), as in PyTorch; "
        "sequences are (N, T, features), as in Keras.",
        "",
    ]
    for kind in kinds(registry):
        known = rows(kind)
        if not known:
            continue
        lines += [f"## {KINDS[kind].plural.capitalize()}", ""]
        lines += table(
            ("mathnet", "key", "Keras", "PyTorch", "differences"),
            [_row(registry.find(kind, key), known.get(key, ("", ""))) for key in registry.keys(kind)],
        )
        lines += [""]
    return "\n".join(lines)


def _row(record: Record, names: tuple[str, str]) -> tuple[str, ...]:
    shown = [", ".join(f"`{name}`" for name in one.split(", ")) if one else "–" for one in names]
    return (
        f"[{public_name(record)}](#{anchor(record)})",
        f"`{record.key}`",
        *shown,
        differences(record.object),
    )
