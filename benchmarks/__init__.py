"""The workloads against their peers: ``python -m benchmarks tiny``.

mathnet and each peer run alternately in one process, on the same arrays; what counts is the ratio of the medians.
A peer that is not installed is reported as such; ``pip install 'mathnet[bench]'`` brings them.
"""
