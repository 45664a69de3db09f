"""The sections of the settings file, typed and strict, each with its bounds and what it means."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from skin_edge.strict import Strict

#: Relative paths would mean something else in a service than in a shell.
AbsolutePath = Annotated[str, Meta(pattern="^[/~]", max_length=4096)]


class StateConfig(Strict, frozen=True):
    """Where the results log, the kept images and the installed models are."""

    directory: Annotated[
        AbsolutePath | None,
        Meta(
            description="Folder of the log, images and models: absolute or from ~. "
            "null: the user's state directory. SKIN_EDGE_HOME goes before it."
        ),
    ] = None
    save_images: Annotated[
        bool,
        Meta(description="Keep every classified image beside the log. Off: images of people are not kept."),
    ] = False


#: Where frames come from when nobody says.
DEFAULT_SOURCE: Final = "auto"


class CaptureConfig(Strict, frozen=True):
    """Where frames come from and how often."""

    source: Annotated[
        Annotated[str, Meta(min_length=1, max_length=4096)] | None,
        Meta(description="What `capture --source` takes, for example replay:/photos or demo. null: auto."),
    ] = None
    interval_s: Annotated[
        float,
        Meta(ge=0.0, le=86_400.0, description="Seconds between two decisions; 0: as fast as frames come."),
    ] = 0.0
    fps: Annotated[
        Annotated[float, Meta(gt=0.0, le=1000.0)] | None,
        Meta(description="Frames a second taken from a replayed source. null: at its own pace."),
    ] = None

    burst: Annotated[
        Annotated[int, Meta(ge=1, le=50)] | None,
        Meta(description="Frames taken for one decision. null: 5 from a camera, 1 from replay and demo."),
    ] = None
    best: Annotated[
        int, Meta(ge=1, le=50, description="Frames of a burst that are classified, the sharpest, at most.")
    ] = 3
    max_spread: Annotated[
        float,
        Meta(ge=0.0, le=100.0, description="Log-odds between two frames above which they disagree."),
    ] = 2.0
    trigger: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="What `capture --trigger` takes: enter or gpio:PIN. null: the interval."),
    ] = None


Pin = Annotated[int, Meta(ge=0, le=100)]


class FeedbackConfig(Strict, frozen=True):
    """Lights and sounds on GPIO pins, by Broadcom number; see docs/capture.md for what they say."""

    led_pin: Annotated[Pin | None, Meta(description="Pin of a light. null: none.")] = None
    buzzer_pin: Annotated[Pin | None, Meta(description="Pin of an active buzzer. null: none.")] = None


class CameraConfig(Strict, frozen=True):
    """How a camera is set, and what is put up with before it is started again."""

    width: Annotated[
        Annotated[int, Meta(ge=16, le=20_000)] | None,
        Meta(description="Pixels across wanted. null: all of a picamera2 camera, 640 of a v4l2 one."),
    ] = None
    height: Annotated[
        Annotated[int, Meta(ge=16, le=20_000)] | None,
        Meta(description="Pixels down wanted. null: all, or 480."),
    ] = None
    fps: Annotated[
        Annotated[float, Meta(gt=0.0, le=1000.0)] | None,
        Meta(description="Frames a second wanted. null: the camera's own choice."),
    ] = None
    pixel_format: Annotated[
        Literal["mjpg", "yuyv"] | None,
        Meta(description="What a USB camera sends. null: mjpg where it can, else its own choice."),
    ] = None
    exposure_us: Annotated[
        Annotated[int, Meta(ge=1, le=60_000_000)] | None,
        Meta(description="Exposure time in microseconds. null: automatic."),
    ] = None
    gain: Annotated[
        Annotated[float, Meta(ge=0.0, le=10_000.0)] | None,
        Meta(description="Analogue gain (picamera2) or the camera's own unit (v4l2). null: automatic."),
    ] = None
    autofocus: Annotated[
        Literal["continuous", "once", "off"],
        Meta(description="Where the camera has it: always, once at opening, or never."),
    ] = "continuous"
    focus: Annotated[
        Annotated[float, Meta(ge=0.0, le=10_000.0)] | None,
        Meta(description="With autofocus off: dioptres (picamera2) or the camera's own unit (v4l2)."),
    ] = None
    white_balance: Annotated[
        Literal["auto", "lock"],
        Meta(description="auto follows the light; lock settles at opening and then stays."),
    ] = "auto"
    colour_gains: Annotated[
        tuple[Annotated[float, Meta(gt=0.0, le=32.0)], Annotated[float, Meta(gt=0.0, le=32.0)]] | None,
        Meta(description="Red and blue gain of a locked white balance (picamera2). null: what settled."),
    ] = None
    white_balance_k: Annotated[
        Annotated[int, Meta(ge=1000, le=20_000)] | None,
        Meta(description="Kelvin of a locked white balance (v4l2). null: what settled."),
    ] = None
    settle_s: Annotated[
        float, Meta(ge=0.0, le=60.0, description="Seconds for exposure and white balance to settle.")
    ] = 0.5
    preview_width: Annotated[
        int, Meta(ge=16, le=2_000, description="Pixels of the longer side of the live preview, about.")
    ] = 320
    open_timeout_s: Annotated[
        float, Meta(gt=0.0, le=600.0, description="Seconds to open; then it hangs and is killed.")
    ] = 20.0
    read_timeout_s: Annotated[
        float, Meta(gt=0.0, le=600.0, description="Seconds for one picture; then it hangs and is killed.")
    ] = 5.0
    close_timeout_s: Annotated[
        float, Meta(gt=0.0, le=600.0, description="Seconds to close; then it hangs and is killed.")
    ] = 3.0
    bad_s: Annotated[
        float,
        Meta(ge=0.0, le=600.0, description="Seconds of torn, garbled or wrong-sized pictures: a fault."),
    ] = 2.0
    black_s: Annotated[
        Annotated[float, Meta(ge=0.0, le=86_400.0)] | None,
        Meta(description="Seconds of black pictures: a fault. null: black pictures are pictures."),
    ] = 10.0
    black_level: Annotated[
        int, Meta(ge=0, le=254, description="A picture is black where no sample (0 to 255) is above.")
    ] = 8
    frozen_s: Annotated[
        Annotated[float, Meta(ge=0.0, le=86_400.0)] | None,
        Meta(description="Seconds of bit-identical pictures: a fault. null: they are pictures."),
    ] = 5.0
    check_torn: Annotated[
        bool, Meta(description="Withhold pictures that are torn, or noise in the place of a picture.")
    ] = True
    restarts: Annotated[
        int, Meta(ge=0, le=10_000, description="Restarts within the window; one more ends with status 3.")
    ] = 10
    restart_window_s: Annotated[
        float, Meta(gt=0.0, le=1_000_000.0, description="Seconds in which restarts are counted.")
    ] = 600.0
    backoff_s: Annotated[
        float,
        Meta(ge=0.0, le=600.0, description="Seconds before a restart, doubled with each in the window."),
    ] = 0.5
    backoff_max_s: Annotated[
        float, Meta(ge=0.0, le=3_600.0, description="Seconds that this wait does not exceed.")
    ] = 30.0
    backoff_jitter: Annotated[
        float,
        Meta(ge=0.0, le=1.0, description="Part by which each wait is lengthened or shortened at random."),
    ] = 0.2


class ModelConfig(Strict, frozen=True):
    """Which model answers, and how."""

    path: Annotated[
        AbsolutePath | None,
        Meta(description="Bundle to use: absolute or from ~. null: the active one, else the package's."),
    ] = None
    operating_point: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="Name of an operating point in the bundle. null: the bundle's default."),
    ] = None
    threads: Annotated[
        int,
        Meta(ge=1, le=8, description="Threads of the runtime; one is the fastest for so small a network."),
    ] = 1
    views: Annotated[
        Literal[1, 2, 4, 8],
        Meta(description="Flips and rotations of each frame that are averaged; each costs one invoke."),
    ] = 1
    keep: Annotated[
        int,
        Meta(ge=2, le=100, description="Installed bundles kept; the one in use and the one before always."),
    ] = 3
    allowed_signers: Annotated[
        AbsolutePath | None,
        Meta(
            description="File of keys whose models may be installed, as ssh-keygen(1) has it. "
            "null: /etc/skin-edge/allowed_signers where it exists, else no signature is asked for."
        ),
    ] = None
    health_timeout_s: Annotated[
        float,
        Meta(
            ge=1.0,
            le=3600.0,
            description="Seconds that a new model has to classify a frame in the service.",
        ),
    ] = 120.0


class QualityThresholds(Strict, frozen=True):
    """Where the gate stands. Fractions are parts of the central square's pixels, luma is 0 to 255."""

    min_side_px: Annotated[
        int, Meta(ge=1, le=10_000, description="Shorter side below which a picture is too small.")
    ] = 100
    min_focus: Annotated[
        float,
        Meta(
            ge=0.0,
            le=100.0,
            description="Sharpness, in the worst direction, below which it is blurred; 0: never.",
        ),
    ] = 8.0
    max_motion_evenness: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            description="Worst over best direction below which blur is called motion; 0: never.",
        ),
    ] = 0.7
    min_highlight_luma: Annotated[
        float,
        Meta(ge=0.0, le=255.0, description="95th percentile of luma below which a picture is too dark."),
    ] = 60.0
    max_black_fraction: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Part without shadow detail above which it is too dark.")
    ] = 0.5
    max_white_fraction: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Part burnt out above which a picture is too bright.")
    ] = 0.12
    max_glare_fraction: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Part of the disc under highlights above which it is glare.")
    ] = 0.008
    max_no_lesion: Annotated[
        float,
        Meta(
            ge=-1e4,
            le=1e4,
            description="Likeness to bare skin above which no lesion is in view; 10000: never.",
        ),
    ] = 0.0
    max_not_skin: Annotated[
        float,
        Meta(ge=-1e4, le=1e4, description="Unlikeness to skin above which it is not skin; 10000: never."),
    ] = 0.0


