"""The data sets behind `ml.common.data`, one module a family."""
