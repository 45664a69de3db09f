"""The six preprocessing stages: the one copy that training and the device both run."""

from skin_edge.preprocess.spec import PreprocessSpec

__all__ = ["PreprocessSpec"]