class HealthConfig(Strict, frozen=True):
    """When `skin-edge doctor` warns and when it fails."""

    warn_free_mb: Annotated[
        int, Meta(ge=0, le=10_000_000, description="Free space of the state folder below which it warns.")
    ] = 1000
    min_free_mb: Annotated[
        int, Meta(ge=0, le=10_000_000, description="Free space of the state folder below which it fails.")
    ] = 100
    warn_temperature_c: Annotated[
        float, Meta(ge=0.0, le=150.0, description="Processor temperature above which it warns.")
    ] = 75.0
    max_temperature_c: Annotated[
        float, Meta(ge=0.0, le=150.0, description="Processor temperature above which it fails.")
    ] = 85.0


class RetentionConfig(Strict, frozen=True):
    """What is deleted by itself, oldest first. null: never."""

    max_images: Annotated[
        Annotated[int, Meta(ge=1, le=100_000_000)] | None,
        Meta(description="Results whose pictures are kept; the rows of older ones stay. null: all."),
    ] = None
    max_image_age_days: Annotated[
        Annotated[float, Meta(gt=0.0, le=36_500.0)] | None,
        Meta(description="Days after which kept pictures are deleted; their rows stay. null: never."),
    ] = None
    max_results: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        Meta(description="Results kept; older ones are deleted whole, row and pictures. null: all."),
    ] = None
    max_result_age_days: Annotated[
        Annotated[float, Meta(gt=0.0, le=36_500.0)] | None,
        Meta(description="Days after which results are deleted whole, row and pictures. null: never."),
    ] = None
    min_free_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000_000_000,
            description="Free space (at most a tenth of the disk) below which the oldest pictures go.",
        ),
    ] = 200_000_000


