"""Where frames come from: cameras, image files, videos and drawn lesions."""

from skin_edge.camera.source import FrameSource, open_source

__all__ = ["FrameSource", "open_source"]
