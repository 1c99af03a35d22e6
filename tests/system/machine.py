"""A machine under QEMU, without KVM or a network: it can be switched on, given commands, and cut from the power."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
from collections.abc import Container
from pathlib import Path
from typing import Any, Final

from tests.debian_root import run
from tests.system.disk import Disk

# Emulated, on a busy machine: far above what a boot or any command of ours takes.
_PATIENCE_S: Final = 600.0
_ASKED_EVERY_S: Final = 0.2


class CommandError(AssertionError):
    """A command in the machine failed, or the emulator itself."""


class Machine:
    """One machine with its own disk in `folder`, a copy of the factory's.

    `radio` is the socket of its Bluetooth adapter's controller. What its log says, through every power cut, stands in
    `log`. Commands go through the QEMU guest agent (https://www.qemu.org/docs/master/interop/qemu-ga-ref.html).
    """

    def __init__(self, factory: Disk, folder: Path) -> None:
        self.radio = folder / "radio.sock"
        self.log = folder / "console.log"
        self._factory = factory
        self._disk = folder / "disk.img"
        self._agent = folder / "agent.sock"
        self._asked = 0
        self._qemu: asyncio.subprocess.Process | None = None
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        run("cp", "--sparse=always", str(factory.image), str(self._disk))

    async def switch_on(self) -> None:
        """Power on; returns when the emulator runs, long before the machine has booted."""
        nothing, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
        self._qemu = await asyncio.create_subprocess_exec(*self._command(), stdin=nothing, stdout=nothing, stderr=pipe)
        while not (self.radio.exists() and self._agent.exists()):
            if self._qemu.returncode is not None:
                raise CommandError(f"QEMU: {(await self._qemu.communicate())[1].decode()}")
            await asyncio.sleep(_ASKED_EVERY_S)

    async def booted(self) -> None:
        """Wait until the machine takes commands."""
        async with asyncio.timeout(_PATIENCE_S):
            self._connection = await asyncio.open_unix_connection(self._agent)
            await self._ask("guest-ping")  # it is read as soon as the agent is there

    async def cut_power(self) -> None:
        """Gone between two instructions; only what its disk has got is left."""
        if self._qemu is None:
            return
        self._qemu.kill()
        await self._qemu.wait()
        if self._connection is not None:
            self._connection[1].close()
        for socket in (self.radio, self._agent):
            socket.unlink(missing_ok=True)
        self._qemu = self._connection = None

    async def scrap(self) -> None:
        """Cut its power for good; of all that it was only its log stays."""
        await self.cut_power()
        self._disk.unlink()

    async def run(self, *command: str, accepted: Container[int] = (0,)) -> str:
        """What a command of root's prints.

        Raises CommandError for an exit code that is not `accepted`, TimeoutError when it takes for ever.
        """
        async with asyncio.timeout(_PATIENCE_S):
            asked = {"path": "/usr/bin/env", "arg": list(command), "capture-output": True}
            pid = (await self._ask("guest-exec", **asked))["pid"]
            state = await self._ask("guest-exec-status", pid=pid)
            while not state["exited"]:
                await asyncio.sleep(_ASKED_EVERY_S)
                state = await self._ask("guest-exec-status", pid=pid)
        out, errors = (base64.b64decode(state.get(name, "")).decode() for name in ("out-data", "err-data"))
        if state.get("exitcode") not in accepted:
            raise CommandError(f"{shlex.join(command)}: exit code {state.get('exitcode')}\n{out}\n{errors}")
        return out.strip()

    async def status(self) -> dict[str, Any]:
        """What `hearthbeat status --json` says, also where that is a fault."""
        found: dict[str, Any] = json.loads(await self.run("hearthbeat", "status", "--json", accepted=(0, 1)))
        return found

    async def show(self, unit: str, name: str) -> str:
        """One property of a unit, as systemd tells it."""
        return await self.run("systemctl", "show", "--value", f"--property={name}", unit)

    async def _ask(self, execute: str, **arguments: object) -> Any:
        assert self._connection is not None, "the machine has not booted"
        reader, writer = self._connection
        self._asked += 1
        order = {"execute": execute, "arguments": arguments, "id": self._asked}
        writer.write(json.dumps(order).encode() + b"\n")
        await writer.drain()
        # What comes first may be the answer to a question whose asker has given up.
        while (answer := json.loads(await reader.readline())).get("id") != self._asked:
            pass
        if "error" in answer:
            raise CommandError(f"{execute}: {answer['error']}")
        return answer["return"]

    def _command(self) -> list[str]:
        def port(name: str, kind: str, socket: Path) -> list[str]:
            device = f"virtserialport,chardev={name},name={kind}"
            return ["-chardev", f"socket,id={name},path={socket},server=on,wait=off", "-device", device]

        return [
            *("qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", "2", "-m", "1024"),
            *("-nodefaults", "-no-reboot", "-display", "none", "-nic", "none"),
            *("-chardev", f"file,id=log,path={self.log},append=on", "-serial", "chardev:log"),
            *("-kernel", str(self._factory.kernel), "-initrd", str(self._factory.ram_disk)),
            *("-append", "root=/dev/vda rw console=ttyS0 quiet"),
            *("-drive", f"file={self._disk},format=raw,if=virtio"),
            *("-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
            *port("agent", "org.qemu.guest_agent.0", self._agent),
            *port("radio", "hearthbeat.radio", self.radio),
        ]
