"""The packages in a booted system: installed, killed, upgraded, removed. `python3 -m tests.install.boot DEB DIR`.

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
dpkg-deb -R /lts.deb /next && sed -i 's/^Version: .*/&+next/' /next/DEBIAN/control
dpkg-deb -b /next /next.deb
dpkg -i --force-confold /next.deb; say $? "upgraded"
dpkg-query -W -f '${Version}' lts | grep -q +next; say $? "the next version is there"
health; say $? "answers after the upgrade"
[ "$(uuid)" = "$before" ]; say $? "data survive the upgrade"
grep -q "  48080" /etc/lts/lts.json; say $? "the configuration survives the upgrade"
lts backup /root/b.lts && [ "$(stat -c %a:%U /root/b.lts)" = 600:root ]; say $? "a backup of the running service"
systemctl stop lts; lts restore /root/b.lts; say $? "restored"
[ -z "$(find /var/lib/lts ! -user lts)" ]; say $? "all that was restored belongs to lts"
systemctl start lts; health; say $? "answers after the restore"
setpriv --reuid=nobody --clear-groups lts status > /status 2>&1; cat /status
grep -q "is not open to .*run this as root" /status; say $? "says who may look"
setpriv --reuid=nobody --clear-groups lts portal | grep -qx "http://127.0.0.1:48080/lts/page/#/index.html"
say $? "shows everybody where the portal is"
dpkg -r lts; say $? "removed"
systemctl is-active --quiet lts; [ $? != 0 ]; say $? "does not run any more"
[ -f /var/lib/lts/lts.db ]; say $? "data survive the removal"
dpkg -P lts; say $? "purged"
[ -f /var/lib/lts/lts.db ]; say $? "data survive the purge"
[ ! -e /etc/lts/lts.json ] && [ ! -e /opt/lts ]; say $? "nothing else is left"
userdel lts; rm -rf /var/lib/lts; [ ! -e /etc/systemd/system/lts.service ]; say $? "as before the package"
umask 077; rm -r /etc/lts; /srv/lts/lts service install; say $? "lts service install, of the unpacked tarball"
health; say $? "its service answers, installed with a strict umask"
setpriv --reuid=nobody --clear-groups /srv/lts/lts portal | grep -q "page/#/index.html"
say $? "everybody may see where its portal is"
/srv/lts/lts status | grep -q 48080; say $? "its commands find the service's data"
[ "$(stat -c %a:%U /var/lib/lts)" = 700:lts ]; say $? "its data belong to lts alone"
/srv/lts/lts service status; say $? "lts service status"
echo "PROBE $(systemd-analyze security --no-pager lts 2>/dev/null | tail -1)"
/srv/lts/lts service remove; say $? "lts service remove"
/srv/lts/lts service status; [ $? != 0 ]; say $? "no service any more"
[ -f /var/lib/lts/lts.db ] && [ -f /etc/lts/lts.json ]; say $? "its data and configuration stay"
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


def boot(deb: Path, folder: Path) -> tuple[list[str], str]:
    """Try a .deb, then the one-dir build: the probe's lines (`ok …`, `FAIL …`, figures, then `done`), and its log."""
    _make_room()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
        subprocess.run(made, check=True)
        shutil.copy(deb, root / "lts.deb")
        shutil.copytree(folder, root / "srv" / "lts", symlinks=True)
        (root / "probe.sh").write_text(PROBE)
        (root / "probe.sh").chmod(0o755)
        units = root / "etc" / "systemd" / "system"
        (units / "probe.service").write_text(UNIT)
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        (units / "multi-user.target.wants" / "probe.service").symlink_to("../probe.service")
        nspawn = f"systemd-nspawn -b -D {root} --private-network --register=no --keep-unit"
        # a console is wanted, hence `script`; its output is the container's
        booted = subprocess.run(
            ["script", "-qec", nspawn, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=300, check=False,
        )  # fmt: skip
        log = (root / "probe.log").read_text(errors="replace") if (root / "probe.log").exists() else ""
    lines = [line.strip() for line in re.findall(r"PROBE (.*)", log)]
    return lines, log[-3000:] + booted.stdout[-2000:] + booted.stderr[-1000:]


def _make_room() -> None:
    """systemd-nspawn wants its folder below /run in memory, which it is where systemd runs."""
    place = Path("/run/systemd/nspawn")
    if not place.is_mount() and not Path("/run/systemd/system").is_dir():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)


def main() -> int:
    """Exit code 0 when everything holds."""
    lines, log = boot(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    print("\n".join(lines) if "done" in lines else log)
    return int("done" not in lines or any(line.startswith("FAIL") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
