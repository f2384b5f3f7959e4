"""Stands in for nc where there is none: nc HOST PORT, nc -l HOST PORT."""

import os
import socket
import sys
import threading


def connect(words):
    if words[0] == "-l":
        with socket.create_server((words[1], int(words[2]))) as listener:
            return listener.accept()[0]
    return socket.create_connection((words[0], int(words[1])))


def copy_input(connection):
    while data := os.read(0, 65536):
        connection.sendall(data)


def main():
    connection = connect(sys.argv[1:])
    threading.Thread(target=copy_input, args=(connection,), daemon=True).start()
    while data := connection.recv(65536):
        os.write(1, data)
    os._exit(0)


if __name__ == "__main__":
    main()
