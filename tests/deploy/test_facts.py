"""What `look.sh` prints becomes facts; what cannot be believed is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from loopback import tree

import skin_edge_deploy
from skin_edge_deploy.device import Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts, command, parse
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.plan import install_arguments, sudoers_line

LOOK = Path(skin_edge_deploy.__file__).with_name("look.sh")

ON_A_PI = """\
user=pi
uid=1000
system=Linux 6.1.0-rpi7-rpi-v8 aarch64
os=Debian GNU/Linux 12 (bookworm)
service=active
program=/opt/skin-edge/current/bin/skin-edge
python=Python 3.11.2
state=/var/lib/skin-edge
free_kb=24117248
owner=skin-edge
sudo=owner
uploads=/var/tmp/skin-edge-1000
uploads_free_kb=24117248
partial=131072
{"identity":"ham-student-0.2.0","path":"/x","current":false,"previous":true,"ok":true,"error":null}
{"identity":"ham-student-0.3.0","path":"/y","current":true,"previous":false,"ok":true,"error":null}
version=skin-edge 0.1.0
done=1
"""
#: In the form in which systemd 252 answers the question of `look.sh`.
UNIT = """\
User=skin-edge
Environment=PYTHONFAULTHANDLER=1 SKIN_EDGE_HOME=/var/lib/skin-edge HOME=/var/lib/skin-edge
ExecStart={ path=/opt/se/bin/skin-edge ; argv[]=/opt/se/bin/skin-edge kiosk ; ignore_errors=no ; pid=0 }
LoadState=loaded
ActiveState=active
"""


def facts(text: str = ON_A_PI) -> Facts:
    return parse("pi", Said(0, text, ""))


def test_a_pi_with_the_service() -> None:
    found = facts()
    assert (found.user, found.uid, found.machine) == ("pi", 1000, "aarch64")
    assert found.kernel == "Linux 6.1.0-rpi7-rpi-v8"
    assert (found.version, found.python) == ("0.1.0", "Python 3.11.2")
    assert found.free_bytes == 24_117_248 * 1024
    assert found.partial_bytes == 131_072
    assert [model.identity for model in found.models] == ["ham-student-0.2.0", "ham-student-0.3.0"]
    assert found.current is not None
    assert found.current.identity == "ham-student-0.3.0"


def test_the_command_runs_as_the_owner_and_the_sudoers_line_allows_just_that() -> None:
    found = facts()
    line = command(found, install_arguments(Limits(), "/var/tmp/skin-edge-1000/x.skinmodel"))
    started = "/usr/bin/env SKIN_EDGE_HOME=/var/lib/skin-edge /opt/skin-edge/current/bin/skin-edge"
    assert " ".join(line) == (
        f"sudo -n -u skin-edge {started} model install --activate --json --wait 120 "
        "/var/tmp/skin-edge-1000/x.skinmodel"
    )
    allowed = sudoers_line(found, Limits())
    assert allowed == (
        f"pi ALL=(skin-edge) NOPASSWD: {started} model list --json, {started} model info --json, "
        f"{started} model install --activate --json --wait 120 "
        f"/var/tmp/skin-edge-1000/{'[0-9a-f]' * 8}.skinmodel"
    )
    assert "*" not in allowed  # it would match blanks, and with them any option


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("state=/var/lib/skin-edge", "state=/var/lib/skin-edge; rm -rf /"),
        ("state=/var/lib/skin-edge", "state=relative"),
        ("program=/opt/skin-edge/current/bin/skin-edge", "program=/opt/$(reboot)"),
        ("owner=skin-edge", "owner=-x"),
        ("owner=skin-edge", "owner="),
        ("uploads=/var/tmp/skin-edge-1000", "uploads=/var/tmp/a b"),
        ("done=1", ""),
        ("uid=1000", "uid=root"),
    ],
)
def test_what_a_host_says_is_not_believed_blindly(wrong: str, right: str) -> None:
    with pytest.raises(HostError) as caught:
        facts(ON_A_PI.replace(wrong, right))
    assert str(caught.value).isprintable()


def test_something_else_than_a_shell_is_quoted() -> None:
    with pytest.raises(HostError, match="This account is not available"):
        parse("pi", Said(1, "", "This account is not available.\n"))


def run_look(program: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-s", "--", program, "abc", "120"]
    script = LOOK.with_name("say.sh").read_text() + LOOK.read_text()
    return subprocess.run(command, input=script, env=env, capture_output=True, text=True, check=True)


def look(tmp_path: Path, *, unit: str | None, env: dict[str, str]) -> str:
    """Run `look.sh` where systemd answers `unit`, and skin-edge at once."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    program = tools / "skin-edge"
    program.write_text(
        f"""#!/bin/sh
case "$*" in
    --version) echo skin-edge 0.1.0 ;;
    "config show") echo "# state is kept in {tmp_path}/configured" >&2 ;;
    "model list --json") env | grep ^SKIN_EDGE_HOME ;;
esac
"""
    )
    control = tools / "systemctl"
    control.write_text(f"#!/bin/sh\ncat <<'END'\n{unit}END\n" if unit else "#!/bin/sh\nexit 1\n")
    for path in (program, control):
        path.chmod(0o755)
    plain = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = run_look("", {**plain, **env})
    assert done.stderr == ""
    return done.stdout


def test_the_models_of_the_service_are_meant_where_it_is_installed(tmp_path: Path) -> None:
    said = look(tmp_path, unit=UNIT, env={})
    assert "service=active\n" in said
    assert "state=/var/lib/skin-edge\n" in said
    assert "owner=skin-edge\n" in said


def test_the_login_s_own_state_goes_before_the_service_s(tmp_path: Path) -> None:
    said = look(tmp_path, unit=UNIT, env={"SKIN_EDGE_HOME": str(tmp_path / "own")})
    assert f"state={tmp_path}/own\n" in said
    assert f"SKIN_EDGE_HOME={tmp_path}/own\n" in said
    assert "owner=skin-edge\n" not in said


def test_without_either_the_settings_say(tmp_path: Path) -> None:
    look(tmp_path, unit=None, env={})
    before = tree(tmp_path / "bin"), sorted(tmp_path.iterdir())
    said = run_look("", {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}).stdout
    assert "service=none\n" in said
    assert f"state={tmp_path}/configured\n" in said
    assert "done=1\n" in said
    assert (tree(tmp_path / "bin"), sorted(tmp_path.iterdir())) == before


def test_looking_needs_no_skin_edge(tmp_path: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = run_look("/nowhere/skin-edge", env)
    assert parse("pi", Said(0, done.stdout, done.stderr)).program is None
    assert parse("pi", Said(0, done.stdout, done.stderr)).uid == os.getuid()
