"""The files by which machines tell about themselves, written down from documentation.

None was copied off a board. Sources: the kernel's documentation of /sys/class/thermal, hwmon and cpufreq;
the Raspberry Pi documentation of vcgencmd, the drivers firmware/raspberrypi.c and hwmon/raspberrypi-hwmon.c;
the Jetson Developer Guide, L4T 32.7 (Nano) and 36.3 (Orin), with its zone names and its constant PMIC-Die.
"""

from __future__ import annotations

from pathlib import Path

Machine = dict[str, str]

PI_4: Machine = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1500000\n",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "1800000\n",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
    "sys/class/hwmon/hwmon0/temp1_input": "48312\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
}
PI_3_OLD_KERNEL: Machine = {
    "proc/device-tree/model": "Raspberry Pi 3 Model B Plus Rev 1.3\0",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61224\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "80008\n",
}
PI_5: Machine = PI_4 | {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "sys/class/rtc/rtc0/name": "rpi-rtc soc:rpi_rtc\n",
    "sys/class/rtc/rtc0/since_epoch": "1800000000\n",
}
JETSON_NANO: Machine = {
    "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    "sys/class/thermal/thermal_zone0/type": "AO-therm\n",
    "sys/class/thermal/thermal_zone0/temp": "52500\n",
    "sys/class/thermal/thermal_zone1/type": "CPU-therm\n",
    "sys/class/thermal/thermal_zone1/temp": "44000\n",
    "sys/class/thermal/thermal_zone2/type": "GPU-therm\n",
    "sys/class/thermal/thermal_zone2/temp": "41500\n",
    "sys/class/thermal/thermal_zone3/type": "PLL-therm\n",
    "sys/class/thermal/thermal_zone3/temp": "41000\n",
    "sys/class/thermal/thermal_zone4/type": "PMIC-Die\n",
    "sys/class/thermal/thermal_zone4/temp": "100000\n",
    "sys/class/thermal/thermal_zone5/type": "thermal-fan-est\n",
    "sys/class/thermal/thermal_zone5/temp": "43000\n",
    "sys/class/thermal/cooling_device0/type": "thermal-cpufreq-0\n",
    "sys/class/thermal/cooling_device0/cur_state": "0\n",
    "sys/class/thermal/cooling_device1/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device1/cur_state": "2\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1479000\n",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "1479000\n",
}
JETSON_ORIN: Machine = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "51406\n",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "50906\n",
    "sys/class/thermal/thermal_zone2/type": "cv0-thermal\n",  # its part is off: no temp can be read
    "sys/class/thermal/thermal_zone8/type": "tj-thermal\n",
    "sys/class/thermal/thermal_zone8/temp": "52250\n",
    "sys/class/hwmon/hwmon0/name": "pwmfan\n",
    "sys/class/hwmon/hwmon3/name": "soctherm_oc\n",
    "sys/class/hwmon/hwmon3/oc1_event_cnt": "0\n",
    "sys/class/hwmon/hwmon3/oc2_event_cnt": "0\n",
    "sys/class/hwmon/hwmon3/oc3_event_cnt": "37\n",
    "sys/class/hwmon/hwmon3/oc1_throt_en": "1\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "729600\n",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "1510400\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "1510400\n",
    "sys/devices/system/cpu/cpufreq/policy4/cpuinfo_max_freq": "1510400\n",
    "sys/class/rtc/rtc0/since_epoch": "1800000000\n",
}
PC: Machine = {
    "sys/class/thermal/thermal_zone0/type": "acpitz\n",
    "sys/class/thermal/thermal_zone0/temp": "27800\n",
    "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone1/temp": "57000\n",
    "sys/class/thermal/cooling_device0/type": "Processor\n",
    "sys/class/thermal/cooling_device0/cur_state": "0\n",
    "sys/class/rtc/rtc0/since_epoch": "1800000000\n",
}

#: What vcgencmd prints; `measure_temp` and `get_throttled` are the questions asked.
VCGENCMD = """#!/bin/sh
case "$1" in
get_throttled) echo 'throttled={throttled}' ;;
measure_temp) echo "temp={celsius}'C" ;;
*) echo "error=1 error_msg=\\"Command not registered\\""; exit 1 ;;
esac
"""


def write_machine(root: Path, machine: Machine) -> Path:
    """Write the files below `root` and return it."""
    for name, text in machine.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def write_vcgencmd(root: Path, throttled: str = "0x0", celsius: str = "48.3", script: str = VCGENCMD) -> Path:
    """Put a program in the place of vcgencmd that prints what the real one prints."""
    path = root / "usr/bin/vcgencmd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script.replace("{throttled}", throttled).replace("{celsius}", celsius))
    path.chmod(0o755)
    return path
