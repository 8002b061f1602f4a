from runner_kernels import kernels  # noqa: F401  (a fixture)
