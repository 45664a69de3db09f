"""Pictures across two processes without copying them through a pipe: one anonymous piece of shared memory.

It has no name: it is a memfd whose descriptor travels over a socket, so that the kernel frees it when both
processes have ended, however they ended, and nothing stays in /dev/shm.

Two slots hold full pictures: one belongs to the consumer from the moment it is offered until the next is
asked for, the other to the camera. No process ever writes what the other may read, so no memory barriers are
needed. Previews take turns in four small slots and are only announced; a late reader of one sees a newer.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import Final

import numpy as np

from skin_edge.camera.driver import Rgb

SLOTS: Final = 2
PREVIEWS: Final = 4


@dataclass(frozen=True, slots=True)
class RingLayout:
    """Where what is. All sizes in pixels.

    Attributes:
        width, height: of a full picture.
        preview_width, preview_height: of a preview.
    """

    width: int
    height: int
    preview_width: int
    preview_height: int

    @property
    def slot_bytes(self) -> int:
        """Bytes of one full picture."""
        return self.width * self.height * 3

    @property
    def preview_bytes(self) -> int:
        """Bytes of one preview."""
        return self.preview_width * self.preview_height * 3

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole."""
        return SLOTS * self.slot_bytes + PREVIEWS * self.preview_bytes


class Ring:
    """The mapped memory; unmapped when the last array that looks into it is gone.

    Args:
        descriptor: of the memory; closed here. Python keeps a duplicate for as long as it is mapped.
        layout: as the process that made it says.
        writable: False maps it for reading only.
    """

    def __init__(self, descriptor: int, layout: RingLayout, *, writable: bool) -> None:
        self.layout = layout
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        try:
            if os.fstat(descriptor).st_size < layout.total_bytes:
                raise ValueError("the shared memory is smaller than its layout says")
            memory = mmap.mmap(descriptor, layout.total_bytes, flags=mmap.MAP_SHARED, prot=protection)
        finally:
            os.close(descriptor)
        whole = np.frombuffer(memory, np.uint8)
        shape = (layout.height, layout.width, 3)
        size = layout.slot_bytes
        self.slots: tuple[Rgb, ...] = tuple(
            whole[n * size : (n + 1) * size].reshape(shape) for n in range(SLOTS)
        )
        first, small = SLOTS * size, layout.preview_bytes
        small_shape = (layout.preview_height, layout.preview_width, 3)
        self.previews: tuple[Rgb, ...] = tuple(
            whole[first + n * small : first + (n + 1) * small].reshape(small_shape) for n in range(PREVIEWS)
        )


def make_ring_memory(layout: RingLayout) -> int:
    """Return the descriptor of new shared memory, every page of it already there.

    Raises:
        OSError: not enough memory; without this the process would die later, on first touching a page.
    """
    descriptor = os.memfd_create("skin-edge-camera", os.MFD_CLOEXEC)
    try:
        os.posix_fallocate(descriptor, 0, layout.total_bytes)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
