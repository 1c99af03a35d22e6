"""What systemd itself thinks of the units, and whether their sandboxes let the libraries work."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.settings.home import DEFAULT_WEB_SOCKET, load_settings

CHECKOUT = Path(__file__).resolve().parents[2]
UNIT = CHECKOUT / "systemd" / "hearthbeat.service"
WEB = CHECKOUT / "systemd" / "hearthbeat-web.service"
# `systemd-analyze security` counts in tenths: 1.1 each. What is left is the network, D-Bus, the group, /proc/cpuinfo;
# of the web process the network, from which no address is kept out: phones may come by a VPN or a proxy.
EXPOSURE_IN_TENTHS = 11

# Refuses memory that is both writable and executable, as MemoryDenyWriteExecute= does, to this process and those it
# starts: PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN (prctl(2), Linux 6.3), then runs the program given to it.
REFUSE_WRITABLE_CODE = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
CANNOT_REFUSE = 77


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def unit(path: Path = UNIT) -> dict[str, str]:
    """A unit's directives; of one that comes twice, the last."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


@pytest.mark.parametrize("path", [UNIT, WEB], ids=lambda path: path.stem)
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path, path: Path) -> None:
    # Only the program is another one: the daemon is not installed where the tests run.
    text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", path.read_text(encoding="utf-8"))
    copy = tmp_path / path.name
    copy.write_text(text, encoding="utf-8")
    verdict = systemd_analyze("verify", "--recursive-errors=no", "--man=no", str(copy))
    assert (verdict.returncode, verdict.stderr) == (0, "")


@pytest.mark.parametrize("path", [UNIT, WEB], ids=lambda path: path.stem)
def test_the_sandbox_is_as_tight_as_the_program_allows(path: Path) -> None:
    verdict = systemd_analyze("security", "--offline=true", f"--threshold={EXPOSURE_IN_TENTHS}", str(path))
    assert verdict.returncode == 0, verdict.stdout


@pytest.mark.parametrize("path", [UNIT, WEB], ids=lambda path: path.stem)
def test_the_unit_is_supervised_and_never_given_up_but_for_wrong_settings(path: Path) -> None:
    service = unit(path)
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert service["Restart"] == "always"
    # systemd gives up after five starts in ten seconds (systemd-system.conf(5), DefaultStartLimit…).
    assert int(service["RestartSec"]) > 2
    assert service["RestartPreventExitStatus"] == "2"


def test_the_unit_starts_what_the_install_script_installs() -> None:
    program, command, option, settings = unit()["ExecStart"].split()
    install = (CHECKOUT / "systemd" / "install").read_text(encoding="utf-8")
    assert program == "/opt/hearthbeat/bin/hearthbeat"
    assert f"\nprogram={program.removesuffix('/bin/hearthbeat')}\n" in install
    assert f"\nsettings={settings.removesuffix('/hearthbeat.toml')}\n" in install
    assert (command, option) == ("run", "--config")
    users = (CHECKOUT / "systemd" / "hearthbeat.sysusers").read_text(encoding="utf-8")
    assert f"\nu {unit()['User']} " in users


def test_the_web_process_is_somebody_else_who_may_do_nothing_but_ask_for_links() -> None:
    daemon, web = unit(), unit(WEB)
    assert web["ExecStart"] == "/opt/hearthbeat/bin/hearthbeat web", "no settings: they may hold secrets"
    users = (CHECKOUT / "systemd" / "hearthbeat.sysusers").read_text(encoding="utf-8")
    assert f"\nu {web['User']} - " in users
    assert web["User"] != daemon["User"]
    assert "SupplementaryGroups" not in web
    assert f"m {web['User']}" not in users
    assert web["InaccessiblePaths"].split() == ["-/var/lib/hearthbeat", "-/etc/hearthbeat"]
    (folder,) = [
        line.split()
        for line in (CHECKOUT / "systemd" / "hearthbeat.tmpfiles").read_text(encoding="utf-8").splitlines()
        if line.startswith("d ")
    ]
    assert folder == ["d", str(DEFAULT_WEB_SOCKET.parent), "0750", daemon["User"], web["User"], "-"]
    assert daemon["ReadWritePaths"] == f"-{folder[1]}"
    install = (CHECKOUT / "systemd" / "install").read_text(encoding="utf-8")
    for name in (WEB.name, "hearthbeat.tmpfiles", "'.[web]'"):
        assert name in install


def test_the_example_of_settings_is_accepted() -> None:
    settings = load_settings(CHECKOUT / "systemd" / "hearthbeat.toml")
    assert settings.people


def test_the_example_of_settings_is_accepted_with_all_that_it_offers(tmp_path: Path) -> None:
    example = (CHECKOUT / "systemd" / "hearthbeat.toml").read_text(encoding="utf-8")
    full = tmp_path / "hearthbeat.toml"
    full.write_text(re.sub(r"(?m)^# (?=\[|\w+ = )", "", example), encoding="utf-8")
    settings = load_settings(full)
    assert settings.broker is not None
    assert settings.broker.tls
    assert settings.home.adapter == "hci1"
    assert settings.web is not None
    assert settings.web.socket == DEFAULT_WEB_SOCKET


@pytest.mark.parametrize("runtime", ["tflite_runtime", "ai_edge_litert"])
def test_inference_needs_no_memory_that_is_writable_and_executable(runtime: str) -> None:
    models = sorted(CHECKOUT.glob("models/*/model.tflite"))
    if not models:
        pytest.skip("no model in models/")
    pytest.importorskip(runtime, reason=f"{runtime} has no package for this Python")
    program = f"""
import mmap
import numpy
from {runtime}.interpreter import Interpreter
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    raise SystemExit("the kernel did not refuse")
import bleak, paho.mqtt.client, pcodec, pydantic, sqlite_utils
import edge.web.server
for path in {[str(model) for model in models]!r}:
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], numpy.zeros(tensor["shape"], tensor["dtype"]))
    interpreter.invoke()
"""
    ran = subprocess.run(
        [sys.executable, "-c", REFUSE_WRITABLE_CODE, program], capture_output=True, text=True, check=False
    )
    if ran.returncode == CANNOT_REFUSE:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3)")
    assert ran.returncode == 0, ran.stderr
