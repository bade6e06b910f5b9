"""The watcher with a clock of its own: what it would tell, to whom and when, of polls that it is given.

It decides with the code of the daemon: the rules, the lifecycle, what a receiver is due. There is no
API, and receivers accept everything at once. `engine` has the steps, `tests/` what users expect of them.
"""
