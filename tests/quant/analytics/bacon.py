"""The record of Bacon, Practical Portfolio Performance Measurement and Attribution (2008), pp. 65–66: 24 months."""

import numpy as np

PORTFOLIO = np.array([
    0.003, 0.026, 0.011, -0.010, 0.015, 0.025, 0.016, 0.067, -0.014, 0.040, -0.005, 0.081,
    0.040, -0.037, -0.061, 0.017, -0.049, -0.022, 0.070, 0.058, -0.065, 0.024, -0.005, -0.009,
])  # fmt: skip
BENCHMARK = np.array([
    0.002, 0.025, 0.018, -0.011, 0.014, 0.018, 0.014, 0.065, -0.015, 0.042, -0.006, 0.083,
    0.039, -0.038, -0.062, 0.015, -0.048, 0.021, 0.060, 0.056, -0.067, 0.019, -0.003, 0.000,
])  # fmt: skip
MONTHS, YEARS, MAR = 12.0, 2.0, 0.005
MONTH_ENDS = np.arange("2006-02", "2008-02", dtype="datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
