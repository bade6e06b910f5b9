"""Apprise in separate processes, which can be killed and whose 40 MB are freed when unused.

`worker` is the program that they run, `process` is one that sends, `urls` asks one about URLs.
This process never loads Apprise.
"""