class EncryptionConfig(Strict, frozen=True):
    """At-rest encryption of kept pictures and of what is known of the person; off without a key."""

    key_file: Annotated[
        AbsolutePath | None,
        Meta(
            description="Key of 'skin-edge results keygen': encrypts subject, site and pictures. null: off."
        ),
    ] = None
    old_key_files: Annotated[
        tuple[AbsolutePath, ...],
        Meta(max_length=32, description="Keys of before, with which older results can still be read."),
    ] = ()


#: A name that a browser may ask for: a DNS name or an address, without the port.
HostName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:_\[\]-]+$", max_length=253)]


class KioskConfig(Strict, frozen=True):
    """The page on the device's own screen, and who else may ask for it."""

    host: Annotated[
        HostName,
        Meta(description="Address to listen at; one that is not loopback needs TLS and a token."),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port.")] = 8080
    hosts: Annotated[
        tuple[HostName, ...],
        Meta(max_length=16, description="Further names by which browsers may ask for the page."),
    ] = ()
    tls_cert: Annotated[
        AbsolutePath | None, Meta(description="PEM file of the certificate and its chain. null: no TLS.")
    ] = None
    tls_key: Annotated[AbsolutePath | None, Meta(description="PEM file of its private key.")] = None
    token_file: Annotated[
        AbsolutePath | None,
        Meta(description="File with the token of at least 32 characters that other machines must send."),
    ] = None
    language: Annotated[
        Literal["en", "es", "bn", "ar"] | None,
        Meta(description="Language of the page until somebody chooses one. null: the browser's."),
    ] = None
    preview_fps: Annotated[
        float, Meta(ge=0.5, le=30.0, description="Pictures a second of the live preview, at most.")
    ] = 10.0
    max_clients: Annotated[
        int, Meta(ge=1, le=1_000, description="Live previews, and event streams, served at once.")
    ] = 64
    probe_s: Annotated[
        float, Meta(ge=0.1, le=60.0, description="Seconds between two looks at the camera while idle.")
    ] = 2.0
    selftest_s: Annotated[
        float, Meta(ge=0.1, le=600.0, description="Seconds between two frames classified without a row.")
    ] = 10.0
    healthy_s: Annotated[
        float,
        Meta(ge=1.0, le=3_600.0, description="Seconds without a classified frame after which it is ill."),
    ] = 60.0
    capture_timeout_s: Annotated[
        float, Meta(ge=1.0, le=600.0, description="Seconds for the frames of a capture; then it is given up.")
    ] = 30.0
    unlock_s: Annotated[
        float, Meta(ge=10.0, le=86_400.0, description="Seconds for which a PIN opens the settings.")
    ] = 900.0
