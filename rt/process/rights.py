"""What to do where real-time scheduling is refused: which group to join, which limit to set."""

import glob
import os
import re
import sys

LIMITS = "/etc/security/limits.d/*.conf"  # read by PAM at login, after /etc/security/limits.conf
LINE = re.compile(r"^\s*@(?P<group>\S+)\s+(-|hard)\s+rtprio\s+(?P<priority>\d+)", re.MULTILINE)
# What Debian's jackd package writes: above every client and below the kernel's own watchdog.
LIMIT_LINES = "'@audio - rtprio 95' and '@audio - memlock unlimited'"
# Files of Docker and of Podman, as systemd looks for them.
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
# The first option is for root alone.
CONTAINER_REMEDY = "start the container with --cap-add=sys_nice --ulimit rtprio=95 --ulimit memlock=-1"


def in_container(marks: tuple[str, ...] = CONTAINER_MARKS) -> bool:
    """Whether this process runs in a container, where no login reads the limits of groups.

    Args:
        marks: files one of which is there in a container.
    """
    return any(os.path.exists(mark) for mark in marks)


def rights_hint(limits: str = LIMITS) -> str:
    """One line for a user whose engine got no real-time scheduling; "" where there is none to be had.

    Args:
        limits: pattern of the files that may already name a group.
    """
    if not sys.platform.startswith("linux"):
        return ""
    refused = "no real-time scheduling, other programs may delay the sound"
    if in_container():
        return f"{refused}: {CONTAINER_REMEDY}"
    groups = []
    for path in sorted(glob.glob(limits)):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                groups += [match["group"] for match in LINE.finditer(file.read()) if int(match["priority"])]
        except OSError:
            continue
    if os.geteuid() == 0:
        return f"{refused}: the system allows it to nobody here (a container needs --cap-add=sys_nice)"
    if groups:
        return f"{refused}: join the group {groups[0]} (sudo usermod -aG {groups[0]} $USER) and log in again"
    return (
        f"{refused}: write {LIMIT_LINES} on two lines of /etc/security/limits.d/audio.conf, join the group "
        "audio (sudo usermod -aG audio $USER) and log in again"
    )
