# SPDX-License-Identifier: Apache-2.0
"""Does to a directory what cuda.core's FileStreamProgramCache does to it.

The class itself cannot be had here. This was written from what its source says
about the directory, as of cuda.core in November 2026, and has nothing of its
code: keys are bytes or text in UTF-8, named by SHA-256; a value is written to a
file of mkstemp in tmp/, synced and renamed; a read sets the time of last use and
keeps that of the last change; files of tmp/ older than an hour are swept; at the
cap the files least recently used go; clear removes all files and the empty
directories. Commands are read from standard input, one a line; each is answered
with one line.
"""

import hashlib
import os
import sys
import tempfile
import time


class Directory:
    def __init__(self, root):
        self.entries = os.path.join(root, "entries")
        self.tmp = os.path.join(root, "tmp")
        for path in (self.entries, self.tmp):
            os.makedirs(path, exist_ok=True)
        self.sweep()

    def path(self, key):
        digest = hashlib.sha256(key).hexdigest()
        return os.path.join(self.entries, digest[:2], digest[2:])

    def put(self, key, body):
        path = self.path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.makedirs(self.tmp, exist_ok=True)
        fd, staged = tempfile.mkstemp(prefix="entry-", dir=self.tmp)
        with os.fdopen(fd, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)

    def get(self, key):
        path = self.path(key)
        before = os.stat(path)
        with open(path, "rb") as file:
            body = file.read()
        os.utime(path, ns=(time.time_ns(), before.st_mtime_ns))
        return body

    def files(self, top):
        for where, _, names in os.walk(top):
            for name in names:
                yield os.path.join(where, name)

    def sweep(self):
        for path in self.files(self.tmp):
            if os.stat(path).st_mtime < time.time() - 3600:
                os.unlink(path)

    def evict(self, cap):
        self.sweep()
        found = [(os.stat(path), path) for path in self.files(self.entries)]
        total = sum(info.st_size for info, _ in found)
        total += sum(os.stat(path).st_size for path in self.files(self.tmp))
        for info, path in sorted(found, key=lambda pair: pair[0].st_atime_ns):
            if total <= cap:
                break
            os.unlink(path)
            total -= info.st_size

    def clear(self):
        for path in list(self.files(self.entries)):
            os.unlink(path)
        self.sweep()
        for name in os.listdir(self.entries):
            os.rmdir(os.path.join(self.entries, name))


def answer(directory, words):
    command, rest = words[0], [bytes.fromhex(word) for word in words[1:]]
    if command == "put":
        directory.put(*rest)
        return "done"
    if command == "get":
        return "hit " + directory.get(*rest).hex()
    if command == "delete":
        os.unlink(directory.path(*rest))
        return "done"
    if command == "len":
        return str(sum(1 for _ in directory.files(directory.entries)))
    if command == "evict":
        directory.evict(int(rest[0]))
        return "done"
    if command == "clear":
        directory.clear()
        return "done"
    raise ValueError(command)


def main():
    directory = Directory(sys.argv[1])
    for line in sys.stdin:
        try:
            text = answer(directory, line.split())
        except FileNotFoundError:
            text = "miss"
        print(text, flush=True)


main()
