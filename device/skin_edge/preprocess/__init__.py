"""The six preprocessing stages: the one copy that training and the device both run.

`skin_edge.preprocess.pipeline.Preprocessor` runs a spec; it is not imported here, so that reading a spec
does not load OpenCV.
"""

from skin_edge.preprocess.spec import PreprocessSpec

__all__ = ["PreprocessSpec"]
