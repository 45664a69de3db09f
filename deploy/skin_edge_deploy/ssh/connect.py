"""From a target to a connection, by way of ssh_config, jump hosts and the questions that are left."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncssh

from skin_edge.cli.console import visible
from skin_edge.errors import UsageError
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.ssh.asking import Asker, Stopwatch
from skin_edge_deploy.ssh.client import Client
from skin_edge_deploy.ssh.host_keys import HostKeyCheck, check_for, describe
from skin_edge_deploy.ssh.keys import Keyring
from skin_edge_deploy.ssh.patience import within
from skin_edge_deploy.targets import Target, parse_target

SSH_CONFIG: Final = Path("~/.ssh/config")


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection and where it leads.

    Attributes:
        ssh: the connection.
        user, host, port: as ssh_config resolved them.
        fingerprint: SHA-256 of the host's key, where this connection had to learn it; else None.
    """

    ssh: asyncssh.SSHClientConnection
    user: str
    host: str
    port: int
    fingerprint: str | None


class Dialer:
    """Makes connections; a jump host that several targets share is connected to once.

    Args:
        asker: who is asked.
        limits: patience.
        config: the ssh_config file; None is the user's, where there is one.
        accept_new: take unknown host keys.
        remember: write accepted keys to known_hosts.
    """

    def __init__(
        self,
        asker: Asker,
        limits: Limits,
        *,
        config: Path | None = None,
        accept_new: bool = False,
        remember: bool = True,
    ) -> None:
        self._asker = asker
        self._limits = limits
        self._keyring = Keyring(asker)
        self._accept_new = accept_new
        self._remember = remember
        self._jumps: dict[str, asyncio.Task[Connected]] = {}
        default = SSH_CONFIG.expanduser()
        self._config = [str(path) for path in (config or default,) if config is not None or path.exists()]

    async def dial(self, target: Target, clock: Stopwatch) -> Connected:
        """Return a connection to a target.

        Args:
            target: whom.
            clock: runs while a person is asked for this target's sake.

        Raises:
            HostError: it cannot be reached, is not who it should be, or does not let us in.
            UsageError: ssh_config is wrong.
        """
        return await self._dial(target, clock, None, ())

    async def close(self) -> None:
        """Close the connections to jump hosts."""
        for task in self._jumps.values():
            task.cancel()
            with contextlib.suppress(HostError, UsageError, asyncio.CancelledError):
                await hang_up((await task).ssh, self._limits.close_timeout_s)

    async def _dial(
        self, target: Target, clock: Stopwatch, through: Connected | None, path: tuple[str, ...]
    ) -> Connected:
        options = self._options(target)
        if through is None and isinstance(options.tunnel, str) and options.tunnel:
            through = await self._through(options.tunnel, clock, path)
        accepted = None
        while True:
            check = check_for(options, accept_new=self._accept_new, accepted=accepted)
            work = self._attempt(target, options, check, through, clock)
            try:
                ssh = await within(
                    self._limits.connect_timeout_s, f"{target.text}: connecting", work, asked=clock
                )
                break
            except asyncssh.HostKeyNotVerifiable as error:
                if accepted is not None:
                    raise self._not_verified(target, check, error) from None
                accepted = await self._accept(target, check, error, clock)
        if self._remember:
            check.remember()
        learnt = check.learnt.get_fingerprint() if check.learnt is not None else None
        return Connected(ssh, options.username, options.host, options.port, learnt)

    def _options(self, target: Target) -> asyncssh.SSHClientConnectionOptions:
        given: dict[str, Any] = {"host": target.host, "config": self._config}
        given |= {"port": target.port} if target.port is not None else {}
        given |= {"username": target.user} if target.user is not None else {}
        try:
            return asyncssh.SSHClientConnectionOptions(**given)
        except asyncssh.ConfigParseError as error:
            raise UsageError(f"ssh_config: {visible(str(error))}", code="ssh-config") from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise HostError(
                f"{target.text}: a key cannot be read: {error}", code="not-authenticated"
            ) from None
        except OSError as error:
            raise HostError(
                f"{target.text}: {error.filename}, which ssh_config names, cannot be read: {error.strerror}",
                code="not-authenticated",
            ) from None

    async def _through(self, jumps: str, clock: Stopwatch, path: tuple[str, ...]) -> Connected:
        """Return the connection to the last of a chain ``A,B,C`` of jump hosts, shared by all who need it.

        `path` are the chains that are being connected for its sake.
        """
        if jumps in path:
            raise HostError(f"ProxyJump {visible(jumps)}: goes in a circle", code="unreachable")
        earlier = self._jumps.get(jumps)
        if earlier is None or (earlier.done() and not _alive(earlier)):
            earlier = asyncio.ensure_future(self._chain(jumps, clock, (*path, jumps)))
            self._jumps[jumps] = earlier
        return await asyncio.shield(earlier)

    async def _chain(self, jumps: str, clock: Stopwatch, path: tuple[str, ...]) -> Connected:
        before, _, last = jumps.rpartition(",")
        through = await self._through(before, clock, path) if before else None
        return await self._dial(parse_target(last.strip()), clock, through, path)

    async def _attempt(
        self,
        target: Target,
        options: asyncssh.SSHClientConnectionOptions,
        check: HostKeyCheck,
        through: Connected | None,
        clock: Stopwatch,
    ) -> asyncssh.SSHClientConnection:
        who = f"{options.username}@{target.host}"
        given: dict[str, Any] = {"known_hosts": check.trusted, "config": self._config}
        if through is not None:
            given["tunnel"] = through.ssh
        if options.config.get("HostKeyAlgorithms") is None:
            given["server_host_key_algs"] = check.algorithms()
        if not options.keepalive_interval:
            given["keepalive_interval"] = self._limits.keepalive_s
            given["keepalive_count_max"] = self._limits.keepalive_count
        given |= {"port": target.port} if target.port is not None else {}
        given |= {"username": target.user} if target.user is not None else {}
        try:
            return await asyncssh.connect(
                target.host,
                client_factory=lambda: Client(who, options, check, self._keyring, self._asker, clock),
                login_timeout=0,
                **given,
            )
        except asyncssh.HostKeyNotVerifiable:
            raise
        except asyncssh.PermissionDenied:
            if self._remember:
                check.remember()
            raise HostError(
                f"{target.text}: {who} was not let in with the keys of agent and ssh_config"
                "; `ssh-add KEY` or `ssh-copy-id` first, or run this at a terminal and give the password",
                code="not-authenticated",
            ) from None
        except (asyncssh.ChannelOpenError, asyncssh.DisconnectError) as error:
            raise HostError(f"{target.text}: {visible(str(error))}", code="unreachable") from None
        except OSError as error:
            number = error.errno or 0  # negative where a name is not known
            why = os.strerror(number) if number > 0 else error.strerror or str(error)
            raise HostError(f"{target.text}: cannot be reached: {why}", code="unreachable") from None

    async def _accept(
        self, target: Target, check: HostKeyCheck, error: asyncssh.HostKeyNotVerifiable, clock: Stopwatch
    ) -> str:
        """Return the fingerprint of an unknown key once a person has accepted it."""
        if check.shown is None or check.changed:
            raise self._not_verified(target, check, error)
        fingerprint: str = check.shown.get_fingerprint()
        answer = await self._asker.ask(
            f"{check.name} is not known. It shows the {describe(check.shown)}.\n"
            "Is it its own? ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub tells, on the device. (yes/no) ",
            clock,
            echo=True,
        )
        if answer is not None and answer.strip() in ("yes", fingerprint):
            return fingerprint
        raise self._not_verified(target, check, error)

    def _not_verified(
        self, target: Target, check: HostKeyCheck, error: asyncssh.HostKeyNotVerifiable
    ) -> HostError:
        if check.shown is None:
            return HostError(f"{target.text}: {visible(str(error))}", code="host-key-changed")
        if check.changed:
            return self._changed(target, check, f"the {describe(check.shown)}")
        return HostError(
            f"{target.text}: its host key is not known: {check.name} shows the {describe(check.shown)}; "
            "compare it at the device, then give --accept-new-host-key",
            code="host-key-unknown",
        )

    def _changed(self, target: Target, check: HostKeyCheck, shown: str) -> HostError:
        return HostError(
            f"{target.text}: its host key has CHANGED, {check.name} shows {shown}: is somebody in between? "
            f"Only if you know why it changed: ssh-keygen -R '{check.name}'",
            code="host-key-changed",
        )


async def hang_up(ssh: asyncssh.SSHClientConnection, timeout_s: float) -> None:
    """Close a connection, by force where the other side does not answer in `timeout_s` seconds."""
    ssh.close()
    try:
        await asyncio.wait_for(ssh.wait_closed(), timeout_s)
    except (asyncio.TimeoutError, TimeoutError):
        ssh.abort()


def _alive(task: asyncio.Task[Connected]) -> bool:
    return not task.cancelled() and task.exception() is None and not task.result().ssh.is_closed()
