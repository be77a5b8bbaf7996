"""Launcher that starts a program like systemd starts a service with sockets.

It reads the unit files, opens the sockets, and executes the program in the same process. So its own
process id is that in LISTEN_PID.

    launcher.py SOCKET_FILE SERVICE_FILE FOLDER TOOL [FAULT]

FOLDER replaces /run, TOOL replaces the program, and a free port replaces each port. FAULT is the
error to simulate, or `restart`.
"""

import fcntl
import os
import shlex
import socket
import sys


def settings(path):
    """All lines `Name=value` of a unit file, in order."""
    with open(path) as lines:
        pairs = [line.strip().split("=", 1) for line in lines if "=" in line and line[0] != "#"]
    return lambda name: [value for known, value in pairs if known == name]


def listener(address, folder):
    if address.startswith("/run/"):
        made = socket.socket(socket.AF_UNIX)
        made.bind(folder + address.removeprefix("/run"))
    else:
        made = socket.socket()
        made.bind((address.rsplit(":", 1)[0], 0))
    made.listen(64)
    return made


def wrong_socket(kind):
    if kind == "file":
        return open("/dev/null")
    if kind == "datagrams":
        made = socket.socket(type=socket.SOCK_DGRAM)
    else:
        made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made


def main(socket_file, service_file, folder, tool, wrong="nothing"):
    socket_unit, service = settings(socket_file), settings(service_file)
    opened = [listener(address, folder) for address in socket_unit("ListenStream")]
    names = socket_unit("FileDescriptorName") * len(opened)
    if wrong in ("file", "datagrams", "silent"):
        opened[0] = wrong_socket(wrong)

    environment = dict(os.environ)
    environment["LISTEN_FDS"] = "99999" if wrong == "count" else str(len(opened))
    environment["LISTEN_FDNAMES"] = ":".join(names)

    (start,) = service("ExecStart")
    _, *arguments = [word.replace("/run/", folder + "/") for word in shlex.split(start)]
    os.makedirs(folder + "/" + service("RuntimeDirectory")[0], mode=0o700)

    if wrong == "restart" and (first := os.fork()):
        os.waitpid(first, 0)
    environment["LISTEN_PID"] = "1" if wrong == "process" else str(os.getpid())

    # Moves the descriptors to high numbers first, so that those from 3 on are free.
    high = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD_CLOEXEC, 100) for one in opened]
    for place, descriptor in enumerate(high, start=3):
        os.dup2(descriptor, place, inheritable=True)
    os.execve(tool, [tool, *arguments], environment)


main(*sys.argv[1:])
