"""The kernel's test camera is there to be used as a USB camera would be."""

from __future__ import annotations

from machine import Machine


def test_the_kernels_test_camera_gives_frames(machine: Machine) -> None:
    machine.ssh("modprobe vivid n_devs=1 && udevadm settle && test -c /dev/video0")
    try:
        listed = machine.ssh("v4l2-ctl --list-devices", check=False).stdout
        assert "vivid" in listed
        assert "/dev/video0" in listed
        told = machine.ssh(
            "v4l2-ctl -d /dev/video0 --set-fmt-video=width=640,height=360,pixelformat=YUYV "
            "--stream-mmap --stream-count=3 --stream-to=/root/frames.raw && stat -c %s /root/frames.raw"
        )
    finally:
        machine.ssh("rmmod vivid")
    assert int(told.stdout.split()[-1]) == 3 * 640 * 360 * 2
