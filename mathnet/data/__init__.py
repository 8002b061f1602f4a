"""Data sets that come with the package.  Sources and licences stand in the README beside this file."""

from __future__ import annotations

from importlib.resources import files

import numpy as np


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits: images (1797, 8, 8) uint8 with values 0…16, labels (1797,) int64 with values 0…9.

    The test part of the UCI data set *Optical Recognition of Handwritten Digits* (Alpaydin and Kaynak, 1998; CC BY 4.0),
    in its original order.  Each call reads the file anew, so the arrays are the caller's own.

    >>> images, labels = digits()
    >>> images.shape, images.dtype.name, labels.dtype.name
    ((1797, 8, 8), 'uint8', 'int64')
    """
    with (files(__package__) / "digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return archive["images"], archive["labels"].astype(np.int64)


def sunspots() -> tuple[np.ndarray, np.ndarray]:
    """Yearly mean sunspot numbers: years 1700…2008 (309,) int64, numbers 0…190.2 (309,) float64.

    The series of the National Geophysical Data Center (NOAA), before its revision of 2015; in the public domain.  It rises and falls with
    a period of about eleven years that varies, as do the heights: the classical series of autoregression (Yule, 1927).

    >>> years, numbers = sunspots()
    >>> years[[0, -1]], numbers[[0, -1]]
    (array([1700, 2008]), array([5. , 2.9]))
    """
    with (files(__package__) / "sunspots.csv").open(encoding="ascii") as file:
        years, numbers = np.loadtxt(file, delimiter=",", skiprows=1, unpack=True)
    return years.astype(np.int64), numbers
