"""Where frames come from: cameras, image files, videos and drawn lesions."""

from skin_edge.camera.source import DEFAULT_SOURCE, FrameSource, open_source

__all__ = ["DEFAULT_SOURCE", "FrameSource", "open_source"]
