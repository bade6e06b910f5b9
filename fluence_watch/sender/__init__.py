"""Apprise, in processes of its own: they can be killed, and their 40 MB go when they are not used.

`worker` is the program that they run, `process` is one that sends, `urls` asks one about URLs.
Apprise is never loaded into this process.
"""
