"""The mathematics of a model made visible."""
