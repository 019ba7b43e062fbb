"""Has writes to a running host's store fail, from outside the host, until standard input ends.

spoil.py FOLDER SHARE    of a hundred writes to any SQLite file below FOLDER so many fail, drawn at random
spoil.py FOLDER locked   this process holds the files locked

The first is done by triggers, which are dropped again; the second by transactions. Says `spoilt` when it is.
"""

import pathlib
import sqlite3
import sys
import threading
import time

# How long this waits for a host that is writing itself, in seconds.
PATIENCE = 10
# How often files are looked for that came meanwhile, in seconds.
AGAIN = 0.02
TRIGGER = "spoilt_"


def files(folder):
    endings = (".sqlite", ".db")
    return [path for path in folder.rglob("*") if path.suffix in endings]


def opened(path):
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)


def spoil(path, share):
    """What the host keeps beside our tables is left alone: it tolerates no triggers there."""
    connection = opened(path)
    try:
        known = connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
        spoilt = {table for kind, name, table in known if kind == "trigger" and name.startswith(TRIGGER)}
        tables = {name for kind, name, _ in known if kind == "table" and not name.startswith(("sqlite_", "_cf_"))}
        for table in tables - spoilt:
            connection.execute("BEGIN IMMEDIATE")
            for write in ("INSERT", "UPDATE", "DELETE"):
                connection.execute(
                    f'CREATE TRIGGER "{TRIGGER}{table}_{write}" BEFORE {write} ON "{table}" '
                    f"WHEN abs(random()) % 100 < {share} BEGIN SELECT RAISE(ABORT, 'a write that fails'); END"
                )
            connection.execute("COMMIT")
    finally:
        connection.close()


def mend(path):
    connection = opened(path)
    try:
        triggers = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE ?", (TRIGGER + "%",)
        )
        for (trigger,) in triggers.fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
    finally:
        connection.close()


def until_done(work, *words):
    """A host that creates or removes a file at this moment is in the way for a moment."""
    for _ in range(50):
        try:
            return work(*words)
        except sqlite3.Error as error:
            why = error
            time.sleep(AGAIN)
    raise why


def locked(folder, ended):
    held = []
    for path in files(folder):
        connection = opened(path)
        until_done(connection.execute, "BEGIN EXCLUSIVE")
        held.append(connection)
    print("spoilt", flush=True)
    ended.wait()


def spoilt(folder, share, ended):
    told = False
    while not ended.is_set():
        # Files and tables come while calls do.
        for path in files(folder):
            until_done(spoil, path, share)
        if not told:
            print("spoilt", flush=True)
            told = True
        ended.wait(AGAIN)
    for path in files(folder):
        until_done(mend, path)


def main():
    folder, how = pathlib.Path(sys.argv[1]), sys.argv[2]
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    if how == "locked":
        locked(folder, ended)
    else:
        spoilt(folder, int(how), ended)


main()
