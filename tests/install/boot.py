"""`python3 -m tests.boot PACKAGE.deb`: the package in a booted system: installed, killed, stopped, upgraded, removed.

Needs root, mmdebstrap and systemd-nspawn; takes a minute. The probe inside says a line for each thing that holds.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROBE = r"""#!/bin/bash
exec > /probe.log 2>&1
url=http://127.0.0.1:48080/lts/api/v1/health
health() { for _ in $(seq 100); do curl -sf $url > /dev/null && return 0; sleep 0.1; done; return 1; }
ms() { echo $(( ($(date +%s%N) - $1) / 1000000 )); }
say() { if [ "$1" = 0 ]; then echo "PROBE ok $2"; else echo "PROBE FAIL $2"; fi; }
uuid() { lts status --json | grep -o '"serverUuid": "[^"]*"'; }
export DEBIAN_FRONTEND=noninteractive
dpkg -i /lts.deb; say $? "installed"
systemctl is-active --quiet lts; say $? "active once it is installed (notify)"
health; say $? "answers"
systemctl is-enabled --quiet lts; say $? "enabled for the next boot"
lts setup-code | grep -q 'page/#/index.html?setup='; say $? "prints the address with the set-up code"
[ "$(stat -c %a:%U /var/lib/lts)" = 700:lts ]; say $? "data belong to lts alone"
before=$(uuid); [ -n "$before" ]; say $? "has a UUID"
pid=$(systemctl show -p MainPID --value lts); kill -9 "$pid"; sleep 4; health; say $? "restarted after kill -9"
[ "$(uuid)" = "$before" ]; say $? "the UUID stays after a kill"
begun=$(date +%s%N); systemctl stop lts; took=$(ms $begun); echo "PROBE stop took $took ms"
[ "$took" -lt 5000 ]; say $? "stops in under 5 s"
[ "$(systemctl show -p Result --value lts)" = success ]; say $? "stops cleanly"
begun=$(date +%s%N); systemctl start lts; health; echo "PROBE start to answer $(ms $begun) ms"
sed -i 's/"port": 48080/"port":  48080/' /etc/lts/lts.json
dpkg -i --force-confold /lts.deb; say $? "upgraded"
health; say $? "answers after the upgrade"
[ "$(uuid)" = "$before" ]; say $? "data survive the upgrade"
grep -q "  48080" /etc/lts/lts.json; say $? "the configuration survives the upgrade"
lts backup /root/b.lts && [ "$(stat -c %a:%U /root/b.lts)" = 600:root ]; say $? "a backup of the running service"
systemctl stop lts; lts restore /root/b.lts; say $? "restored"
[ -z "$(find /var/lib/lts ! -user lts)" ]; say $? "all that was restored belongs to lts"
systemctl start lts; health; say $? "answers after the restore"
setpriv --reuid=nobody --clear-groups lts status > /status 2>&1; cat /status
grep -q "is not open to .*run this as root" /status; say $? "says who may look"
dpkg -r lts; say $? "removed"
systemctl is-active --quiet lts; [ $? != 0 ]; say $? "does not run any more"
[ -f /var/lib/lts/lts.db ]; say $? "data survive the removal"
dpkg -P lts; say $? "purged"
[ -f /var/lib/lts/lts.db ]; say $? "data survive the purge"
[ ! -e /etc/lts/lts.json ] && [ ! -e /opt/lts ]; say $? "nothing else is left"
systemd-analyze security --no-pager lts 2>/dev/null | tail -1
echo "PROBE done"
systemctl poweroff
"""
UNIT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/probe.sh
[Install]
WantedBy=multi-user.target
"""
PACKAGES = "systemd,systemd-sysv,dbus,curl,ca-certificates"


def main() -> int:
    """Exit code 0 when everything holds."""
    deb = Path(sys.argv[1]).resolve()
    for tool in ("mmdebstrap", "systemd-nspawn"):
        if shutil.which(tool) is None:
            print(f"{tool} is missing; install it by the system's package manager (mmdebstrap, systemd-container)")
            return 1
    _make_room()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        print("making a system …", flush=True)
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)], check=True
        )
        shutil.copy(deb, root / "lts.deb")
        (root / "probe.sh").write_text(PROBE)
        (root / "probe.sh").chmod(0o755)
        units = root / "etc" / "systemd" / "system"
        (units / "probe.service").write_text(UNIT)
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        (units / "multi-user.target.wants" / "probe.service").symlink_to("../probe.service")
        print("booting it …", flush=True)
        nspawn = f"systemd-nspawn -b -D {root} --private-network --register=no --keep-unit"
        # a console is wanted, hence `script`; its output is the container's
        booted = subprocess.run(
            ["script", "-qec", nspawn, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=300, check=False,
        )  # fmt: skip
        log = (root / "probe.log").read_text(errors="replace") if (root / "probe.log").exists() else ""
    lines = [line.strip() for line in re.findall(r"PROBE (.*)", log)]
    print("\n".join(lines))
    if "done" not in lines:
        print(log[-3000:], booted.stdout[-2000:], booted.stderr[-1000:])
        return 1
    return int(any(line.startswith("FAIL") for line in lines))


def _make_room() -> None:
    """systemd-nspawn wants its folder below /run in memory, which it is where systemd runs."""
    place = Path("/run/systemd/nspawn")
    if not place.is_mount() and not Path("/run/systemd/system").is_dir():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)


if __name__ == "__main__":
    sys.exit(main())
